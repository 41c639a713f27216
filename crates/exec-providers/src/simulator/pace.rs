//! When each piece of an answer is due, and where the answer breaks: pulled by its reader, without a task of its own.

use std::sync::Arc;
use std::time::Duration;

use exec_core::{Chunk, Error, ErrorKind, Result, Summary};
use futures_util::{Stream, stream};
use tokio::time::Instant;

use super::config::SimulatorConfig;
use super::fault::Fault;
use super::rng::Rng;

/// How long the waits are.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    first: Duration,
    gap: Duration,
    jitter: f64,
    rng: Rng,
}

impl Pace {
    pub(super) fn new(config: &SimulatorConfig, rng: Rng) -> Self {
        // A rate too small for a duration to express is as good as no further token.
        let gap = match config.tokens_per_second {
            rate if rate > 0.0 => Duration::try_from_secs_f64(1.0 / rate).unwrap_or(FOREVER),
            _ => Duration::ZERO,
        };
        Self { first: config.latency.first_chunk, gap, jitter: config.latency.jitter, rng }
    }

    fn jittered(&mut self, wait: Duration) -> Duration {
        let factor = 1.0 + self.jitter * (2.0 * self.rng.unit() - 1.0);
        Duration::try_from_secs_f64(wait.as_secs_f64() * factor).unwrap_or(FOREVER).min(FOREVER)
    }

    /// The wait for the first chunk; to be asked once, before the gaps.
    pub(super) fn first(&mut self) -> Duration {
        self.jittered(self.first)
    }

    fn gap(&mut self) -> Duration {
        self.jittered(self.gap)
    }
}

/// Longer than anybody waits, and short enough to be added to any time.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// `from` and then `wait`.
pub(super) fn later(from: Instant, wait: Duration) -> Instant {
    from + wait.min(FOREVER)
}

/// A complete answer before it is paced: a pure function of the call.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    /// A token each.
    pub(super) pieces: Vec<Chunk>,
    pub(super) summary: Summary,
}

/// Where an answer breaks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Breaks {
    stall: Option<(usize, Duration)>,
    end: Option<(usize, Broken)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Broken {
    Cut,
    Malformed,
}

impl Breaks {
    /// Of several faults of one kind the last counts. A place behind the last piece is the one before the end.
    fn of(faults: &[Fault], pieces: usize) -> Self {
        let at = |after: u32| usize::try_from(after).map_or(pieces, |after| after.min(pieces));
        let mut breaks = Self::default();
        for fault in faults {
            match *fault {
                Fault::Cut { after } => breaks.end = Some((at(after), Broken::Cut)),
                Fault::Malformed { after } => breaks.end = Some((at(after), Broken::Malformed)),
                Fault::NoEnd {} => breaks.end = Some((pieces, Broken::Cut)),
                Fault::Stall { after, wait } => breaks.stall = Some((at(after), wait)),
                _ => {}
            }
        }
        breaks
    }
}

/// One answer on its way.
#[derive(Debug)]
pub(super) struct Walk {
    provider: Arc<str>,
    pieces: std::vec::IntoIter<Chunk>,
    summary: Option<Summary>,
    at: usize,
    due: Instant,
    pace: Pace,
    breaks: Breaks,
}

impl Walk {
    /// `answer` with what `faults` do to it; its first piece is due at `due`.
    pub(super) fn new(
        provider: Arc<str>,
        answer: Answer,
        faults: &[Fault],
        due: Instant,
        pace: Pace,
    ) -> Self {
        let breaks = Breaks::of(faults, answer.pieces.len());
        let summary = Some(answer.summary);
        Self { provider, pieces: answer.pieces.into_iter(), summary, at: 0, due, pace, breaks }
    }

    /// The pieces, each when it is due. Between two of them nothing runs; dropping the stream ends it all.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Chunk>> + Send + 'static {
        stream::unfold(self, |mut walk| async move { walk.next().await.map(|item| (item, walk)) })
    }

    async fn next(&mut self) -> Option<Result<Chunk>> {
        let at = self.at;
        if let Some((_, wait)) = self.breaks.stall.take_if(|(stall, _)| *stall == at) {
            self.due = later(self.due.max(Instant::now()), wait);
        }
        self.wait().await;
        if let Some((_, broken)) = self.breaks.end.filter(|(end, _)| *end == at) {
            return Some(Err(self.error(broken)));
        }
        let Some(piece) = self.pieces.next() else { return Some(Ok(Chunk::End(self.summary.take()?))) };
        self.at += 1;
        // The end follows its last piece at once.
        if self.pieces.len() > 0 {
            self.due = later(self.due, self.pace.gap());
        }
        Some(Ok(piece))
    }

    async fn wait(&self) {
        if self.due > Instant::now() {
            tokio::time::sleep_until(self.due).await;
        } else {
            // A reader who never waits must not keep others on its thread from their turn.
            tokio::task::consume_budget().await;
        }
    }

    fn error(&self, broken: Broken) -> Error {
        let (message, code) = match broken {
            Broken::Cut => (
                "the simulator simulates a connection that breaks before the end of the answer",
                "stream_cut",
            ),
            Broken::Malformed => ("the simulator simulates an event that cannot be read", "malformed_event"),
        };
        Error::new(ErrorKind::Upstream, message).with_code(code).with_provider(self.provider.clone())
    }
}
