//! How it ended for a pipe, and how many ended how.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::pipe::PipeIndex;

/// How it ended for a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status<E> {
    /// It did its work.
    Success,
    /// Its last attempt failed.
    Failed(Failure<E>),
    /// It did not work, and that is in order.
    Skipped(Skip),
    /// It was running, or ready to, when the run stopped. Names the failed pipe that stopped the run, if one did.
    Cancelled(Option<PipeIndex>),
    /// The run stopped before it was its turn.
    NotRun,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure<E> {
    /// The runner said so.
    Error(E),
    /// It took longer than this and was dropped.
    Timeout(Duration),
    /// It panicked, with this message.
    Panic(String),
}

/// Why a pipe was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skip {
    /// It found nothing to do. Its dependents run.
    NoData,
    /// Something it depends on, directly or not, failed: this pipe, the first by name if several did.
    Upstream(PipeIndex),
}

impl<E> Failure<E> {
    /// `Error`, `Timeout` or `Panic`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Error(_) => "Error",
            Self::Timeout(_) => "Timeout",
            Self::Panic(_) => "Panic",
        }
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(out),
            Self::Timeout(limit) => write!(out, "took longer than {limit:?}"),
            Self::Panic(message) => write!(out, "panicked: {message}"),
        }
    }
}

impl<E> Status<E> {
    /// `success`, `failed`, `skipped`, `cancelled` or `not_run`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
            Self::Cancelled(_) => "cancelled",
            Self::NotRun => "not_run",
        }
    }

    /// The pipe that is to blame, if it is another one.
    #[must_use]
    pub fn blamed(&self) -> Option<PipeIndex> {
        match self {
            Self::Skipped(Skip::Upstream(pipe)) => Some(*pipe),
            Self::Cancelled(pipe) => *pipe,
            _ => None,
        }
    }
}

/// How many pipes ended how. Together they are all pipes there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Totals {
    /// Did their work.
    pub success: usize,
    /// Failed.
    pub failed: usize,
    /// Were skipped.
    pub skipped: usize,
    /// Were running, or ready to, when the run stopped.
    pub cancelled: usize,
    /// Were not reached.
    pub not_run: usize,
}

impl Totals {
    pub(crate) fn add<E>(&mut self, status: &Status<E>) {
        let count = match status {
            Status::Success => &mut self.success,
            Status::Failed(_) => &mut self.failed,
            Status::Skipped(_) => &mut self.skipped,
            Status::Cancelled(_) => &mut self.cancelled,
            Status::NotRun => &mut self.not_run,
        };
        *count += 1;
    }

    /// All of them.
    #[must_use]
    pub fn sum(&self) -> usize {
        self.success + self.failed + self.skipped + self.cancelled + self.not_run
    }

    /// Whether every pipe did its work or was skipped.
    #[must_use]
    pub fn all_succeeded(&self) -> bool {
        self.success + self.skipped == self.sum()
    }
}
