//! The one budget of an execution: how many upstream calls it may make and how much money it may spend.
//!
//! Retry, fallback, hedge and the nodes of a graph all draw from the same [`Budget`], so nesting them adds and never
//! multiplies. A [child](Budget::child) can only be narrower: what it takes is taken from its parents as well. The third
//! limit, time, is the deadline of the [`Context`](crate::Context).

use std::fmt;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// An amount of money: millionths of a US dollar, never a float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(u64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Millionths of a dollar.
    #[must_use]
    pub const fn micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The amount in millionths of a dollar.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// What `tokens` cost at this price for a million tokens, rounded up.
    #[must_use]
    pub fn per_million(self, tokens: u64) -> Self {
        let total = (u128::from(self.0) * u128::from(tokens)).div_ceil(1_000_000);
        Self(u64::try_from(total).unwrap_or(u64::MAX))
    }

    /// The sum; stops at the largest amount.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The amount in dollars, for people and for JSON that wants a number.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "for display; sums are kept in integers")]
    pub fn as_dollars(self) -> f64 {
        self.0 as f64 / 1_000_000.0
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// What an answer cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// The tokens of the prompt.
    pub input: Money,
    /// The tokens of the answer.
    pub output: Money,
}

impl Cost {
    /// Both.
    #[must_use]
    pub const fn total(self) -> Money {
        self.input.plus(self.output)
    }
}

/// What is left of an execution's attempts and money. Shared; every method is lock-free.
#[derive(Debug)]
pub struct Budget {
    attempts: AtomicU32,
    taken: AtomicU32,
    money: AtomicU64,
    parent: Option<Arc<Budget>>,
}

impl Budget {
    /// The attempts an execution has when nobody says otherwise.
    pub const DEFAULT_ATTEMPTS: u32 = 8;

    /// A budget of `attempts` upstream calls and, if given, of `money`.
    #[must_use]
    pub fn new(attempts: u32, money: Option<Money>) -> Self {
        Self {
            attempts: attempts.into(),
            taken: AtomicU32::new(0),
            money: money.map_or(u64::MAX, Money::as_micros).into(),
            parent: None,
        }
    }

    /// A budget inside this one: at most `attempts` and `money`, and never more than is left here.
    #[must_use]
    pub fn child(self: &Arc<Self>, attempts: u32, money: Option<Money>) -> Arc<Self> {
        Arc::new(Self { parent: Some(self.clone()), ..Self::new(attempts, money) })
    }

    /// Takes one attempt and says the how-manieth of the execution it is, from 1. Whoever issues an upstream call takes
    /// it, right before the call.
    ///
    /// # Errors
    /// `Exhausted` when none is left, here or in a parent; nothing is taken then.
    pub fn take_attempt(&self) -> Result<u32> {
        for (taken, budget) in self.line().enumerate() {
            if !try_sub_u32(&budget.attempts, 1) {
                for earlier in self.line().take(taken) {
                    earlier.attempts.fetch_add(1, Ordering::AcqRel);
                }
                return Err(Error::new(
                    ErrorKind::Exhausted,
                    "the attempt budget of this execution is spent",
                ));
            }
        }
        Ok(self.line().map(|budget| budget.taken.fetch_add(1, Ordering::AcqRel)).last().unwrap_or(0) + 1)
    }

    /// The attempts this budget and its children have taken.
    #[must_use]
    pub fn attempts_taken(&self) -> u32 {
        self.taken.load(Ordering::Acquire)
    }

    /// The attempts that are left.
    #[must_use]
    pub fn attempts_left(&self) -> u32 {
        self.line().map(|b| b.attempts.load(Ordering::Acquire)).min().unwrap_or(0)
    }

    /// The money that is left, or `None` when there is no limit.
    #[must_use]
    pub fn money_left(&self) -> Option<Money> {
        let left = self.line().map(|b| b.money.load(Ordering::Acquire)).min()?;
        (left < UNLIMITED).then_some(Money(left))
    }

