//! What happens to an execution, told as it happens.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::{Context, End, ErrorKind, Operation};

/// Something that happened. Names are a noun or a past verb; the sink adds who and when from the [`Context`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An execution began.
    Started {
        /// What is asked.
        operation: Operation,
        /// By the caller's name for it.
        model: Option<Arc<str>>,
    },
    /// Candidates were put in order.
    Ranked {
        /// Best first.
        order: Vec<Arc<str>>,
        /// Who was left out, and why.
        rejected: Vec<(Arc<str>, String)>,
    },
    /// A call left for a provider.
    Dispatched {
        /// To whom.
        provider: Arc<str>,
        /// The how-manieth of this execution, from 1.
        attempt: u32,
    },
    /// The first piece of the answer is here: the execution is committed to this provider.
    FirstChunk {
        /// Who answers.
        provider: Option<Arc<str>>,
        /// Since the execution began.
        elapsed: Duration,
    },
    /// The same provider is asked again.
    Retried {
        /// Why.
        kind: ErrorKind,
        /// After waiting this long.
        wait: Duration,
    },
    /// The call was sent once more while the attempts before it still run: the first with content wins.
    Hedged {
        /// The how-manieth attempt of the call, from 2.
        attempt: u32,
        /// How one of them failed; `None` when they are only slow.
        after: Option<ErrorKind>,
        /// Since the first of them began.
        elapsed: Duration,
    },
    /// Another provider is asked.
    FellBack {
        /// Who failed.
        from: Arc<str>,
        /// Who is asked now.
        to: Arc<str>,
        /// Why.
        kind: ErrorKind,
    },
    /// A kept answer was used.
    CacheHit,
    /// No kept answer was there.
    CacheMiss,
    /// A kept answer past its time was used.
    CacheStale,
    /// The place where answers are kept failed or was too slow. The call goes on without it.
    CacheFailed {
        /// How.
        kind: ErrorKind,
    },
    /// An equal call was already under way and is shared.
    Coalesced,
    /// A breaker opened, closed, or lets a probe through.
    BreakerChanged {
        /// Whose.
        provider: Arc<str>,
        /// `open`, `half_open` or `closed`.
        state: &'static str,
    },
    /// The call was refused to protect the rest.
    Shed {
        /// By which guard.
        guard: &'static str,
    },
    /// The execution is over. Told exactly once, also when the caller left.
    Ended {
        /// How.
        end: End,
        /// Since the execution began.
        elapsed: Duration,
    },
}

impl Event {
    /// The stable name used in logs and metrics: `first_chunk`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Ranked { .. } => "ranked",
            Self::Dispatched { .. } => "dispatched",
            Self::FirstChunk { .. } => "first_chunk",
            Self::Retried { .. } => "retried",
            Self::Hedged { .. } => "hedged",
            Self::FellBack { .. } => "fell_back",
            Self::CacheHit => "cache_hit",
            Self::CacheMiss => "cache_miss",
            Self::CacheStale => "cache_stale",
            Self::CacheFailed { .. } => "cache_failed",
            Self::Coalesced => "coalesced",
            Self::BreakerChanged { .. } => "breaker_changed",
            Self::Shed { .. } => "shed",
            Self::Ended { .. } => "ended",
        }
    }
}

/// Where events go. Called on the path of the execution: it must not wait, block or fail.
pub trait EventSink: Send + Sync + 'static {
    /// Takes note of `event`.
    fn emit(&self, context: &Context, event: &Event);
}

/// Writes every event to `tracing` at debug level, under the target `exec::event`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingSink;

impl EventSink for TracingSink {
    fn emit(&self, context: &Context, event: &Event) {
        tracing::debug!(target: "exec::event", id = %context.id(), event = event.name(), detail = ?event);
    }
}

/// Tells every event to each of several sinks, in order.
impl<S: EventSink> EventSink for Vec<S> {
    fn emit(&self, context: &Context, event: &Event) {
        for sink in self {
            sink.emit(context, event);
        }
    }
}

impl<S: EventSink + ?Sized> EventSink for Arc<S> {
    fn emit(&self, context: &Context, event: &Event) {
        (**self).emit(context, event);
    }
}
