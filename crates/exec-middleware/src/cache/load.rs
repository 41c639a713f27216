//! One call for all who share it: asks, tells its news, and keeps what may be kept before it tells the end.

use std::sync::Arc;
use std::time::Duration;

use exec_core::{
    Chunk, Chunks, Context, Error, ErrorKind, Event, Executor, Finish, Pipeline, Report, Request, Response,
    Summary,
};
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::core::{Core, Look};
use super::entry::{Body, Entry, OVERHEAD, chunk_weight};
use super::flights::{News, Place, Source};
use super::key::Key;
use super::rules::Rule;

/// Everything a call needs to go on without the caller who began it.
pub(super) struct Load {
    pub(super) core: Arc<Core>,
    pub(super) key: Key,
    pub(super) rule: Rule,
    pub(super) request: Request,
    /// Without the deadline and the cancellation of any caller.
    pub(super) context: Context,
    pub(super) rest: Pipeline,
    /// Whether the answer is to be kept.
    pub(super) fill: bool,
    pub(super) why: Why,
}

/// Why a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// There was no answer.
    Miss,
    /// The caller wants a new one.
    Refresh,
    /// The answer there is has become old.
    Revalidate,
}

enum Stage {
    Call,
    Body(Chunks, Record),
    Over,
}

impl Load {
    /// The news of the call, which begins when they are first polled. The `place` is given up when its end is known.
    pub(super) fn news(self, place: Place) -> Source {
        let born = self.core.marks.now();
        stream::unfold((Stage::Call, self, Some(place)), move |(stage, load, mut place)| async move {
            let (news, stage) = match stage {
                Stage::Call => load.call(born).await,
                Stage::Body(chunks, record) => load.piece(chunks, record, born).await?,
                Stage::Over => return None,
            };
            if matches!(stage, Stage::Over) {
                place = None;
            }
            Some((news, (stage, load, place)))
        })
        .boxed()
    }

    async fn call(&self, born: u64) -> (News, Stage) {
        // Between looking for the answer and coming here somebody may have kept it.
        if self.why == Why::Miss
            && let Look::Fresh(entry) = self.core.look(&self.key, &self.context).await
        {
            return (News::Found(entry), Stage::Over);
        }
        if self.why != Why::Revalidate {
            self.core.count.misses.one();
            self.context.emit(&Event::CacheMiss);
        }
        match self.rest.execute(self.request.clone(), &self.context).await {
            Err(error) => {
                self.keep_failure(&error, born).await;
                (News::Failed(error), Stage::Over)
            }
            Ok(response) => self.answered(response, born).await,
        }
    }

    async fn answered(&self, response: Response, born: u64) -> (News, Stage) {
        let report = Arc::new(response.report.clone());
        let Some(output) = response.output() else {
            let record = Record { chunks: Vec::new(), weight: 0, report: report.clone() };
            return (News::Began(report), Stage::Body(response.into_chunks(), record));
        };
        let summary = output.summary.clone();
        let received = response.as_received().map(|(wire, bytes)| (wire, bytes.clone()));
        let body = Body::Whole(Arc::new(output.clone()), received);
        if is_whole(&summary) {
            self.keep(body.clone(), &report, &summary, born, self.core.rules.ttl(&self.request, self.rule))
                .await;
        }
        (News::Whole(body, report), Stage::Over)
    }

    async fn piece(&self, mut chunks: Chunks, mut record: Record, born: u64) -> Option<(News, Stage)> {
        match chunks.next().await? {
            Err(error) => Some((News::Failed(error), Stage::Over)),
            Ok(chunk) => {
                if self.fill {
                    record.add(&chunk, self.room());
                }
                let Chunk::End(summary) = &chunk else {
                    return Some((News::Piece(chunk), Stage::Body(chunks, record)));
                };
                if is_whole(summary) {
                    let body = Body::Pieces(record.chunks.into());
                    let ttl = self.core.rules.ttl(&self.request, self.rule);
                    self.keep(body, &record.report, summary, born, ttl).await;
                }
                Some((News::Piece(chunk), Stage::Over))
            }
        }
    }

    pub(super) fn room(&self) -> usize {
        usize::try_from(self.core.rules.config.max_entry_bytes).unwrap_or(usize::MAX)
    }

    async fn keep(&self, body: Body, report: &Arc<Report>, summary: &Summary, born: u64, ttl: Duration) {
        if !self.fill || ttl.is_zero() {
            return;
        }
        let empty = matches!(&body, Body::Pieces(chunks) if chunks.is_empty());
        let weight = body.weight() + OVERHEAD;
        let entry = Entry {
            subject: self.core.rules.subject(&self.request, &self.context, self.rule),
            kept_at: Instant::now(),
            ttl,
            grace: self.core.rules.grace(),
            weight: weight as u64,
            body,
            report: report.clone(),
            cost: summary.cost,
            born,
        };
        let unfit = empty || report.degraded || weight > self.room();
        if unfit || !self.core.marks.good(born, &entry.subject) {
            self.core.count.refused.one();
            return;
        }
        let entry = Arc::new(entry);
        if self.core.ask(&self.context, self.core.store.put(&self.key, entry)).await.is_some() {
            self.core.count.stored.one();
        }
    }

    async fn keep_failure(&self, error: &Error, born: u64) {
        let Some(ttl) = self.core.rules.config.negative_ttl.filter(|_| is_final(error)) else { return };
        let body = Body::Failure(Arc::new(error.clone()));
        self.keep(body, &Arc::default(), &Summary::default(), born, ttl).await;
    }
}

/// Whether the answer is what the same request should get again: not one that was withheld, or paused.
fn is_whole(summary: &Summary) -> bool {
    matches!(summary.finish, Finish::Stop | Finish::Length | Finish::ToolCalls)
}

/// Whether the same request will always fail so, whoever asks and whenever.
fn is_final(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidRequest
            | ErrorKind::NotFound
            | ErrorKind::Unsupported
            | ErrorKind::TooLarge
            | ErrorKind::ContextLength
            | ErrorKind::ContentFiltered
    )
}

/// The pieces so far; none once they are too many, or not of one provider.
struct Record {
    chunks: Vec<Chunk>,
    weight: usize,
    report: Arc<Report>,
}

impl Record {
    fn add(&mut self, chunk: &Chunk, room: usize) {
        // What began with another is told in full to those who wait now, and not kept: a report is one provider's.
        let more = if matches!(chunk, Chunk::Handover(_)) { usize::MAX } else { chunk_weight(chunk) };
        self.weight = self.weight.saturating_add(more);
        if self.weight > room {
            self.chunks = Vec::new();
        } else {
            self.chunks.push(chunk.clone());
        }
    }
}
