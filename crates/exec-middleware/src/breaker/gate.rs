//! The state machine, shared: what a closed breaker is asked is answered without its lock.
//!
//! One word says generation, closed, and whether a success would change anything. It is written under the lock and read
//! without it. Whoever reads an old one took its pass, or succeeded, just before the change.

use std::time::Duration;

use super::state::{Admission, Change, Machine, Pass, State, Tally};
use super::window::Sample;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

const CLOSED: u64 = 1;
const CLEAN: u64 = 2;
const GENERATION: u32 = 2;

/// A [`Machine`] for many callers.
#[derive(Debug)]
pub(crate) struct Gate {
    word: AtomicU64,
    /// Successes that only had to be counted.
    quiet: AtomicU64,
    machine: Mutex<Machine>,
}

impl Gate {
    pub(crate) fn new(machine: Machine) -> Self {
        Self { word: AtomicU64::new(word(&machine)), quiet: AtomicU64::new(0), machine: Mutex::new(machine) }
    }

    /// A pass of a closed breaker, without the lock.
    #[inline]
    pub(crate) fn closed(&self) -> Option<Pass> {
        let word = self.word.load(Ordering::Acquire);
        (word & CLOSED != 0).then_some(Pass { generation: word >> GENERATION })
    }

    /// Counts a success that changes nothing else, without the lock. Says whether it was one.
    #[inline]
    pub(crate) fn count(&self, pass: Pass) -> bool {
        let clean = (pass.generation << GENERATION) | CLOSED | CLEAN;
        let quiet = self.word.load(Ordering::Acquire) == clean;
        if quiet {
            self.quiet.fetch_add(1, Ordering::Relaxed);
        }
        quiet
    }

    pub(crate) fn admit(&self, clock: impl FnOnce() -> Duration) -> Admission {
        if let Some(pass) = self.closed() {
            return Admission { pass: Ok(pass), change: None };
        }
        let now = clock();
        self.with(|machine| machine.admit(now))
    }

    pub(crate) fn record(&self, pass: Pass, sample: Sample, clock: impl Fn() -> Duration) -> Option<Change> {
        if sample == Sample::default() && self.count(pass) {
            return None;
        }
        self.with(|machine| machine.record(pass, sample, clock))
    }

    pub(crate) fn release(&self, pass: Pass) {
        self.with(|machine| machine.release(pass));
    }

    pub(crate) fn state(&self) -> State {
        lock(&self.machine).state()
    }

    /// What was counted, with what the machine was not asked about.
    pub(crate) fn tally(&self, now: Duration) -> (Option<Duration>, Tally) {
        let (left, mut tally) = lock(&self.machine).tally(now);
        tally.succeeded += self.quiet.load(Ordering::Relaxed);
        (left, tally)
    }

    pub(crate) fn reset(&self, now: Duration) -> Option<Change> {
        self.with(|machine| {
            self.quiet.store(0, Ordering::Relaxed);
            machine.reset(now)
        })
    }

    /// Changes the machine and publishes what became of it.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Machine) -> R) -> R {
        let mut machine = lock(&self.machine);
        let before = word(&machine);
        let result = f(&mut machine);
        let after = word(&machine);
        if before != after {
            self.word.store(after, Ordering::Release);
        }
        result
    }
}

fn word(machine: &Machine) -> u64 {
    let closed = if machine.state() == State::Closed { CLOSED } else { 0 };
    let clean = if machine.is_clean() { CLEAN } else { 0 };
    (machine.generation() << GENERATION) | closed | clean
}
