//! How long the first content of an answer takes, for each kind of call: what a hedge waits by.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use exec_core::{Operation, Request};

use crate::histogram::Histogram;
use crate::sync::{Mutex, lock};

/// Calls that are older by so many count half.
const HALF_LIFE: u32 = 1000;
/// A quantile is looked up again after so many calls.
const STALE: u32 = 16;

/// What kind of call it is. A whole answer takes as long as all of a streamed one, so they are told apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    operation: Operation,
    model: Option<Arc<str>>,
    stream: bool,
}

impl Kind {
    pub(super) fn of(request: &Request) -> Self {
        let (operation, model) = (request.operation.clone(), request.model.clone());
        Self { operation, model, stream: request.options.stream }
    }
}

/// The times of each kind of call. The kinds that come first have their own; when there are as many as allowed, all
/// others share one.
pub(super) struct Learned {
    quantile: f64,
    samples: u32,
    most: usize,
    times: Mutex<Times>,
}

#[derive(Default)]
struct Times {
    kinds: HashMap<Kind, Kept>,
    others: Option<Kept>,
}

struct Kept {
    histogram: Histogram,
    known: u32,
    quantile: Option<Duration>,
    since_looked: u32,
}

impl Learned {
    /// Times of which the `quantile` is asked, once there are so many `samples` of a kind; at most `most` kinds.
    pub(super) fn new(quantile: f64, samples: u32, most: usize) -> Self {
        Self { quantile, samples, most, times: Mutex::default() }
    }

    /// The quantile of `kind`, if enough is known.
    pub(super) fn quantile(&self, kind: &Kind) -> Option<Duration> {
        let times = lock(&self.times);
        let kept = match times.kinds.get(kind) {
            Some(kept) => kept,
            None if times.kinds.len() >= self.most => times.others.as_ref()?,
            None => return None,
        };
        kept.quantile
    }

    /// A call of `kind` had its first content after `took`, or has waited so long in vain.
    pub(super) fn record(&self, kind: Kind, took: Duration) {
        let mut times = lock(&self.times);
        let room = times.kinds.len() < self.most;
        let kept = match times.kinds.contains_key(&kind) || room {
            true => times.kinds.entry(kind).or_default(),
            false => times.others.get_or_insert_default(),
        };
        kept.record(took, self.samples, self.quantile);
    }
}

impl Kept {
    fn record(&mut self, took: Duration, samples: u32, quantile: f64) {
        self.histogram.record(took);
        self.known = self.known.saturating_add(1);
        self.since_looked += 1;
        if self.known >= samples && (self.quantile.is_none() || self.since_looked >= STALE) {
            self.quantile = self.histogram.quantile(quantile);
            self.since_looked = 0;
        }
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self { histogram: Histogram::new(HALF_LIFE), known: 0, quantile: None, since_looked: 0 }
    }
}

impl fmt::Debug for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Learned({} of {} kinds)", lock(&self.times).kinds.len(), self.most)
    }
}

#[cfg(test)]
mod tests {
    use exec_core::Chat;

    use super::*;

    fn kind(model: &str) -> Kind {
        Kind::of(&Request::chat(Chat::user("x")).with_model(model))
    }

    #[test]
    fn enough_must_be_known_and_kinds_are_told_apart() {
        let learned = Learned::new(0.9, 3, 10);
        for _ in 0..2 {
            learned.record(kind("a"), Duration::from_millis(10));
        }
        assert_eq!(learned.quantile(&kind("a")), None);
        learned.record(kind("a"), Duration::from_millis(10));
        let known = learned.quantile(&kind("a")).unwrap();
        assert!((Duration::from_millis(10)..Duration::from_millis(11)).contains(&known));
        assert_eq!(learned.quantile(&kind("b")), None);
    }

    #[test]
    fn kinds_are_bounded_and_the_others_share_one() {
        let learned = Learned::new(0.5, 2, 1);
        learned.record(kind("a"), Duration::from_millis(1));
        for model in ["b", "c", "d"] {
            learned.record(kind(model), Duration::from_secs(1));
        }
        assert_eq!(lock(&learned.times).kinds.len(), 1);
        assert!(learned.quantile(&kind("e")).unwrap() >= Duration::from_secs(1));
        assert_eq!(learned.quantile(&kind("a")), None, "of which one is known");
    }
}
