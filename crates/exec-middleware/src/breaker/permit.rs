//! The right to make one call, and the duty to say what came of it.

use std::sync::Arc;
use std::time::Duration;

use exec_core::Context;
use tokio::time::Instant;

use super::gate::Gate;
use super::state::{Admission, Pass};
use super::tell::Teller;
use super::verdict::Verdict;
use super::window::Sample;

/// What all handles of one breaker share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) gate: Gate,
    pub(crate) teller: Teller,
    pub(crate) slow: Option<Duration>,
    pub(crate) origin: Instant,
}

impl Core {
    /// The time since the breaker was made: the only clock the machine knows.
    pub(crate) fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }
}

/// A permit of a [`CircuitBreaker`](super::CircuitBreaker).
///
/// Dropped without a word it gives its place back and records nothing, so a call that is cancelled says nothing about the
/// one it called. Dropped by a panic it records a failure.
#[derive(Debug)]
#[must_use = "a permit that is dropped records nothing"]
pub struct Permit<'a> {
    core: Hold<'a, Arc<Core>>,
    context: Option<Hold<'a, Context>>,
    pass: Pass,
    started: Option<Instant>,
    slow: bool,
    over: bool,
}

/// Borrowed for as long as a call, owned for as long as a body.
#[derive(Debug)]
enum Hold<'a, T> {
    Borrowed(&'a T),
    Owned(Box<T>),
}

impl<T: Clone> Hold<'_, T> {
    #[inline]
    fn get(&self) -> &T {
        match self {
            Self::Borrowed(it) => it,
            Self::Owned(it) => it,
        }
    }

    fn into_owned(self) -> Hold<'static, T> {
        match self {
            Self::Borrowed(it) => Hold::Owned(Box::new(it.clone())),
            Self::Owned(it) => Hold::Owned(it),
        }
    }
}

impl<'a> Permit<'a> {
    /// A permit, or how long to wait for one if that is known.
    #[inline]
    pub(super) fn ask(core: &'a Arc<Core>, context: Option<&'a Context>) -> Result<Self, Option<Duration>> {
        match core.gate.closed() {
            Some(pass) => Ok(Self::of(pass, core, context)),
            None => Self::ask_locked(core, context),
        }
    }

    #[cold]
    fn ask_locked(core: &'a Arc<Core>, context: Option<&'a Context>) -> Result<Self, Option<Duration>> {
        let Admission { pass, change } = core.gate.admit(|| core.now());
        // Made before anybody is told: if telling panics, the place is given back.
        let permit = pass.map(|pass| Self::of(pass, core, context));
        if let Some(change) = change {
            core.teller.tell(change, context);
        }
        permit
    }

    #[inline]
    fn of(pass: Pass, core: &'a Arc<Core>, context: Option<&'a Context>) -> Self {
        Self {
            core: Hold::Borrowed(core),
            context: context.map(Hold::Borrowed),
            pass,
            started: core.slow.map(|_| Instant::now()),
            slow: false,
            over: false,
        }
    }

    /// The same permit, held for longer than the call.
    pub fn into_owned(mut self) -> Permit<'static> {
        self.over = true;
        Permit {
            core: Hold::Owned(Box::new(self.core.get().clone())),
            context: self.context.take().map(Hold::into_owned),
            pass: self.pass,
            started: self.started,
            slow: self.slow,
            over: false,
        }
    }

    /// The answer begins now: the time until here is what makes a call slow, not how long its body takes to read.
    pub fn answered(&mut self) {
        if let Some(started) = self.started.take() {
            self.slow = self.core.get().slow.is_some_and(|slow| started.elapsed() >= slow);
        }
    }

    /// The call succeeded.
    #[inline]
    pub fn success(mut self) {
        let simple = self.core.get().slow.is_none();
        self.over = simple && self.core.get().gate.count(self.pass);
        if !self.over {
            self.finish(Verdict::Success);
        }
    }

    /// The call failed.
    pub fn failure(self) {
        self.settle(Verdict::Failure);
    }

    /// The call ended as `verdict` says.
    pub fn settle(mut self, verdict: Verdict) {
        self.finish(verdict);
    }

    #[cold]
    fn abandon(&mut self) {
        let broken = std::thread::panicking();
        self.finish(if broken { Verdict::Failure } else { Verdict::Ignored });
    }

    fn finish(&mut self, verdict: Verdict) {
        self.over = true;
        let failed = match verdict {
            Verdict::Ignored => return self.core.get().gate.release(self.pass),
            Verdict::Failure => true,
            Verdict::Success => false,
        };
        self.answered();
        let core = self.core.get();
        let sample = Sample { failed, slow: self.slow };
        if let Some(change) = core.gate.record(self.pass, sample, || core.now()) {
            core.teller.tell(change, self.context.as_ref().map(Hold::get));
        }
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.over {
            self.abandon();
        }
    }
}
