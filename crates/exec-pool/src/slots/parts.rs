//! What the slots are made of: connections with their dates, leases with their places, and what is to be done.

use std::panic::Location;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{ConnectError, LeaseInfo, Stage};
use crate::stats::Reason;

/// A connection and its dates, which are in a box because it moves with every lease.
#[derive(Debug)]
pub(crate) struct Conn<C> {
    pub(crate) inner: C,
    pub(super) dates: Box<Dates>,
}

/// What is known of a connection.
#[derive(Clone, Debug)]
pub(super) struct Dates {
    pub(super) id: u64,
    /// How many leases may share it.
    pub(super) streams: usize,
    /// Its share of the jitter, 0 to 1.
    pub(super) jitter: f64,
    /// When it is too old; `None`: never.
    pub(super) ends: Option<Instant>,
    /// When it was used last.
    pub(super) used: Instant,
    /// When it was last known to work.
    pub(super) good: Instant,
}

impl<C> Conn<C> {
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.dates.ends.is_some_and(|ends| ends <= now)
    }

    /// Notes that it was used until now. It is the caller who does it, while it does not hold the lock.
    pub(crate) fn used(&mut self, now: Instant) {
        (self.dates.used, self.dates.good) = (now, now);
    }

    /// Another handle of the same connection.
    pub(super) fn handle(&self, inner: C) -> Self {
        Self { inner, dates: self.dates.clone() }
    }
}

/// A connection that several leases may use at once, while at least one does.
#[derive(Debug)]
pub(super) struct Shared<C> {
    pub(super) conn: Conn<C>,
    /// Leases that are out.
    pub(super) used: usize,
    /// Why nobody else gets it.
    pub(super) retired: Option<Reason>,
}

impl<C> Shared<C> {
    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.retired.is_none() && !self.conn.is_over(now) && self.used < self.conn.dates.streams
    }
}

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiting<W> {
    pub(super) waker: W,
    pub(super) site: &'static Location<'static>,
    pub(super) since: Instant,
    /// When the keeper ends the wait; `None`: the caller does it.
    pub(super) until: Option<Instant>,
}

/// A connection in the hands of a caller.
#[derive(Debug)]
pub(crate) struct Lent<C> {
    pub(crate) conn: Conn<C>,
    pub(crate) lease: usize,
    pub(super) waited: Duration,
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Outcome<C, E: std::error::Error + 'static> {
    Lent(Lent<C>),
    Failed(ConnectError<E>),
    Late(Stage, Duration),
    Closed,
}

/// What must be done once the lock is free: the slots neither wake nor run anything.
#[derive(Debug)]
pub(crate) struct Todo<C, E: std::error::Error + 'static, W> {
    /// Whose wait has ended. Most often this is all, and no more than one.
    pub(crate) tell: Option<(W, Outcome<C, E>)>,
    pub(crate) more: Option<Box<More<C, E, W>>>,
}

/// What is to be done now and then.
#[derive(Debug)]
pub(crate) struct More<C, E: std::error::Error + 'static, W> {
    pub(crate) tell: Vec<(W, Outcome<C, E>)>,
    /// How many connections to make.
    pub(crate) open: usize,
    pub(crate) check: Vec<Conn<C>>,
    pub(crate) close: Vec<(Conn<C>, Reason)>,
    /// The keeper has an earlier appointment than it knows of.
    pub(crate) ring: bool,
    /// The last connection of a closed pool is gone.
    pub(crate) empty: bool,
}

impl<C, E: std::error::Error + 'static, W> Default for Todo<C, E, W> {
    fn default() -> Self {
        Self { tell: None, more: None }
    }
}

impl<C, E: std::error::Error + 'static, W> Default for More<C, E, W> {
    fn default() -> Self {
        Self { tell: Vec::new(), open: 0, check: Vec::new(), close: Vec::new(), ring: false, empty: false }
    }
}

impl<C, E: std::error::Error + 'static, W> Todo<C, E, W> {
    pub(super) fn tell(&mut self, who: W, outcome: Outcome<C, E>) {
        match self.tell {
            None => self.tell = Some((who, outcome)),
            Some(_) => self.more().tell.push((who, outcome)),
        }
    }

    pub(super) fn more(&mut self) -> &mut More<C, E, W> {
        self.more.get_or_insert_default()
    }
}

/// The leases that are out, by number.
#[derive(Debug, Default)]
pub(super) struct Leases {
    places: Vec<Option<Place>>,
    free: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    site: &'static Location<'static>,
    since: Instant,
    reported: bool,
}

impl Leases {
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn add(&mut self, site: &'static Location<'static>, since: Instant) -> usize {
        let place = Some(Place { site, since, reported: false });
        if let Some(at) = self.free.pop() {
            self.places[at] = place;
            return at;
        }
        self.places.push(place);
        self.places.len() - 1
    }

    pub(super) fn remove(&mut self, at: usize) {
        if self.places.get_mut(at).is_some_and(|place| place.take().is_some()) {
            self.free.push(at);
        }
    }

    pub(super) fn list(&self, now: Instant) -> Vec<LeaseInfo> {
        self.places.iter().flatten().map(|place| place.info(now)).collect()
    }

    /// Those held for `limit` that were not reported yet.
    pub(super) fn overdue(&mut self, limit: Duration, now: Instant) -> Vec<LeaseInfo> {
        let places = self.places.iter_mut().flatten();
        let overdue = places.filter(|place| !place.reported && now >= place.since + limit);
        let report = |place: &mut Place| {
            place.reported = true;
            place.info(now)
        };
        overdue.map(report).collect()
    }

    /// When the next one will have been held for `limit`.
    pub(super) fn next_overdue(&self, limit: Duration) -> Option<Instant> {
        let waiting = self.places.iter().flatten().filter(|place| !place.reported);
        waiting.map(|place| place.since + limit).min()
    }
}

impl Place {
    fn info(&self, now: Instant) -> LeaseInfo {
        LeaseInfo { site: self.site, held: now.saturating_duration_since(self.since) }
    }
}
