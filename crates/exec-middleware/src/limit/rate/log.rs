//! The sliding log: what was admitted when, for as long as it counts.

use std::collections::VecDeque;

use super::meter::{Meter, Nanos, Rule};

/// Limits up to this are kept to the nanosecond, each admission an entry.
const SMALL: u64 = 4096;
/// The window of a larger limit is remembered in so many entries, or up to twice as many.
const STEPS: u64 = 512;
/// A debt delays by at most so many windows.
const LONGEST_DEBT: u64 = 1000;

/// Entries of one time and one amount, the oldest first. Times handed in never go backwards; who calls sees to it. An entry counts from its time for one window; the moment one
/// window after it does not belong to it any more.
pub(super) struct Log {
    entries: VecDeque<(Nanos, u64)>,
    used: u64,
    /// The time of the first entry, beside the rest: most calls then do not touch the memory of the old ones.
    oldest: Nanos,
}

impl Default for Log {
    fn default() -> Self {
        Self { entries: VecDeque::new(), used: 0, oldest: Nanos::MAX }
    }
}

impl Log {
    /// The entries' grid. Of large limits entries are put together at the *end* of a step of the grid, so that they count
    /// too long by at most a 512th of the window, and never too short.
    fn stamp(rule: &Rule, at: Nanos) -> Nanos {
        if rule.limit <= SMALL {
            return at;
        }
        // A step is a power of two: dividing costs more than all the rest.
        let below = (1 << (rule.window / STEPS).max(1).ilog2()) - 1;
        at.saturating_add(below) & !below
    }

    fn forget(&mut self, rule: &Rule, now: Nanos) {
        if now < self.oldest.saturating_add(rule.window) {
            return;
        }
        while let Some((_, amount)) =
            self.entries.pop_front_if(|(at, _)| at.saturating_add(rule.window) <= now)
        {
            self.used = self.used.saturating_sub(amount);
        }
        self.note_oldest();
    }

    fn note_oldest(&mut self) {
        self.oldest = self.entries.front().map_or(Nanos::MAX, |(at, _)| *at);
    }

    fn insert(&mut self, stamp: Nanos, amount: u64) {
        if amount == 0 {
            return;
        }
        self.used = self.used.saturating_add(amount);
        self.oldest = self.oldest.min(stamp);
        match self.find(stamp) {
            Ok(index) => self.entries[index].1 = self.entries[index].1.saturating_add(amount),
            Err(index) => self.entries.insert(index, (stamp, amount)),
        }
    }

    /// Nearly always the last.
    fn find(&self, stamp: Nanos) -> Result<usize, usize> {
        match self.entries.back() {
            Some((at, _)) if *at < stamp => Err(self.entries.len()),
            Some((at, _)) if *at == stamp => Ok(self.entries.len() - 1),
            _ => self.entries.binary_search_by_key(&stamp, |(at, _)| *at),
        }
    }
}

impl Meter for Log {
    fn wait(&mut self, rule: &Rule, now: Nanos, amount: u64) -> Option<Nanos> {
        let room = rule.limit.checked_sub(amount)?;
        self.forget(rule, now);
        let mut used = self.used;
        let mut entries = self.entries.iter();
        let mut wait = 0;
        while used > room {
            let (at, freed) = entries.next()?;
            used = used.saturating_sub(*freed);
            wait = at.saturating_add(rule.window).saturating_sub(now);
        }
        Some(wait)
    }

    fn take(&mut self, rule: &Rule, now: Nanos, amount: u64) {
        self.insert(Self::stamp(rule, now), amount);
    }

    fn refund(&mut self, rule: &Rule, at: Nanos, _: u64, amount: u64, _: Nanos) {
        if let Ok(index) = self.find(Self::stamp(rule, at)) {
            let held = self.entries[index].1;
            self.entries[index].1 = held.saturating_sub(amount);
            self.used = self.used.saturating_sub(amount.min(held));
            if held <= amount {
                self.entries.remove(index);
                self.note_oldest();
            }
        }
    }

    /// What is owed counts from now; a debt of several limits counts that many windows longer.
    fn charge(&mut self, rule: &Rule, now: Nanos, amount: u64) {
        let windows = (amount / rule.limit.max(1)).min(LONGEST_DEBT);
        let until = now.saturating_add(rule.window.saturating_mul(windows));
        self.insert(Self::stamp(rule, until), amount);
    }

    fn idle_at(&self, rule: &Rule) -> Nanos {
        self.entries.back().map_or(0, |(at, _)| at.saturating_add(rule.window))
    }

