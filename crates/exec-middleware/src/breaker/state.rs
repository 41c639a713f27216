//! The three states of a breaker and what leads from one to the next. Pure: time and randomness come from outside.
//!
//! Every permit carries the generation it was given in, and every transition begins a new one. What an older generation
//! reports changes nothing, so a call that began before an outage can neither end it nor lengthen it.

use std::time::Duration;

use super::rules::Rules;
use super::window::{Counts, Sample, Window};
use crate::random;

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Lets every call through.
    #[default]
    Closed,
    /// Refuses every call.
    Open,
    /// Lets a few calls through, to see whether they succeed.
    HalfOpen,
}

impl State {
    /// The stable name used in events and metrics: `half_open`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// The right to make one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) generation: u64,
}

/// A transition. `number` counts them, so that they can be told in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) number: u64,
    pub(crate) state: State,
}

/// What came of asking for a pass: one, or how long to wait if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) pass: Result<Pass, Option<Duration>>,
    pub(crate) change: Option<Change>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Closed,
    /// Without `until`: opened by hand, until it is closed by hand.
    Open {
        since: Duration,
        until: Option<Duration>,
    },
    HalfOpen(Trial),
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    since: Duration,
    out: u32,
    good: u32,
    bad: u32,
}

impl Trial {
    fn begin(since: Duration) -> Self {
        Self { since, out: 0, good: 0, bad: 0 }
    }
}

/// What was counted since the beginning or the last reset.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    pub(crate) slow: u64,
    pub(crate) unrecorded: u64,
    pub(crate) outdated: u64,
    pub(crate) rejected: u64,
    pub(crate) opened: u64,
    pub(crate) open_time: Duration,
    pub(crate) last_failure: Option<Duration>,
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct Machine {
    rules: Rules,
    phase: Phase,
    generation: u64,
    window: Option<Window>,
    streak: u32,
    /// How often it failed to close since it was last closed.
    cycles: u32,
    random: u64,
    changes: u64,
    tally: Tally,
}

impl Machine {
    pub(crate) fn new(rules: Rules, seed: u64) -> Self {
        Self {
            window: rules.rated().then(|| Window::new(rules.span)),
            rules,
            phase: Phase::Closed,
            generation: 0,
            streak: 0,
            cycles: 0,
            random: seed,
            changes: 0,
            tally: Tally::default(),
        }
    }

    pub(crate) fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen(_) => State::HalfOpen,
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether a success would change nothing but its count.
    pub(crate) fn is_clean(&self) -> bool {
        matches!(self.phase, Phase::Closed) && self.window.is_none() && self.streak == 0
    }

    /// Asks for a pass. This is where an open breaker begins to try, and where a trial without an answer ends.
    pub(crate) fn admit(&mut self, now: Duration) -> Admission {
        let mut change = None;
        match self.phase {
            Phase::Open { until: Some(until), .. } if now >= until => {
                change = Some(self.enter(Phase::HalfOpen(Trial::begin(now)), now));
            }
            Phase::HalfOpen(trial) if now.saturating_sub(trial.since) >= self.rules.half_open => {
                change = self.expire(trial, now);
            }
            _ => {}
        }
        Admission { pass: self.take(now), change }
    }

    fn take(&mut self, now: Duration) -> Result<Pass, Option<Duration>> {
        let pass = Pass { generation: self.generation };
        let wait = match &mut self.phase {
            Phase::Closed => return Ok(pass),
            Phase::HalfOpen(trial) if trial.out + trial.good + trial.bad < self.rules.probes => {
                trial.out += 1;
                return Ok(pass);
            }
            Phase::HalfOpen(trial) => {
                let left = self.rules.half_open.saturating_sub(now.saturating_sub(trial.since));
                Some(left.min(self.rules.open))
            }
            Phase::Open { until, .. } => until.map(|until| until.saturating_sub(now)),
        };
        self.tally.rejected += 1;
        Err(wait)
    }

    /// A trial that is too old has failed if somebody owes an answer. If nobody does, nobody called: it begins anew.
    fn expire(&mut self, trial: Trial, now: Duration) -> Option<Change> {
        if trial.out > 0 {
            return Some(self.fail_trial(now));
        }
        self.generation += 1;
        self.phase = Phase::HalfOpen(Trial::begin(now));
        None
    }

