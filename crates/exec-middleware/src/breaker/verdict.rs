//! What of a call's outcome is held against whom: the provider's failures count, its caller's mistakes do not.

use exec_core::{Error, ErrorKind, Remedy};

/// What an outcome says about the one who was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// Nothing.
    Ignored,
}

/// Judges outcomes. The default methods are what a breaker does unless told otherwise.
pub trait Classify: Send + Sync + 'static {
    /// What `error`, of a call that has no answer, says.
    ///
    /// A failure is what could not be reached, what answered with a failure, what broke, what was overloaded, and what
    /// was too slow for its own time limit. Ignored are a caller's mistakes, spent quotas, calls that were cancelled or
    /// ran out of their caller's time, and calls that a guard of ours refused.
    fn error(&self, error: &Error) -> Verdict {
        match error.kind() {
            ErrorKind::DeadlineExceeded if error.remedy() == Remedy::Stop => Verdict::Ignored,
            _ if is_refusal(error) => Verdict::Ignored,
            kind => by_kind(kind),
        }
    }

    /// What a body that broke says. `in_time` is false when its caller's deadline has passed.
    fn body(&self, kind: ErrorKind, in_time: bool) -> Verdict {
        if kind == ErrorKind::DeadlineExceeded && !in_time { Verdict::Ignored } else { by_kind(kind) }
    }
}

/// Whether a guard of ours had no room for the call, or a breaker was open: that says nothing about who was to be called.
pub(crate) fn is_refusal(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Overloaded => error.is_unsent(),
        ErrorKind::Unavailable => error.code() == super::CODE,
        _ => false,
    }
}

fn by_kind(kind: ErrorKind) -> Verdict {
    match kind {
        ErrorKind::Unavailable
        | ErrorKind::Upstream
        | ErrorKind::Overloaded
        | ErrorKind::DeadlineExceeded
        | ErrorKind::Internal => Verdict::Failure,
        _ => Verdict::Ignored,
    }
}

/// The judgement of a breaker that was told nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByKind;

impl Classify for ByKind {}
