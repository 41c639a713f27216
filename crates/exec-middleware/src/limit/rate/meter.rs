//! One allowance of one key: what both kinds of counting can do. Pure: time is nanoseconds handed in.

use super::gcra::Gcra;
use super::log::Log;

/// Nanoseconds since the limiter was made.
pub(super) type Nanos = u64;

/// What a meter holds against, the same for all keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rule {
    /// So much within a window.
    pub(super) limit: u64,
    pub(super) window: Nanos,
    pub(super) mode: Mode,
    /// GCRA only: so much at once.
    pub(super) burst: u64,
}

/// How it is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A sliding log: never more than the limit in *any* window. Remembers what was admitted: 16 bytes for each admission
    /// in the window, at most 128 KiB for a key. Of a limit above 4096 what was admitted counts up to a 512th of the
    /// window longer than it must, for 32 KiB at most.
    #[default]
    Exact,
    /// GCRA, the leaky bucket as a meter: never more than `burst + limit * t / window` in any time `t`, so up to twice
    /// the limit in one window when the burst is the limit. 16 bytes for a key, and admissions are spread evenly.
    Smooth,
}

/// What has been taken from one allowance.
pub(super) trait Meter {
    /// How long until `amount` may be taken, 0 for now; `None` if it never may.
    fn wait(&mut self, rule: &Rule, now: Nanos, amount: u64) -> Option<Nanos>;
    /// Takes `amount`. Right after [`wait`](Self::wait) said 0.
    fn take(&mut self, rule: &Rule, now: Nanos, amount: u64);
    /// Gives back `amount` of the `held` that was taken at `at`, as far as it still counts.
    fn refund(&mut self, rule: &Rule, at: Nanos, held: u64, amount: u64, now: Nanos);
    /// Takes `amount` more than was allowed, which delays whoever comes later.
    fn charge(&mut self, rule: &Rule, now: Nanos, amount: u64);
    /// From when on nothing is held, if nothing more is taken: the state is then worth nothing.
    fn idle_at(&self, rule: &Rule) -> Nanos;
    /// How much may be taken now.
    fn left(&mut self, rule: &Rule, now: Nanos) -> u64;
}

/// A meter of either kind.
pub(super) enum State {
    Exact(Log),
    Smooth(Gcra),
}

impl State {
    pub(super) fn new(rule: &Rule) -> Self {
        match rule.mode {
            Mode::Exact => Self::Exact(Log::default()),
            Mode::Smooth => Self::Smooth(Gcra::default()),
        }
    }

    /// Replaces `held`, taken at `at`, by `actual`.
    pub(super) fn settle(&mut self, rule: &Rule, at: Nanos, held: u64, actual: u64, now: Nanos) {
        if actual > held {
            self.charge(rule, now, actual - held);
        } else if held > actual {
            self.refund(rule, at, held, held - actual, now);
        }
    }
}

/// By hand and not `dyn`: which it is, is known to be the same for all keys, and the branch costs nothing.
impl Meter for State {
    fn wait(&mut self, rule: &Rule, now: Nanos, amount: u64) -> Option<Nanos> {
        match self {
            Self::Exact(log) => log.wait(rule, now, amount),
            Self::Smooth(gcra) => gcra.wait(rule, now, amount),
        }
    }

    fn take(&mut self, rule: &Rule, now: Nanos, amount: u64) {
        match self {
            Self::Exact(log) => log.take(rule, now, amount),
            Self::Smooth(gcra) => gcra.take(rule, now, amount),
        }
    }

    fn refund(&mut self, rule: &Rule, at: Nanos, held: u64, amount: u64, now: Nanos) {
        match self {
            Self::Exact(log) => log.refund(rule, at, held, amount, now),
            Self::Smooth(gcra) => gcra.refund(rule, at, held, amount, now),
        }
    }

    fn charge(&mut self, rule: &Rule, now: Nanos, amount: u64) {
        match self {
            Self::Exact(log) => log.charge(rule, now, amount),
            Self::Smooth(gcra) => gcra.charge(rule, now, amount),
        }
    }

    fn idle_at(&self, rule: &Rule) -> Nanos {
        match self {
            Self::Exact(log) => log.idle_at(rule),
            Self::Smooth(gcra) => gcra.idle_at(rule),
        }
    }

    fn left(&mut self, rule: &Rule, now: Nanos) -> u64 {
        match self {
            Self::Exact(log) => log.left(rule, now),
            Self::Smooth(gcra) => gcra.left(rule, now),
        }
    }
}
