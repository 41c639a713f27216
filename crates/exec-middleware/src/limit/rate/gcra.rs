//! GCRA (ITU-T I.371): one number for a key, the time at which its bucket will be empty.
//!
//! Ours and not `governor`'s. Its clock could be tokio's, but it cannot be asked without taking, which several
//! allowances at once need; it cannot give back or be charged afterwards, which settling needs; and its keyed store has
//! no bound. What would be left of it is the formula below.

use super::meter::{Meter, Nanos, Rule};

/// The time at which the bucket will be empty, in `limit`-ths of a nanosecond: so one unit is exactly one window's worth
/// of them, and nothing is ever rounded.
#[derive(Default)]
pub(super) struct Gcra {
    empty_at: u128,
}

impl Gcra {
    fn ticks(rule: &Rule, nanos: Nanos) -> u128 {
        u128::from(nanos) * u128::from(rule.limit)
    }

    fn weight(rule: &Rule, amount: u64) -> u128 {
        u128::from(amount) * u128::from(rule.window)
    }

    fn level(&self, rule: &Rule, now: Nanos) -> u128 {
        self.empty_at.saturating_sub(Self::ticks(rule, now))
    }

    fn add(&mut self, rule: &Rule, now: Nanos, amount: u64) {
        let from = self.empty_at.max(Self::ticks(rule, now));
        self.empty_at = from.saturating_add(Self::weight(rule, amount));
    }
}

impl Meter for Gcra {
    fn wait(&mut self, rule: &Rule, now: Nanos, amount: u64) -> Option<Nanos> {
        let room = Self::weight(rule, rule.burst.checked_sub(amount)?);
        let over = self.level(rule, now).saturating_sub(room);
        if over == 0 {
            return Some(0);
        }
        Some(u64::try_from(over.div_ceil(u128::from(rule.limit.max(1)))).unwrap_or(Nanos::MAX))
    }

    fn take(&mut self, rule: &Rule, now: Nanos, amount: u64) {
        self.add(rule, now, amount);
    }

    /// What ran out of the bucket since `at` is taken to be what was held then, and only what is left of it is given
    /// back. So the state is the one it would be in had less been taken at `at`.
    fn refund(&mut self, rule: &Rule, at: Nanos, held: u64, amount: u64, now: Nanos) {
        let gone = Self::ticks(rule, now.saturating_sub(at));
        let left = Self::weight(rule, held).saturating_sub(gone);
        self.empty_at = self.empty_at.saturating_sub(left.min(Self::weight(rule, amount)));
    }

    fn charge(&mut self, rule: &Rule, now: Nanos, amount: u64) {
        self.add(rule, now, amount);
    }

    fn idle_at(&self, rule: &Rule) -> Nanos {
        u64::try_from(self.empty_at.div_ceil(u128::from(rule.limit.max(1)))).unwrap_or(Nanos::MAX)
    }

    fn left(&mut self, rule: &Rule, now: Nanos) -> u64 {
        let room = Self::weight(rule, rule.burst).saturating_sub(self.level(rule, now));
        u64::try_from(room / u128::from(rule.window.max(1))).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::meter::Mode;
    use super::*;

    fn rule(limit: u64, window: Nanos, burst: u64) -> Rule {
        Rule { limit, window, mode: Mode::Smooth, burst }
    }

    /// Whether any time `t` between two uses saw more than `burst + ceil(limit * t / window)`.
    fn most_is_kept(rule: &Rule, used: &[(Nanos, u64)]) -> bool {
        let starts = used.iter().map(|(at, _)| *at);
        starts.clone().all(|from| {
            starts.clone().filter(|to| *to >= from).all(|to| {
                let inside = used.iter().filter(|(at, _)| (from..=to).contains(at));
                let most = rule.burst + (rule.limit * (to - from)).div_ceil(rule.window);
                inside.map(|(_, amount)| amount).sum::<u64>() <= most
            })
        })
    }

    proptest! {
        /// Invariants 54 and 55.
        #[test]
        fn never_more_than_burst_and_rate_and_the_exact_wait(
            limit in 1u64..30,
            burst in 1u64..30,
            steps in prop::collection::vec((-30i64..120, 1u64..6), 1..120),
        ) {
            let rule = rule(limit, 1009, burst);
            let (mut meter, mut now, mut used) = (Gcra::default(), 0u64, Vec::new());
            for (step, amount) in steps {
                now = now.saturating_add_signed(step);
                match meter.wait(&rule, now, amount) {
                    None => prop_assert!(amount > burst),
                    Some(0) => {
                        meter.take(&rule, now, amount);
                        used.push((now, amount));
                    }
                    Some(wait) => {
                        prop_assert!(meter.wait(&rule, now + wait - 1, amount) > Some(0));
                        prop_assert_eq!(meter.wait(&rule, now + wait, amount), Some(0));
                    }
                }
            }
            used.sort_unstable();
            prop_assert!(most_is_kept(&rule, &used));
        }

        /// Invariant 57: what was really used keeps the promise, however late it was settled.
        #[test]
        fn refunds_never_let_more_through(
            limit in 1u64..20,
            burst in 1u64..20,
            steps in prop::collection::vec((0u64..150, 1u64..12, 0u64..12, 0u64..2000), 1..100),
        ) {
            let rule = rule(limit, 1009, burst);
            let mut meter = Gcra::default();
            let mut open: Vec<(u64, u64, u64, u64)> = Vec::new();
            let (mut now, mut used) = (0, Vec::new());
            for (step, amount, actual, lasts) in steps {
                now += step;
                open.retain(|(at, held, actual, until)| {
                    if *until <= now {
                        meter.refund(&rule, *at, *held, held - actual, now);
                        used.push((*at, *actual));
                    }
                    *until > now
                });
                if meter.wait(&rule, now, amount) == Some(0) {
                    meter.take(&rule, now, amount);
                    open.push((now, amount, actual.min(amount), now + lasts));
                }
            }
            used.extend(open.iter().map(|(at, held, ..)| (*at, *held)));
            used.sort_unstable();
            prop_assert!(most_is_kept(&rule, &used));
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let rule = rule(u64::MAX, u64::MAX, u64::MAX);
        let mut meter = Gcra::default();
        for now in [0, u64::MAX, 0, 7] {
            meter.charge(&rule, now, u64::MAX);
            let _wait = meter.wait(&rule, now, u64::MAX);
            meter.refund(&rule, now, u64::MAX, u64::MAX, 0);
        }
        assert!(meter.idle_at(&rule) > 0);
    }
}
