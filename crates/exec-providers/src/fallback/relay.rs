//! A streamed answer that somebody else takes over when it breaks.

use std::collections::VecDeque;
use std::sync::Arc;

use exec_core::chat::Part;
use exec_core::{
    Attempt, Chunk, Chunks, Context, Error, ErrorKind, Event, Handover, Input, Integrity, Message, Provider,
    Remedy, Report, Request, Response, Result, Role, Usage,
};
use futures_util::{Stream, StreamExt, stream};

use super::config::MidStream;
use super::join::{Differs, Join};
use super::member::Member;
use super::said::Said;
use super::tour::attempts;

/// One streamed answer, and who may take it over.
pub(super) struct Relay {
    pub(super) members: Arc<[Member]>,
    pub(super) policy: MidStream,
    pub(super) request: Request,
    pub(super) context: Context,
    /// Who answers now.
    pub(super) at: usize,
    /// Who may still be asked, the preferred one first.
    pub(super) rest: Vec<usize>,
}

/// How somebody takes over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// It goes on from what was said.
    GoOn,
    /// It says the same again, of which what was said is left out.
    Repeat,
    /// What was said is void.
    Anew,
}

impl Relay {
    /// `response`, taken over by others when it breaks.
    pub(super) fn follow(self, response: Response) -> Response {
        let report = response.report.clone();
        let running = Running {
            relay: self,
            chunks: response.into_chunks(),
            said: Said::default(),
            joined: None,
            ready: VecDeque::new(),
            spent: None,
            error: None,
        };
        Response::stream(running.into_stream()).with_report(report)
    }

    fn member(&self, at: usize) -> &Arc<dyn Provider> {
        &self.members[at].bare
    }

    /// Asks, in order, who may take over in this way. Who fails is not asked again, except one that only refused to go on.
    async fn take_over(
        &mut self,
        how: How,
        said: &Said,
        failed: &mut Vec<Attempt>,
    ) -> Result<Option<Response>> {
        let request = if how == How::GoOn { going_on(&self.request, said)? } else { self.request.clone() };
        let mut passed = Vec::new();
        while !self.rest.is_empty() {
            let at = self.rest.remove(0);
            let can = self.member(at).capabilities();
            if !can.supports(&request) || (how == How::GoOn && !can.prefill) {
                passed.push(at);
                continue;
            }
            match self.members[at].ask(request.clone(), &self.context).await {
                Ok(response) => {
                    passed.append(&mut self.rest);
                    (self.rest, self.at) = (passed, at);
                    return Ok(Some(response));
                }
                Err(error) => {
                    failed.extend(attempts(self.member(at).as_ref(), &error));
                    // What was asked the first time was fine, so it is the going on that is refused.
                    let refused = matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Unsupported);
                    if how == How::GoOn && refused {
                        passed.push(at);
                    } else if error.remedy() == Remedy::Stop {
                        return Err(error);
                    }
                }
            }
        }
        self.rest = passed;
        Ok(None)
    }
}

/// The request whose answer goes on from what was said. White space at the end is left out: it would be refused.
fn going_on(request: &Request, said: &Said) -> Result<Request> {
    let mut chat = request.input.chat()?.clone();
    let part = Part::text(said.text().trim_end());
    match chat.messages.last_mut().filter(|last| last.role == Role::Assistant) {
        Some(last) => last.parts.push(part),
        None => {
            let message = Message::new(Role::Assistant, said.text().trim_end());
            chat.messages.push(message);
        }
    }
    Ok(Request { input: Input::from(chat), ..request.clone() })
}

/// A relay on its way.
struct Running {
    relay: Relay,
    chunks: Chunks,
    said: Said,
    /// How what comes is joined to what somebody else has said.
    joined: Option<Joined>,
    ready: VecDeque<Chunk>,
    /// What those who broke off said that they had used.
    spent: Option<Usage>,
    /// Why it ends, until that is told.
    error: Option<Error>,
}

/// How what comes is joined to what somebody else has said.
struct Joined {
    join: Join,
    /// Whether its thinking is handed on.
    thinking: bool,
}

