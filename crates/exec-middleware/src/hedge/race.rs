//! The attempts of one call that is slow, until one of them wins.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use exec_core::{Attempt, Chunk, Context, Error, ErrorKind, Event, Next, Remedy, Request, Response, Result};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesUnordered};
use tokio::time::Instant;

use super::{Extra, Hedge, Kind};
use crate::breaker::is_refusal;
use crate::retry::{UNNAMED, summary};

/// A stream that begins with so many chunks without content is taken as it is.
const MOST_PRELUDE: usize = 256;

/// One attempt: done when its first content is here, which is put back.
///
/// Providers answer with content in hand, so the chunk is there already; what stands between may be slower.
pub(super) async fn attempt(request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
    let mut response = next.run(request, context).await?;
    if response.is_full() {
        return Ok(response);
    }
    let report = std::mem::take(&mut response.report);
    let mut chunks = response.into_chunks();
    let mut head = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        let begun = chunk.is_content() || matches!(chunk, Chunk::End(_)) || head.len() >= MOST_PRELUDE;
        head.push(Ok(chunk));
        if begun {
            break;
        }
    }
    Ok(Response::stream(stream::iter(head).chain(chunks)).with_report(report))
}

type First<'a> = Pin<&'a mut (dyn Future<Output = Result<Response>> + Send)>;

/// The first attempt of a call and those sent beside it. Dropping it drops them all.
pub(super) struct Race<'a> {
    hedge: &'a Hedge,
    request: Request,
    context: &'a Context,
    next: Next<'a>,
    began: Instant,
    first: Option<First<'a>>,
    hedges: FuturesUnordered<BoxFuture<'a, Result<Response>>>,
    /// What is set aside for the hedges that have not failed.
    extras: Vec<Extra>,
    /// How many were sent, the first included.
    sent: u32,
    /// Whether another may be sent.
    open: bool,
    /// How the attempts that are over failed.
    failures: Vec<Error>,
}

/// What an attempt's failure means for the others.
enum Then {
    /// They are cancelled.
    Fail,
    /// Another is sent at once.
    Hedge,
    /// They go on, and no other is sent.
    Last,
}

impl<'a> Race<'a> {
    pub(super) fn new(
        hedge: &'a Hedge,
        request: Request,
        context: &'a Context,
        next: Next<'a>,
        began: Instant,
    ) -> Self {
        let hedges = FuturesUnordered::new();
        Self {
            hedge,
            request,
            context,
            next,
            began,
            first: None,
            hedges,
            extras: Vec::new(),
            sent: 1,
            open: true,
            failures: Vec::new(),
        }
    }

    /// The first attempt has not answered in time.
    pub(super) async fn slow(mut self, first: First<'a>, delay: Duration) -> Result<Response> {
        self.first = Some(first);
        self.send(None);
        self.run(delay).await
    }

    /// The first attempt has failed before it was late.
    pub(super) async fn failed(mut self, error: Error, delay: Duration) -> Result<Response> {
        self.lost(error, false)?;
        self.run(delay).await
    }

    async fn run(mut self, delay: Duration) -> Result<Response> {
        let mut at = Instant::now() + delay;
        while self.first.is_some() || !self.hedges.is_empty() {
            tokio::select! {
                biased;
                answer = one(&mut self.first) => {
                    self.first = None;
                    match answer {
                        Ok(response) => return Ok(self.won(response, true)),
                        Err(error) => self.lost(error, false)?,
                    }
                }
                Some(answer) = self.hedges.next() => match answer {
                    Ok(response) => {
                        self.hedge.counts.won.fetch_add(1, Ordering::Relaxed);
                        // So long the first has taken at least, unless it failed.
                        let late = self.first.is_some();
                        return Ok(self.won(response, late));
                    }
                    Err(error) => {
                        // It cost nothing: what was set aside for it is given back.
                        drop(self.extras.pop());
                        self.lost(error, true)?;
                    }
                },
                () = tokio::time::sleep_until(at), if self.open => {
                    self.send(None);
                    at = Instant::now() + delay;
                }
            }
        }
        Err(self.give_up())
    }

    /// Sends another attempt if that is allowed; `after` is the failure that makes it come early.
    fn send(&mut self, after: Option<ErrorKind>) {
        let Some(extra) = self.hedge.allow(&self.request, self.context) else {
            self.open = false;
            return;
        };
        self.extras.push(extra);
        self.sent += 1;
        self.open = self.sent <= self.hedge.config.max_hedges;
        self.hedge.counts.sent.fetch_add(1, Ordering::Relaxed);
        let elapsed = self.began.elapsed();
        self.context.emit(&Event::Hedged { attempt: self.sent, after, elapsed });
        let call = attempt(self.request.clone(), self.context, self.next);
        self.hedges.push(Box::pin(call));
    }

    /// An attempt failed. `Err` when that is final.
    fn lost(&mut self, error: Error, hedge: bool) -> Result<()> {
        match then(&error, hedge) {
            Then::Fail => return Err(error),
            Then::Last => self.open = false,
            Then::Hedge if self.open => self.send(Some(error.kind())),
            Then::Hedge => {}
        }
        self.failures.push(error);
        Ok(())
    }

    /// The others are dropped when this returns.
    fn won(self, mut response: Response, learn: bool) -> Response {
        if learn {
            self.hedge.learned.record(Kind::of(&self.request), self.began.elapsed());
        }
        let made = self.sent.max(self.context.budget().attempts_taken());
        response.report.attempts = response.report.attempts.max(made);
        response
    }

    /// The last failure that was about the call and not about sending it, with all of them listed.
    fn give_up(mut self) -> Error {
        let list: Vec<Attempt> = self.failures.iter().map(|error| summary(UNNAMED, error)).collect();
        let real = self.failures.iter().rposition(|error| !not_sent(error));
        let last = real.unwrap_or(0);
        let error = self.failures.swap_remove(last);
        if list.len() > 1 && error.attempts().is_empty() { error.with_attempts(list) } else { error }
    }
}

/// However it ends, also when the caller leaves: what the attempts that are dropped are taken to have cost is spent, because
/// they were on their way.
impl Drop for Race<'_> {
    fn drop(&mut self) {
        let losers = usize::from(self.first.is_some()) + self.hedges.len();
        self.extras.drain(..).take(losers).for_each(Extra::spend);
    }
}

async fn one(first: &mut Option<First<'_>>) -> Result<Response> {
    match first {
        Some(first) => first.await,
        None => std::future::pending().await,
    }
}

/// Whether one of ours refused it: it was not sent, and says nothing about the call.
fn not_sent(error: &Error) -> bool {
    error.kind() == ErrorKind::Exhausted || error.is_unsent() && is_refusal(error)
}

fn then(error: &Error, hedge: bool) -> Then {
    match error.remedy() {
        _ if hedge && not_sent(error) => Then::Last,
        Remedy::Stop => Then::Fail,
        Remedy::Retry if error.retry_after().is_none() && !not_sent(error) => Then::Hedge,
        _ => Then::Last,
    }
}
