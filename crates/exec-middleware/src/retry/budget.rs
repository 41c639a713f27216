//! How many retries a process may make: a share of its requests, so that an outage is not made worse by repeating.
//!
//! The rule of Finagle and tower: every request deposits, every retry withdraws, and what is older than the `ttl` is
//! forgotten. A refused withdrawal fails at once and changes nothing.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use exec_core::FieldError;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The window is counted in so many slots.
const SLOTS: u64 = 10;
/// The clock is read once for so many requests.
const BATCH: u64 = 16;

/// The settings of a [`RetryBudget`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryBudgetConfig {
    /// So many retries within `ttl` are always allowed, for callers that ask seldom. Default 10.
    pub floor: u32,
    /// So many more for each request within `ttl`, 0 to 1. Default 0.1: in an outage one call in ten is a retry.
    pub ratio: f64,
    /// How long requests and retries are remembered; 1 s to 60 s. Default 10 s.
    #[serde(with = "exec_core::duration")]
    pub ttl: Duration,
}

impl Default for RetryBudgetConfig {
    fn default() -> Self {
        Self { floor: 10, ratio: 0.1, ttl: Duration::from_secs(10) }
    }
}

impl RetryBudgetConfig {
    /// Everything that is wrong with the settings; nothing when a budget can be made of them.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if !(0.0..=1.0).contains(&self.ratio) {
            errors.push(FieldError::new("ratio", "out_of_range", "must be between 0 and 1"));
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(60)).contains(&self.ttl) {
            errors.push(FieldError::new("ttl", "out_of_range", "must be between 1s and 60s"));
        }
        if self.floor == 0 && self.ratio <= 0.0 {
            let text = "with a ratio of 0 no retry is ever allowed";
            errors.push(FieldError::new("floor", "out_of_range", text));
        }
        errors
    }
}

/// A look at a [`RetryBudget`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryBudgetStats {
    /// The requests it remembers.
    pub requests: u64,
    /// The retries it remembers.
    pub retries: u64,
    /// So many more retries are allowed now.
    pub left: u64,
}

/// A budget of retries, shared by all its clones.
///
/// Within any `ttl` at most `floor + ratio * requests` retries are allowed. Requests are counted with a delay of at most
/// 15 requests and a tenth of the `ttl`, always so that fewer retries are allowed, never more.
///
/// Share one between the [`Retry`](crate::Retry) layers of neighbours; layers nested in each other each count a request.
#[derive(Clone)]
pub struct RetryBudget(Arc<Inner>);

struct Inner {
    config: RetryBudgetConfig,
    born: Instant,
    /// How long a slot is, in nanoseconds.
    slot: u64,
    /// Requests that are not in a slot yet.
    pending: AtomicU64,
    window: Mutex<Window>,
}

impl RetryBudget {
    /// A budget with these settings.
    ///
    /// # Errors
    /// Everything that is wrong with them: `ratio` outside 0 to 1, `ttl` outside 1 s to 60 s, neither floor nor ratio.
    pub fn new(config: RetryBudgetConfig) -> Result<Self, Vec<FieldError>> {
        let errors = config.problems();
        if !errors.is_empty() {
            return Err(errors);
        }
        let slot = u64::try_from(config.ttl.as_nanos()).unwrap_or(u64::MAX) / SLOTS;
        let (pending, window) = (AtomicU64::new(0), Mutex::default());
        Ok(Self(Arc::new(Inner { config, born: Instant::now(), slot, pending, window })))
    }

    /// Counts a request. One atomic addition; every sixteenth reads the clock and takes a short lock.
    pub fn deposit(&self) {
        if (self.0.pending.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(BATCH) {
            drop(self.0.count_pending());
        }
    }

    /// Takes one retry, or says that none is left. Never waits.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        let mut window = self.0.count_pending();
        let granted = self.0.allowed(&window) > window.retries();
        if granted {
            window.slots[0].retries += 1;
        }
        granted
    }

    /// What it knows about itself.
    #[must_use]
    pub fn stats(&self) -> RetryBudgetStats {
        let window = self.0.count_pending();
        let (requests, retries) = (window.requests(), window.retries());
        RetryBudgetStats { requests, retries, left: self.0.allowed(&window).saturating_sub(retries) }
    }
}