    /// Takes the result of a call. Reads `clock` only when it must.
    pub(crate) fn record(
        &mut self,
        pass: Pass,
        sample: Sample,
        clock: impl Fn() -> Duration,
    ) -> Option<Change> {
        if pass.generation != self.generation {
            self.tally.outdated += 1;
            return None;
        }
        self.count(sample, &clock);
        match &mut self.phase {
            Phase::Closed => self.record_closed(sample, clock),
            Phase::HalfOpen(trial) => {
                trial.out = trial.out.saturating_sub(1);
                let bad = sample.failed || sample.slow;
                trial.bad += u32::from(bad);
                trial.good += u32::from(!bad);
                let trial = *trial;
                self.judge(trial, clock)
            }
            // The transition that opened it began a new generation, of which nobody has a pass.
            Phase::Open { .. } => None,
        }
    }

    fn count(&mut self, sample: Sample, clock: impl Fn() -> Duration) {
        if sample.failed {
            self.tally.failed += 1;
            self.tally.last_failure = Some(clock());
        } else {
            self.tally.succeeded += 1;
        }
        self.tally.slow += u64::from(sample.slow);
    }

    fn record_closed(&mut self, sample: Sample, clock: impl Fn() -> Duration) -> Option<Change> {
        self.streak = if sample.failed { self.streak.saturating_add(1) } else { 0 };
        let counts = self.window.as_mut().map(|window| window.record(sample, &clock)).unwrap_or_default();
        self.rules.trips(self.streak, counts).then(|| self.open(self.rules.open, clock()))
    }

    /// Decides as soon as the probes that are still missing cannot change the decision.
    fn judge(&mut self, trial: Trial, clock: impl Fn() -> Duration) -> Option<Change> {
        if trial.good >= self.rules.needed {
            return Some(self.enter(Phase::Closed, clock()));
        }
        (trial.bad > self.rules.probes - self.rules.needed).then(|| self.fail_trial(clock()))
    }

    /// Gives a pass back unused: nothing is recorded.
    pub(crate) fn release(&mut self, pass: Pass) {
        if pass.generation != self.generation {
            self.tally.outdated += 1;
            return;
        }
        self.tally.unrecorded += 1;
        if let Phase::HalfOpen(trial) = &mut self.phase {
            trial.out = trial.out.saturating_sub(1);
        }
    }

    fn fail_trial(&mut self, now: Duration) -> Change {
        self.cycles = self.cycles.saturating_add(1);
        let random = self.next_random();
        self.open(self.rules.open_time(self.cycles, random), now)
    }

    fn open(&mut self, time: Duration, now: Duration) -> Change {
        self.enter(Phase::Open { since: now, until: Some(now.saturating_add(time)) }, now)
    }

    /// Opens it until it is closed by hand.
    pub(crate) fn force_open(&mut self, now: Duration) -> Option<Change> {
        if let Phase::Open { until, .. } = &mut self.phase {
            *until = None;
            return None;
        }
        Some(self.enter(Phase::Open { since: now, until: None }, now))
    }

    pub(crate) fn force_close(&mut self, now: Duration) -> Option<Change> {
        (self.state() != State::Closed).then(|| self.enter(Phase::Closed, now))
    }

    /// Closes it and forgets everything, the results of calls under way included.
    pub(crate) fn reset(&mut self, now: Duration) -> Option<Change> {
        let change = self.force_close(now);
        self.generation += u64::from(change.is_none());
        self.forget();
        self.tally = Tally::default();
        change
    }

    fn enter(&mut self, phase: Phase, now: Duration) -> Change {
        if let Phase::Open { since, .. } = self.phase {
            self.tally.open_time = self.tally.open_time.saturating_add(now.saturating_sub(since));
        }
        self.generation += 1;
        self.changes += 1;
        self.phase = phase;
        match phase {
            Phase::Closed => self.forget(),
            Phase::Open { .. } => self.tally.opened += 1,
            Phase::HalfOpen(_) => {}
        }
        Change { number: self.changes, state: self.state() }
    }

    fn forget(&mut self) {
        (self.streak, self.cycles) = (0, 0);
        if let Some(window) = &mut self.window {
            window.clear();
        }
    }

    /// How many failures in a row there were, what the window holds, and how many probes are under way.
    pub(crate) fn look(&mut self, now: Duration) -> (u32, Counts, u32) {
        let counts = self.window.as_mut().map(|window| window.counts(now)).unwrap_or_default();
        let probes = if let Phase::HalfOpen(trial) = self.phase { trial.out } else { 0 };
        (self.streak, counts, probes)
    }

    /// How long it stays open, and what was counted so far.
    pub(crate) fn tally(&self, now: Duration) -> (Option<Duration>, Tally) {
        let mut tally = self.tally;
        let Phase::Open { since, until } = self.phase else { return (None, tally) };
        tally.open_time = tally.open_time.saturating_add(now.saturating_sub(since));
        (until.map(|until| until.saturating_sub(now)), tally)
    }

    /// From 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a number between 0 and 1 can hold")]
    fn next_random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(random::STEP);
        (random::mix(self.random) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
