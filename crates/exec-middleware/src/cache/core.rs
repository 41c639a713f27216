//! What all handles of a cache share: looking up, under the store's time limit, and what is counted.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use exec_core::{Context, Error, ErrorKind, Event, Result};
use futures_util::FutureExt;

use super::entry::{Age, Body, Entry};
use super::flights::Flights;
use super::key::Key;
use super::marks::Marks;
use super::rules::Rules;
use super::stats::{CacheStats, Counters};
use super::store::Store;

pub(super) struct Core {
    pub(super) rules: Rules,
    pub(super) store: Arc<dyn Store>,
    pub(super) marks: Marks,
    pub(super) flights: Arc<Flights>,
    pub(super) count: Counters,
}

/// What is kept for a call.
pub(super) enum Look {
    /// A good answer.
    Fresh(Arc<Entry>),
    /// One past its time that may be used at once.
    Stale(Arc<Entry>),
    /// One past its time that may be used when the call fails.
    Spare(Arc<Entry>),
    Nothing,
}

impl Core {
    pub(super) async fn look(&self, key: &Key, context: &Context) -> Look {
        let found = match self.store.get_now(key) {
            Some(found) => found,
            None => self.ask(context, self.store.get(key)).await.flatten(),
        };
        let Some(entry) = found else { return Look::Nothing };
        if !self.marks.good(entry.born, &entry.subject) {
            self.ask(context, self.store.remove(key)).await;
            return Look::Nothing;
        }
        let within = |window: Duration, past: Duration| past < window && past < entry.grace;
        let config = &self.rules.config;
        match entry.age() {
            Age::Fresh => Look::Fresh(entry),
            Age::Past(_) if matches!(entry.body, Body::Failure(_)) => Look::Nothing,
            Age::Past(past) if within(config.stale_while_revalidate, past) => Look::Stale(entry),
            Age::Past(past) if within(config.stale_if_error, past) => Look::Spare(entry),
            Age::Past(_) => Look::Nothing,
        }
    }

    /// Asks the store, for so long as it may take. A store that fails or is slow is counted, told, and gone without.
    pub(super) async fn ask<T>(&self, context: &Context, work: impl Future<Output = Result<T>>) -> Option<T> {
        let mut work = pin!(work);
        // A store in this process answers at once, and then no timer is needed.
        let answer = match work.as_mut().now_or_never() {
            Some(answer) => answer,
            None => tokio::time::timeout(self.rules.config.store_timeout, work)
                .await
                .unwrap_or_else(|_| Err(Error::new(ErrorKind::DeadlineExceeded, "the store is too slow"))),
        };
        answer.inspect_err(|error| self.store_failed(context, error.kind())).ok()
    }

    pub(super) fn stats(&self) -> CacheStats {
        let size = self.store.size();
        CacheStats {
            entries: size.entries,
            weight: size.weight,
            evicted: size.evicted,
            in_flight: self.flights.len() as u64,
            marks: self.marks.len() as u64,
            ..self.count.stats()
        }
    }

    #[cold]
    pub(super) fn store_failed(&self, context: &Context, kind: ErrorKind) {
        self.count.store_errors.one();
        context.emit(&Event::CacheFailed { kind });
    }
}