impl Inner {
    /// How many retries `window` may hold.
    fn allowed(&self, window: &Window) -> u64 {
        let RetryBudgetConfig { floor, ratio, .. } = self.config;
        #[expect(clippy::cast_precision_loss, reason = "counts of at most 60 seconds")]
        let share = ratio * window.requests() as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, rounded down"
        )]
        let share = share as u64;
        u64::from(floor) + share
    }

    /// Moves the window to now. Requests without a slot go where the window stood: they came later, so they are
    /// forgotten too early rather than too late.
    fn count_pending(&self) -> MutexGuard<'_, Window> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.slots[0].requests += self.pending.swap(0, Ordering::Relaxed);
        let age = u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX);
        window.turn_to(age / self.slot);
        window
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RetryBudget").field(&self.0.config).finish()
    }
}

#[derive(Clone, Copy, Default)]
struct Slot {
    requests: u64,
    retries: u64,
}

/// The slots of the last `ttl`, the youngest first. One more than fits, because the youngest and the oldest are both
/// partly inside.
#[derive(Default)]
struct Window {
    number: u64,
    slots: [Slot; SLOTS as usize + 1],
}

impl Window {
    /// A clock that goes backwards leaves the window where it is.
    fn turn_to(&mut self, number: u64) {
        let gone = number.saturating_sub(self.number).min(SLOTS + 1);
        for _ in 0..gone {
            self.slots.rotate_right(1);
            self.slots[0] = Slot::default();
        }
        self.number = self.number.max(number);
    }

    /// Requests that are certainly inside.
    fn requests(&self) -> u64 {
        self.slots[..SLOTS as usize].iter().map(|slot| slot.requests).sum()
    }

    /// Retries that may be inside.
    fn retries(&self) -> u64 {
        self.slots.iter().map(|slot| slot.retries).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn budget(floor: u32, ratio: f64) -> RetryBudget {
        RetryBudget::new(RetryBudgetConfig { floor, ratio, ..RetryBudgetConfig::default() }).unwrap()
    }

    fn granted(budget: &RetryBudget, asked: u32) -> u32 {
        (0..asked).map(|_| u32::from(budget.withdraw())).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn a_floor_a_share_and_no_more_until_time_has_passed() {
        let budget = budget(3, 0.1);
        (0..100).for_each(|_| budget.deposit());
        assert_eq!((budget.stats().requests, budget.stats().left), (100, 13));
        assert_eq!(granted(&budget, 50), 13);
        assert_eq!((budget.stats().retries, budget.stats().left), (13, 0));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(granted(&budget, 50), 0);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(granted(&budget, 50), 3, "the requests are forgotten, the floor is not");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_healthy_past_pays_for_nothing() {
        let budget = budget(1, 1.0);
        for _ in 0..1000 {
            budget.deposit();
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(granted(&budget, 50) <= 1 + 10);
    }

    #[test]
    fn every_wrong_setting_is_named_at_once() {
        let config = RetryBudgetConfig { floor: 0, ratio: -0.1, ttl: Duration::ZERO };
        let errors = RetryBudget::new(config).unwrap_err();
        assert_eq!(errors.iter().map(|e| e.path.as_str()).collect::<Vec<_>>(), ["ratio", "ttl", "floor"]);
    }

    proptest! {
        /// Invariant 21, checked over every window that ends at a retry.
        #[test]
        fn retries_never_pass_floor_and_share(
            floor in 0u32..5,
            percent in 1u32..=100,
            steps in prop::collection::vec((0u64..900, 0u32..40, 0u32..20), 1..60),
        ) {
            let ratio = f64::from(percent) / 100.0;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let budget = budget(floor, ratio);
                let ttl = RetryBudgetConfig::default().ttl;
                let (mut requests, mut retries): (Vec<Instant>, Vec<Instant>) = (Vec::new(), Vec::new());
                for (millis, asked, failed) in steps {
                    tokio::time::advance(Duration::from_millis(millis)).await;
                    let now = Instant::now();
                    (0..asked).for_each(|_| budget.deposit());
                    requests.extend((0..asked).map(|_| now));
                    for _ in 0..failed {
                        let recent = |list: &[Instant]| list.iter().filter(|at| now - **at <= ttl).count();
                        if budget.withdraw() {
                            retries.push(now);
                            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
                            let allowed = f64::from(floor) + ratio * recent(&requests) as f64;
                            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
                            let made = recent(&retries) as f64;
                            prop_assert!(made <= allowed + 1e-9, "{made} of {allowed}");
                        }
                    }
                }
                Ok(())
            })?;
        }
    }
}
