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
use crate::slots::core::{Slots, Wish};
use crate::slots::parts::{Lent, Outcome, Todo};
use crate::slots::seat::Seat;
use crate::stats::Reason;
use crate::sync::{Mutex, lock};

type Chair = Arc<Seat<u32, io::Error>>;
type Core = Slots<u32, io::Error, Chair>;
type Todos = Todo<u32, io::Error, Chair>;

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

    fn act<T>(&self, change: impl FnOnce(&mut Core, Instant, &mut Todos) -> T) -> T {
        let mut todo = Todos::default();
        let result = change(&mut lock(&self.slots), self.now, &mut todo);
        self.perform(todo);
        result
    }

    fn perform(&self, todo: Todos) {
        self.tell(todo.tell);
        let Some(more) = todo.more else {
            return;
        };
        self.tell(more.tell);
        for _ in 0..more.open {
            let mut todo = Todos::default();
            lock(&self.slots).opened(7, 1, self.now, &mut todo);
            self.perform(todo);
        }
        for (_, reason) in more.close {
            let mut todo = Todos::default();
            lock(&self.slots).gone(reason, self.now, &mut todo);
            self.perform(todo);
        }
    }

    fn tell(&self, ends: impl IntoIterator<Item = (Chair, Outcome<u32, io::Error>)>) {
        for (seat, outcome) in ends {
            if let Err(Outcome::Lent(lent)) = seat.tell(outcome) {
                drop(self.act(|slots, now, todo| slots.give_up(lent, now, todo)));
            }
        }
    }

    /// Goes into the queue.
    fn enter(&self, waker: &Waker) -> (u64, Chair) {
        let (site, seat) = (Location::caller(), Arc::new(Seat::new(waker.clone())));
        let wish = Wish { waker: seat.clone(), site, since: self.now, until: None, here: None, place: None };
        let (place, _) = self.act(|slots, now, todo| slots.wait(wish, now, todo)).unwrap();
        (place, seat)
    }

    /// Leaves, whatever has come meanwhile.
    fn leave(&self, place: u64, seat: &Chair) {
        let waited = lock(&self.slots).leave(place);
        if let (false, Some(Outcome::Lent(lent))) = (waited, seat.leave()) {
            drop(self.act(|slots, now, todo| slots.give_up(lent, now, todo)));
        }
    }

    fn wait(&self) -> Outcome<u32, io::Error> {
        let mut seat = None;
        block_on(poll_fn(|cx| {
            let seat = seat.get_or_insert_with(|| self.enter(cx.waker()).1);
            seat.look(cx.waker()).map_or(Poll::Pending, Poll::Ready)
        }))
    }

    fn get(&self) -> Lent<u32> {
        let taken = lock(&self.slots).take(self.now, Location::caller());
        match taken.map_or_else(|| self.wait(), Outcome::Lent) {
            Outcome::Lent(lent) => lent,
            other => panic!("no connection: {other:?}"),
        }
    }

    fn give_back(&self, mut lent: Lent<u32>) {
        lent.conn.used(self.now);
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
        let thread = thread::spawn(move || {
            let (place, seat) = leaving.enter(Waker::noop());
            leaving.leave(place, &seat);
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
        let (_, seat) = model.enter(Waker::noop());
        let closing = model.clone();
        let thread = thread::spawn(move || closing.act(|slots, _, todo| slots.close(todo)));
        model.give_back(lent);
        thread.join().unwrap();
        match seat.look(Waker::noop()) {
            Some(Outcome::Closed) => {}
            Some(Outcome::Lent(lent)) => model.give_back(lent),
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
            let mut todo = Todos::default();
            let (lease, conn) = (lent.lease, lent.conn);
            drop(lock(&breaking.slots).give_back(lease, conn, broken, breaking.now, &mut todo));
            breaking.act(|slots, now, todo| slots.gone(Reason::Broken, now, todo));
        });
        let (_, seat) = model.enter(Waker::noop());
        thread.join().unwrap();
        let Some(Outcome::Lent(lent)) = seat.look(Waker::noop()) else { panic!("forgotten") };
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
