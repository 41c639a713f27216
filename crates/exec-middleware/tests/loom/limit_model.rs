//! The queue of a limit: nobody is forgotten, and nobody is one too many.

use std::pin::pin;
use std::task::{Context, Poll};

use exec_core::Priority;
use futures_util::task::noop_waker_ref;
use loom::future::block_on;
use loom::sync::Arc as Shared;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::limit::bulkhead::Bulkhead;

/// Goes in, looks whether it is alone, and comes out.
fn visit(bulkhead: &std::sync::Arc<Bulkhead>, inside: &AtomicUsize) {
    let seat = block_on(bulkhead.enter(Priority::Normal)).unwrap();
    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
    inside.fetch_sub(1, Ordering::SeqCst);
    drop(seat);
}

#[test]
fn everyone_gets_in_and_one_at_a_time() {
    loom::model(|| {
        let (bulkhead, inside) = (Bulkhead::new(1, 10), Shared::new(AtomicUsize::new(0)));
        let (other, there) = (bulkhead.clone(), inside.clone());
        let thread = thread::spawn(move || visit(&other, &there));
        visit(&bulkhead, &inside);
        thread.join().unwrap();
        assert_eq!(bulkhead.in_flight(), 0);
    });
}

#[test]
fn who_leaves_the_queue_takes_no_place_along() {
    loom::model(|| {
        let bulkhead = Bulkhead::new(1, 10);
        let seat = bulkhead.try_enter().unwrap();
        let leaving = bulkhead.clone();
        let left = thread::spawn(move || {
            let mut waiting = Box::pin(leaving.enter(Priority::Normal));
            let _ = waiting.as_mut().poll(&mut Context::from_waker(noop_waker_ref()));
            drop(waiting);
        });
        drop(seat);
        block_on(bulkhead.enter(Priority::Normal)).unwrap();
        left.join().unwrap();
        assert_eq!((bulkhead.in_flight(), bulkhead.stats().waiting), (0, 0));
    });
}

#[test]
fn a_larger_limit_lets_in_who_waits() {
    loom::model(|| {
        let bulkhead = Bulkhead::new(1, 10);
        let seat = bulkhead.try_enter().unwrap();
        let growing = bulkhead.clone();
        let thread = thread::spawn(move || growing.resize(2).wake());
        block_on(bulkhead.enter(Priority::Normal)).unwrap();
        thread.join().unwrap();
        drop(seat);
        assert_eq!(bulkhead.in_flight(), 0);
    });
}

#[test]
fn a_smaller_limit_lets_nobody_in_too_early() {
    loom::model(|| {
        let bulkhead = Bulkhead::new(2, 10);
        let (one, two) = (bulkhead.try_enter().unwrap(), bulkhead.try_enter().unwrap());
        bulkhead.resize(1).wake();
        let leaving = bulkhead.clone();
        let thread = thread::spawn(move || drop(one));
        let mut waiting = pin!(leaving.enter(Priority::Normal));
        let poll = waiting.as_mut().poll(&mut Context::from_waker(noop_waker_ref()));
        assert!(matches!(poll, Poll::Pending), "one is still inside");
        thread.join().unwrap();
        drop(two);
        let poll = waiting.as_mut().poll(&mut Context::from_waker(noop_waker_ref()));
        assert!(matches!(poll, Poll::Ready(Ok(_))));
    });
}
