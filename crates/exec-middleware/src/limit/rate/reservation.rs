//! What a call has set aside until it is known what it used.

use std::fmt;
use std::mem;
use std::sync::Arc;

use exec_core::{Error, ErrorKind, Summary};

use super::Inner;
use super::charge::Charge;
use super::keys::Call;
use super::meter::Nanos;
use super::names::Owner;

/// What a call has set aside. It is settled once, which takes it away.
///
/// Dropped before it is [marked as sent](Self::mark_sent), all of it is given back; after that, it counts as used.
///
/// ```compile_fail
/// # fn twice(reservation: exec_middleware::RateReservation) {
/// reservation.settle(exec_middleware::Charge::NONE);
/// reservation.settle(exec_middleware::Charge::CALL);
/// # }
/// ```
#[must_use = "dropping a reservation gives it back"]
pub struct RateReservation {
    inner: Arc<Inner>,
    owner: Owner,
    held: Charge,
    at: Nanos,
    kept: bool,
}

impl RateReservation {
    pub(super) fn new(inner: Arc<Inner>, owner: Owner, held: Charge, at: Nanos) -> Self {
        Self { inner, owner, held, at, kept: false }
    }

    /// What is set aside.
    #[must_use]
    pub fn held(&self) -> Charge {
        self.held
    }

    /// From here on the call may have been carried out.
    pub fn mark_sent(&mut self) {
        self.kept = true;
    }

    /// Replaces what was set aside by what was used: the rest is given back, as far as it still counts; what is missing
    /// is owed and delays later calls.
    pub fn settle(mut self, actual: Charge) {
        self.kept = true;
        self.replace(actual);
    }

    /// Of what `summary` does not say, what was set aside counts as used.
    pub(super) fn settle_summary(self, summary: &Summary) {
        let actual = self.held.actual(summary);
        self.settle(actual);
    }

    /// Only the call itself counts.
    pub(super) fn settle_call(self) {
        let actual = Charge { requests: self.held.requests, ..Charge::NONE };
        self.settle(actual);
    }

    /// A call that never left counts for nothing, one that was refused for itself only, and of one whose outcome nobody
    /// knows everything counts.
    pub(super) fn settle_error(self, error: &Error) {
        use ErrorKind::{Cancelled, DeadlineExceeded, Internal, Upstream};
        let open = matches!(error.kind(), Cancelled | DeadlineExceeded | Internal | Upstream);
        if error.is_unsent() {
            self.settle(Charge::NONE);
        } else if !open || error.upstream().is_some() {
            self.settle_call();
        }
    }

    fn replace(&self, actual: Charge) {
        if actual == self.held {
            return;
        }
        let call = Call { who: self.owner.who(), charge: self.held, now: self.at };
        let (asked, used) = (self.held, actual);
        let owes = used.requests > asked.requests || used.tokens > asked.tokens || used.money > asked.money;
        // Giving back to a log needs no time, and reading the clock is a good part of what settling costs.
        let now = if owes || !self.inner.exact { self.inner.now() } else { self.at };
        for scope in &self.inner.scopes {
            scope.settle(&call, &actual, now);
        }
    }
}

impl Drop for RateReservation {
    fn drop(&mut self) {
        if !mem::replace(&mut self.kept, true) {
            self.replace(Charge::NONE);
        }
    }
}

impl fmt::Debug for RateReservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateReservation")
            .field("held", &self.held)
            .field("sent", &self.kept)
            .finish_non_exhaustive()
    }
}
