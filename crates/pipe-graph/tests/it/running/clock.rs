//! Virtual time: a clock that moves on when nothing else can happen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pipe_graph::Clock;

#[derive(Clone, Debug, Default)]
pub(crate) struct Virtual(Arc<Mutex<Timers>>);

#[derive(Debug, Default)]
struct Timers {
    now: Duration,
    next: u64,
    due: BinaryHeap<Reverse<(Duration, u64)>>,
    wakers: BTreeMap<u64, Waker>,
}

struct Sleep {
    clock: Virtual,
    until: Duration,
    number: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.clock.0.lock().unwrap();
        if timers.now >= self.until {
            return Poll::Ready(());
        }
        timers.wakers.insert(self.number, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.0.lock().unwrap().wakers.remove(&self.number);
    }
}

impl Clock for Virtual {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().now
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let mut timers = self.0.lock().unwrap();
        let (until, number) = (timers.now + time, timers.next);
        timers.next += 1;
        timers.due.push(Reverse((until, number)));
        Sleep { clock: self.clone(), until, number }.boxed()
    }
}

impl Virtual {
    /// Moves to the next timer that somebody waits for.
    fn advance(&self) -> bool {
        let mut timers = self.0.lock().unwrap();
        while let Some(Reverse((until, number))) = timers.due.pop() {
            if let Some(waker) = timers.wakers.remove(&number) {
                timers.now = timers.now.max(until);
                drop(timers);
                waker.wake();
                return true;
            }
        }
        false
    }

    /// Timers that somebody still holds.
    pub(crate) fn pending(&self) -> usize {
        self.0.lock().unwrap().wakers.len()
    }

    /// Runs a future to its end, and moves time when it has nothing to do.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            while woken.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return output;
                }
            }
            assert!(self.advance(), "nothing runs and nobody waits for time to pass");
        }
    }

    /// Like `block_on`, but drops the future after so many polls. `None` if it was dropped.
    pub(crate) fn block_for<F: Future>(&self, polls: usize, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        for _ in 0..polls {
            if !woken.0.swap(false, Ordering::SeqCst) {
                assert!(self.advance(), "nothing runs and nobody waits for time to pass");
                continue;
            }
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(output);
            }
        }
        None
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