impl Running {
    fn into_stream(self) -> impl Stream<Item = Result<Chunk>> + Send + 'static {
        stream::unfold(Some(self), |running| async {
            let mut running = running?;
            match running.next().await {
                Some(Ok(chunk)) => Some((Ok(chunk), Some(running))),
                Some(Err(error)) => Some((Err(error), None)),
                None => None,
            }
        })
    }

    async fn next(&mut self) -> Option<Result<Chunk>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Some(Ok(chunk));
            }
            if let Some(error) = self.error.take() {
                return Some(Err(error));
            }
            match self.chunks.next().await? {
                Ok(Chunk::Spent(usage)) => self.spent = Some(self.spent.unwrap_or_default().plus(usage)),
                Ok(chunk) if self.joined.is_none() => {
                    self.said.note(&chunk);
                    return Some(Ok(chunk));
                }
                Ok(Chunk::Verbatim(event)) => {
                    self.error = event.means.into_iter().try_for_each(|chunk| self.add(chunk)).err();
                }
                Ok(chunk) => self.error = self.add(chunk).err(),
                Err(error) => {
                    if let Err(error) = self.broke(error).await {
                        self.error = Some(error);
                        self.ready.extend(self.spent.take().map(Chunk::Spent));
                    }
                }
            }
        }
    }

    /// A chunk of somebody who took over.
    fn add(&mut self, mut chunk: Chunk) -> Result<()> {
        if let Chunk::End(summary) = &mut chunk {
            // What is not known of one part is not known of the whole. A price is said at the end only, and whoever broke
            // off said none.
            summary.cost = None;
            if let Some(spent) = self.spent {
                summary.usage = summary.usage.map(|usage| usage.plus(spent));
            }
        }
        let Some(Joined { join, thinking }) = &mut self.joined else { return Ok(()) };
        let text = match &chunk {
            Chunk::Text(text) => join.push(text),
            Chunk::Reasoning(_) | Chunk::Signature(_) if !*thinking => return Ok(()),
            // A fallback inside of this one has begun anew, and its caller can be told.
            Chunk::Handover(inner) if inner.anew => {
                self.joined = Some(Joined { join: Join::repeating(""), thinking: true });
                Ok(String::new())
            }
            Chunk::Reasoning(_) | Chunk::Signature(_) | Chunk::Handover(_) => Ok(String::new()),
            _ => join.finish(),
        };
        let text = text.map_err(|Differs| differs(self.relay.member(self.relay.at).name()))?;
        let text = (!text.is_empty()).then_some(Chunk::Text(text));
        let rest = (!matches!(chunk, Chunk::Text(_))).then_some(chunk);
        for chunk in text.into_iter().chain(rest) {
            self.said.note(&chunk);
            self.ready.push_back(chunk);
        }
        Ok(())
    }

    /// The ways in which somebody can take over, the best first.
    fn ways(&self) -> Vec<How> {
        let mut ways = Vec::new();
        if self.relay.policy == MidStream::Continue && self.said.can_be_continued() {
            ways.push(How::GoOn);
        }
        if self.relay.request.options.can_begin_anew() {
            ways.push(How::Anew);
        } else if self.said.can_be_repeated() {
            ways.push(How::Repeat);
        }
        ways
    }

    /// Whoever answers broke off: somebody else takes over, or it ends with the error.
    async fn broke(&mut self, error: Error) -> Result<()> {
        // What it holds is given back now, and not when somebody else has answered.
        self.chunks = stream::empty().boxed();
        if error.remedy() == Remedy::Stop || self.relay.rest.is_empty() {
            return Err(error);
        }
        let broken: Arc<str> = self.relay.member(self.relay.at).name().into();
        let mut failed = attempts(self.relay.member(self.relay.at).as_ref(), &error);
        for how in self.ways() {
            match self.relay.take_over(how, &self.said, &mut failed).await {
                Ok(Some(response)) => {
                    let to = self.relay.member(self.relay.at).name().into();
                    self.relay.context.emit(&Event::FellBack {
                        from: broken.clone(),
                        to,
                        kind: error.kind(),
                    });
                    self.hand_over(how, broken, response);
                    return Ok(());
                }
                Ok(None) => {}
                Err(_) => break,
            }
        }
        Err(if failed.len() > 1 { error.with_attempts(failed) } else { error })
    }

    fn hand_over(&mut self, how: How, broken: Arc<str>, response: Response) {
        let at = self.said.characters();
        let integrity = match how {
            How::GoOn => Integrity::Continued { broken, at },
            How::Repeat | How::Anew => Integrity::Restarted { broken, at },
        };
        let report = Report { integrity, ..response.report.clone() };
        let anew = how == How::Anew;
        if anew {
            self.said = Said::default();
        }
        let join = match how {
            How::GoOn => Join::going_on(self.said.text()),
            How::Repeat | How::Anew => Join::repeating(self.said.text()),
        };
        // Thinking comes before words, and once.
        let thinking = !self.said.thought() && self.said.text().is_empty();
        self.joined = Some(Joined { join, thinking });
        self.chunks = response.into_chunks();
        self.ready.push_back(Chunk::Handover(Box::new(Handover { report, anew })));
    }
}

/// Who should have said the same again says something else.
fn differs(member: &str) -> Error {
    let message = format!("`{member}` began the answer anew and does not say what was said before");
    Error::new(ErrorKind::Upstream, message).with_code("restart_differs").with_remedy(Remedy::Stop)
}
