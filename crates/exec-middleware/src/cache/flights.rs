//! The calls that are under way, each shared by everybody who asks the same.
//!
//! A call is one stream of [`News`] behind a [`Relay`]: its readers drive it, and without readers it ends. There are never
//! more of them than calls of this cache that wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use exec_core::{Chunk, Error, Report};
use futures_util::stream::BoxStream;

use super::entry::{Body, Entry, chunk_weight};
use super::key::Key;
use super::relay::{Reader, Relay};
use crate::sync::lock;

/// What the readers of a shared call learn, in this order: one of the first four, and after `Began` pieces, until the last
/// one or `Failed`.
#[derive(Clone)]
pub(super) enum News {
    /// Somebody else had kept the answer meanwhile.
    Found(Arc<Entry>),
    /// The answer came whole.
    Whole(Body, Arc<Report>),
    /// The call failed, before or after it began.
    Failed(Error),
    /// The answer begins.
    Began(Arc<Report>),
    Piece(Chunk),
}

impl News {
    fn weight(&self) -> usize {
        match self {
            Self::Piece(chunk) => chunk_weight(chunk),
            Self::Whole(body, _) => body.weight(),
            Self::Found(_) | Self::Failed(_) | Self::Began(_) => 0,
        }
    }
}

pub(super) type Source = BoxStream<'static, News>;
pub(super) type Listener = Reader<Source>;

/// Which calls may be shared: those with one key that want the answer in one shape and agree whether it is to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shared {
    pub(super) key: Key,
    pub(super) stream: bool,
    pub(super) fill: bool,
}

#[derive(Default)]
pub(super) struct Flights(Mutex<Map>);

#[derive(Default)]
struct Map {
    flights: HashMap<Shared, (u64, Weak<Relay<Source>>)>,
    next: u64,
}

/// How somebody came to listen.
pub(super) enum Joined {
    /// As the first.
    Leads(Listener),
    /// While it was under way.
    Follows(Listener),
}

impl Flights {
    /// Listens to the call that is under way, or to the one that `make` makes. Whoever asks for a `fresh` one does not
    /// join, and is joined by those who come later.
    pub(super) fn join(
        self: &Arc<Self>,
        shared: &Shared,
        room: usize,
        fresh: bool,
        make: impl FnOnce(Place) -> Source,
    ) -> Joined {
        let mut map = lock(&self.0);
        let known = map.flights.get(shared).and_then(|(_, relay)| relay.upgrade());
        if let Some(listener) = known.as_ref().filter(|_| !fresh).and_then(Relay::join) {
            drop(map);
            return Joined::Follows(listener);
        }
        map.next += 1;
        let id = map.next;
        let relay =
            Relay::new(make(Place { flights: self.clone(), shared: shared.clone(), id }), room, News::weight);
        map.flights.insert(shared.clone(), (id, Arc::downgrade(&relay)));
        let listener = Relay::first(relay);
        drop(map);
        // Only now: it may be the last of its readers, and then it gives up its place, which takes the lock.
        drop(known);
        Joined::Leads(listener)
    }

    /// Listens to a call that `make` makes, unless one is under way.
    pub(super) fn lead(
        self: &Arc<Self>,
        shared: &Shared,
        room: usize,
        make: impl FnOnce(Place) -> Source,
    ) -> Option<Listener> {
        match self.join(shared, room, false, make) {
            Joined::Leads(listener) => Some(listener),
            Joined::Follows(_) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0).flights.len()
    }
}

/// The place of a call among those that can be joined. Given up when dropped.
pub(super) struct Place {
    flights: Arc<Flights>,
    shared: Shared,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut map = lock(&self.flights.0);
        if map.flights.get(&self.shared).is_some_and(|(id, _)| *id == self.id) {
            map.flights.remove(&self.shared);
        }
    }
}
