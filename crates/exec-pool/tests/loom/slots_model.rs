//! The slots of a pool: nobody is forgotten, nothing is lent twice, no capacity is lost.

use std::future::poll_fn;
use std::io;
use std::panic::Location;
use std::task::{Poll, Waker};

use loom::future::block_on;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use tokio::time::Instant;

use crate::config::Config;
use crate::slots::core::{Refused, Seen, Slots, Wish};
use crate::slots::parts::{Lent, Outcome, Todo};
use crate::stats::Reason;
use crate::sync::{Mutex, lock};

type Core = Slots<u32, io::Error, Waker>;

/// A pool whose connections are made at once, by whoever asks for them.
struct Model {
    slots: Mutex<Core>,
    now: Instant,
}

impl Model {
    fn new(max: usize) -> Arc<Self> {
        let slots = Slots::new(Config::new(max), 0, Box::new(|_| None));
        #[expect(clippy::disallowed_methods, reason = "tokio's clock is asked in no runtime here")]
        let now = Instant::from_std(std::time::Instant::now());
        Arc::new(Self { slots: Mutex::new(slots), now })
    }

    fn act<T>(&self, change: impl FnOnce(&mut Core, Instant, &mut Todo<u32, Waker>) -> T) -> T {
        let mut todo = Todo::default();
        let result = change(&mut lock(&self.slots), self.now, &mut todo);
        self.perform(todo);
        result
    }

    fn perform(&self, todo: Todo<u32, Waker>) {
        if let Some(waker) = todo.wake {
            waker.wake();
        }
        let Some(more) = todo.more else {
            return;
        };
        more.wake.into_iter().for_each(Waker::wake);
        for _ in 0..more.open {
            let mut todo = Todo::default();
            lock(&self.slots).opened(7, 1, self.now, &mut todo);
            self.perform(todo);
        }
        for (_, reason) in more.close {
            let mut todo = Todo::default();
            lock(&self.slots).gone(reason, self.now, &mut todo);
            self.perform(todo);
        }
    }

    /// Goes into the queue.
    fn enter(&self, waker: Waker) -> Result<(u64, Seen<u32, io::Error>), Refused> {
        let site = Location::caller();
        let wish = Wish { waker, site, since: self.now, until: None, here: None, place: None };
        self.act(|slots, now, todo| slots.wait(wish, now, todo))
    }

    fn look(&self, place: u64, waker: &Waker) -> Seen<u32, io::Error> {
        lock(&self.slots).look(place, |old| old.clone_from(waker))
    }

    fn wait(&self) -> Outcome<u32, io::Error> {
        let mut place = None;
        block_on(poll_fn(|cx| {
            let seen = match place {
                Some(place) => self.look(place, cx.waker()),
                None => {
                    let (at, seen) = self.enter(cx.waker().clone()).unwrap();
                    place = Some(at);
                    seen
                }
            };
            match seen {
                Seen::Ended(outcome) => Poll::Ready(outcome),
                Seen::Waiting { .. } => Poll::Pending,
            }
        }))
    }

    fn get(&self) -> Lent<u32> {
        let taken = lock(&self.slots).take(self.now, Location::caller());
        match taken.map_or_else(|| self.wait(), Outcome::Lent) {
            Outcome::Lent(lent) => lent,
            other => panic!("no connection: {other:?}"),
        }
    }

    fn give_back(&self, lent: Lent<u32>) {
        drop(self.act(|slots, now, todo| slots.give_back(lent.lease, lent.conn, None, now, todo)));
    }
}

/// Gets one, looks whether it is alone with it, and gives it back.
fn use_one(model: &Model, inside: &AtomicUsize) {
    let lent = model.get();
    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "one connection, two users");
    inside.fetch_sub(1, Ordering::SeqCst);
    model.give_back(lent);
}

fn at_rest(model: &Model, idle: usize) {
    let stats = lock(&model.slots).stats();
    assert_eq!((stats.total, stats.idle, stats.in_use, stats.leases), (idle, idle, 0, 0), "{stats:?}");
}

#[test]
fn everyone_gets_the_one_connection_and_has_it_alone() {
    loom::model(|| {
        let (model, inside) = (Model::new(1), Arc::new(AtomicUsize::new(0)));
        let (other, there) = (model.clone(), inside.clone());
        let thread = thread::spawn(move || use_one(&other, &there));
        use_one(&model, &inside);
        thread.join().unwrap();
        at_rest(&model, 1);
    });
}

#[test]
fn who_leaves_takes_nothing_along() {
    loom::model(|| {
        let model = Model::new(1);
        let lent = model.get();
        let leaving = model.clone();
        let thread = thread::spawn(move || match leaving.enter(Waker::noop().clone()).unwrap() {
            (_, Seen::Ended(Outcome::Lent(lent))) => leaving.give_back(lent),
            (place, _) => drop(leaving.act(|slots, now, todo| slots.leave(place, now, todo))),
        });
        model.give_back(lent);
        model.give_back(model.get());
        thread.join().unwrap();
        at_rest(&model, 1);
    });
}

#[test]
fn who_waits_when_the_pool_closes_is_told() {
    loom::model(|| {
        let model = Model::new(1);
        let lent = model.get();
        let (place, _) = model.enter(Waker::noop().clone()).unwrap();
        let closing = model.clone();
        let thread = thread::spawn(move || closing.act(|slots, _, todo| slots.close(todo)));
        model.give_back(lent);
        thread.join().unwrap();
        match model.look(place, Waker::noop()) {
            Seen::Ended(Outcome::Closed) => {}
            Seen::Ended(Outcome::Lent(lent)) => model.give_back(lent),
            other => panic!("forgotten: {other:?}"),
        }
        at_rest(&model, 0);
    });
}

#[test]
fn what_breaks_in_use_is_replaced_for_who_waits() {
    loom::model(|| {
        let model = Model::new(1);
        let lent = model.get();
        let breaking = model.clone();
        let thread = thread::spawn(move || {
            let broken = Some(Reason::Broken);
            let mut todo = Todo::default();
            let (lease, conn) = (lent.lease, lent.conn);
            drop(lock(&breaking.slots).give_back(lease, conn, broken, breaking.now, &mut todo));
            breaking.act(|slots, now, todo| slots.gone(Reason::Broken, now, todo));
        });
        let (place, seen) = model.enter(Waker::noop().clone()).unwrap();
        thread.join().unwrap();
        let ended = match seen {
            Seen::Waiting { .. } => model.look(place, Waker::noop()),
            ended => ended,
        };
        let Seen::Ended(Outcome::Lent(lent)) = ended else { panic!("forgotten: {ended:?}") };
        model.give_back(lent);
        at_rest(&model, 1);
    });
}

#[test]
fn a_larger_pool_serves_who_waits() {
    loom::model(|| {
        let model = Model::new(1);
        let lent = model.get();
        let growing = model.clone();
        let thread = thread::spawn(move || growing.act(|slots, now, todo| slots.resize(2, 0, now, todo)));
        let second = model.get();
        thread.join().unwrap();
        model.give_back(lent);
        model.give_back(second);
        at_rest(&model, 2);
    });
}