    /// Sets `estimate` aside before a call. Settle the reservation with what the call did cost; dropping it gives all back.
    ///
    /// # Errors
    /// `Exhausted` when less is left, here or in a parent; nothing is set aside then.
    pub fn reserve(self: &Arc<Self>, estimate: Money) -> Result<Reservation> {
        for (taken, budget) in self.line().enumerate() {
            if !try_sub_u64(&budget.money, estimate.0) {
                for earlier in self.line().take(taken) {
                    earlier.money.fetch_add(estimate.0, Ordering::AcqRel);
                }
                let message = format!("the money budget of this execution does not allow another {estimate}");
                return Err(Error::new(ErrorKind::Exhausted, message));
            }
        }
        Ok(Reservation { budget: self.clone(), held: estimate })
    }

    /// This budget and its parents.
    fn line(&self) -> impl Iterator<Item = &Budget> {
        iter::successors(Some(self), |budget| budget.parent.as_deref())
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(Self::DEFAULT_ATTEMPTS, None)
    }
}

/// Above this an amount counts as no limit: a budget without one starts at the largest integer.
const UNLIMITED: u64 = u64::MAX / 2;

fn try_sub_u32(cell: &AtomicU32, n: u32) -> bool {
    cell.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(n)).is_ok()
}

fn try_sub_u64(cell: &AtomicU64, n: u64) -> bool {
    cell.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(n)).is_ok()
}

/// Money set aside for one call. Given back in full when dropped.
#[derive(Debug)]
#[must_use = "dropping a reservation gives the money back"]
pub struct Reservation {
    budget: Arc<Budget>,
    held: Money,
}

impl Reservation {
    /// Replaces the estimate by what the call did cost. A cost above the estimate is charged as far as money is left.
    pub fn settle(mut self, actual: Money) {
        let held = std::mem::replace(&mut self.held, Money::ZERO);
        for budget in self.budget.line() {
            let settled = |left: u64| Some(left.saturating_add(held.0).saturating_sub(actual.0));
            // The closure never declines, so there is nothing to handle.
            let _ = budget.money.fetch_update(Ordering::AcqRel, Ordering::Acquire, settled);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        for budget in self.budget.line() {
            budget.money.fetch_add(self.held.0, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_loops_draw_from_one_number() {
        let root = Arc::new(Budget::new(5, None));
        let child = root.child(3, None);
        let taken = (0..27).filter(|_| child.take_attempt().is_ok()).count();
        assert_eq!((taken, root.attempts_left()), (3, 2));
        assert_eq!((child.attempts_taken(), root.attempts_taken()), (3, 3));
        let sibling = root.child(10, None);
        assert_eq!(sibling.take_attempt().unwrap(), 4, "counted over the whole execution");
        assert_eq!((0..27).filter(|_| sibling.take_attempt().is_ok()).count(), 1);
        assert_eq!(child.take_attempt().unwrap_err().kind(), ErrorKind::Exhausted);
        assert_eq!(
            sibling.attempts.load(Ordering::Relaxed),
            8,
            "a refusal by the parent gives back to the child"
        );
    }

    #[test]
    fn money_is_reserved_settled_and_given_back() {
        let root = Arc::new(Budget::new(1, Some(Money::micros(100))));
        let child = root.child(1, Some(Money::micros(60)));
        let first = child.reserve(Money::micros(50)).unwrap();
        assert_eq!(child.reserve(Money::micros(20)).unwrap_err().kind(), ErrorKind::Exhausted);
        first.settle(Money::micros(10));
        assert_eq!((child.money_left(), root.money_left()), (Some(Money(50)), Some(Money(90))));
        drop(child.reserve(Money::micros(50)).unwrap());
        assert_eq!(child.money_left(), Some(Money(50)));
        child.reserve(Money::micros(1)).unwrap().settle(Money::micros(500));
        assert_eq!((child.money_left(), root.money_left()), (Some(Money::ZERO), Some(Money::ZERO)));
    }

    #[test]
    fn prices_round_up_and_never_overflow() {
        assert_eq!(Money::micros(150_000).per_million(1), Money(1));
        assert_eq!(Money::micros(150_000).per_million(1_000), Money(150));
        assert_eq!(Money::micros(u64::MAX).per_million(u64::MAX), Money(u64::MAX));
        assert_eq!(Money::micros(1_500_001).to_string(), "$1.500001");
        assert_eq!(Arc::new(Budget::default()).money_left(), None);
    }
}
