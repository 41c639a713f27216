//! What a breaker knows about itself.

use std::time::Duration;

use super::permit::Core;
use super::state::State;

/// A look at a breaker. Counted since it was made or reset.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// What it does with calls. An open one whose time is over stays open until the next call.
    pub state: State,
    /// How long it stays open; `None` when it is not open, or was opened by hand.
    pub open_for: Option<Duration>,
    /// Calls that succeeded.
    pub succeeded: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that were slow, whether they succeeded or not.
    pub slow: u64,
    /// Calls that said nothing: cancelled, or their caller's mistake.
    pub unrecorded: u64,
    /// Results that came too late to count: the state had changed meanwhile.
    pub outdated: u64,
    /// Calls that were refused.
    pub rejected: u64,
    /// How often it opened.
    pub opened: u64,
    /// How long it was open in all.
    pub open_time: Duration,
    /// How long ago the last call failed.
    pub last_failure: Option<Duration>,
    /// How many calls failed in a row, up to now.
    pub streak: u32,
    /// The results in its window.
    pub window_calls: u32,
    /// The share of failures in its window.
    pub failure_rate: f64,
    /// The share of slow calls in its window.
    pub slow_rate: f64,
    /// The probes under way.
    pub probes: u32,
}

impl Stats {
    pub(super) fn of(core: &Core) -> Self {
        let now = core.now();
        let (streak, window, probes) = core.gate.with(|machine| machine.look(now));
        let (open_for, tally) = core.gate.tally(now);
        Self {
            state: core.gate.state(),
            open_for,
            succeeded: tally.succeeded,
            failed: tally.failed,
            slow: tally.slow,
            unrecorded: tally.unrecorded,
            outdated: tally.outdated,
            rejected: tally.rejected,
            opened: tally.opened,
            open_time: tally.open_time,
            last_failure: tally.last_failure.map(|at| now.saturating_sub(at)),
            streak,
            window_calls: window.calls,
            failure_rate: window.failure_rate(),
            slow_rate: window.slow_rate(),
            probes,
        }
    }
}