    fn left(&mut self, rule: &Rule, now: Nanos) -> u64 {
        self.forget(rule, now);
        rule.limit.saturating_sub(self.used)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::meter::Mode;
    use super::*;

    fn rule(limit: u64, window: Nanos) -> Rule {
        Rule { limit, window, mode: Mode::Exact, burst: 0 }
    }

    /// Takes as much as it may, whenever it may.
    fn admit(log: &mut Log, rule: &Rule, now: Nanos, amount: u64) -> Result<(), Option<Nanos>> {
        match log.wait(rule, now, amount) {
            Some(0) => {
                log.take(rule, now, amount);
                Ok(())
            }
            wait => Err(wait),
        }
    }

    #[test]
    fn memory_of_a_key_is_bounded_however_large_the_limit() {
        let rule = rule(10_000_000, 60_000_000_000);
        let mut log = Log::default();
        for n in 0..1_000_000 {
            assert_eq!(admit(&mut log, &rule, n * 60_000, 3), Ok(()));
        }
        assert!(log.entries.len() <= 1026, "{}", log.entries.len());
    }

    #[test]
    fn a_debt_of_several_limits_delays_by_as_many_windows() {
        let rule = rule(10, 100);
        let mut log = Log::default();
        log.charge(&rule, 5, 35);
        assert_eq!(log.wait(&rule, 5, 1), Some(400));
        assert_eq!((log.left(&rule, 404), log.left(&rule, 405)), (0, 10));
    }

    proptest! {
        /// Invariant 54, over all pairs of admissions.
        #[test]
        fn never_more_than_the_limit_in_any_window(
            limit in prop_oneof![1u64..30, 5000u64..6000],
            steps in prop::collection::vec((0u64..120, 1u64..12), 1..400),
        ) {
            let scale = if limit > SMALL { 500 } else { 1 };
            let rule = rule(limit, 1000 * scale);
            let (mut log, mut now, mut admitted) = (Log::default(), 0u64, Vec::new());
            for (step, amount) in steps {
                now += step * scale;
                let amount = amount * if limit > SMALL { 100 } else { 1 };
                if admit(&mut log, &rule, now, amount).is_ok() {
                    admitted.push((now, amount));
                }
            }
            for (start, _) in &admitted {
                let inside = admitted.iter().filter(|(at, _)| at >= start && at - start < rule.window);
                prop_assert!(inside.map(|(_, amount)| amount).sum::<u64>() <= limit);
            }
        }

        /// Invariant 55.
        #[test]
        fn a_denial_names_the_earliest_time(
            limit in prop_oneof![1u64..30, 5000u64..6000],
            steps in prop::collection::vec((0u64..120, 1u64..12), 1..100),
            asked in 1u64..30,
        ) {
            let rule = rule(limit, 1_000_000);
            let (mut log, mut now) = (Log::default(), 0u64);
            for (step, amount) in steps {
                now += step * 1000;
                let _ = admit(&mut log, &rule, now, amount);
            }
            match log.wait(&rule, now, asked) {
                None => prop_assert!(asked > limit),
                Some(0) => {}
                Some(wait) => {
                    prop_assert!(log.wait(&rule, now + wait - 1, asked) == Some(1));
                    prop_assert!(log.wait(&rule, now + wait, asked) == Some(0));
                }
            }
        }

        /// Invariant 57, against the plain history: what was really used is never more than the limit in any window, as
        /// long as nobody used more than was set aside; and the books agree with the history.
        #[test]
        fn reserved_and_settled_never_pass_the_limit(
            limit in 1u64..30,
            steps in prop::collection::vec((0u64..150, 1u64..12, 0u64..12, 0u64..900), 1..200),
        ) {
            let rule = rule(limit, 1000);
            let mut log = Log::default();
            let mut open: Vec<(u64, u64, u64, u64)> = Vec::new();
            let (mut now, mut used) = (0, Vec::new());
            for (step, amount, actual, lasts) in steps {
                now += step;
                open.retain(|(at, held, actual, until)| {
                    if *until <= now {
                        log.refund(&rule, *at, *held, held - actual, now);
                        used.push((*at, *actual));
                    }
                    *until > now
                });
                if admit(&mut log, &rule, now, amount).is_ok() {
                    open.push((now, amount, actual.min(amount), now + lasts));
                }
                let holding = open.iter().map(|(at, held, ..)| (*at, *held)).chain(used.iter().copied());
                let inside: u64 = holding.filter(|(at, _)| at + 1000 > now).map(|(_, amount)| amount).sum();
                prop_assert!(inside <= limit);
                prop_assert_eq!(log.left(&rule, now), limit - inside);
            }
            for (start, _) in &used {
                let inside = used.iter().filter(|(at, _)| at >= start && at - start < 1000);
                prop_assert!(inside.map(|(_, amount)| amount).sum::<u64>() <= limit);
            }
        }
    }
}
