//! The queue, shared: places that are given back when they are dropped, and a wait that can be dropped at any time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use exec_core::Priority;

use super::queue::{Full, Place, Queue};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// A [`Queue`] for many callers.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    queue: Mutex<Queue<Waker>>,
    admitted: AtomicU64,
    full: AtomicU64,
    late: AtomicU64,
    left: AtomicU64,
}

/// A look at a limit. Counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStats {
    /// How many calls may be under way.
    pub limit: usize,
    /// How many are.
    pub in_flight: usize,
    /// How many wait.
    pub waiting: usize,
    /// The most that ever were under way.
    pub peak: usize,
    /// Calls that were let through.
    pub admitted: u64,
    /// Calls that were refused because the queue was full.
    pub full: u64,
    /// Calls that were refused because they had waited long enough.
    pub late: u64,
    /// Calls that left while they waited.
    pub left: u64,
}

impl Bulkhead {
    pub(crate) fn new(limit: usize, most_waiting: usize) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::new(Queue::new(limit, most_waiting)),
            admitted: AtomicU64::new(0),
            full: AtomicU64::new(0),
            late: AtomicU64::new(0),
            left: AtomicU64::new(0),
        })
    }

    /// A place if there is one now. Nobody is overtaken: somebody waits only while there is none.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Seat> {
        lock(&self.queue).enter().then(|| self.seat())
    }

    /// Waits for a place. Dropping the future leaves the queue, and gives the place back if it was there already.
    pub(crate) fn enter(self: &Arc<Self>, priority: Priority) -> Enter {
        Enter { bulkhead: self.clone(), priority, place: None }
    }

    /// Changes the limit. Those who are let in by it are to be woken when the caller holds no lock: whoever is woken may
    /// end, and come back here.
    #[must_use = "who is let in must be woken"]
    pub(crate) fn resize(&self, limit: usize) -> Woken {
        Woken(lock(&self.queue).resize(limit))
    }

    pub(crate) fn limit(&self) -> usize {
        lock(&self.queue).limit()
    }

    pub(crate) fn in_flight(&self) -> usize {
        lock(&self.queue).inside()
    }

    /// Notes that one who waited was refused for it.
    pub(crate) fn refused_late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
        self.left.fetch_sub(1, Ordering::Relaxed);
    }

    /// Notes that one was refused without waiting.
    pub(crate) fn refused_full(&self) {
        self.full.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> LimitStats {
        let queue = lock(&self.queue);
        LimitStats {
            limit: queue.limit(),
            in_flight: queue.inside(),
            waiting: queue.waiting(),
            peak: queue.peak(),
            admitted: self.admitted.load(Ordering::Relaxed),
            full: self.full.load(Ordering::Relaxed),
            late: self.late.load(Ordering::Relaxed),
            left: self.left.load(Ordering::Relaxed),
        }
    }

    fn seat(self: &Arc<Self>) -> Seat {
        self.admitted.fetch_add(1, Ordering::Relaxed);
        Seat(self.clone())
    }
}

/// Those who were let in and do not know yet.
#[derive(Debug, Default)]
pub(crate) struct Woken(Vec<Waker>);

impl Woken {
    pub(crate) fn wake(self) {
        self.0.into_iter().for_each(Waker::wake);
    }
}

/// A place inside, given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Bulkhead>);

impl Drop for Seat {
    fn drop(&mut self) {
        let next = lock(&self.0.queue).leave();
        wake(next);
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The wait for a place: see [`Bulkhead::enter`].
#[derive(Debug)]
pub(crate) struct Enter {
    bulkhead: Arc<Bulkhead>,
    priority: Priority,
    place: Option<Place>,
}

impl Enter {
    fn poll_place(&mut self, waker: &Waker) -> Poll<Result<(), Full>> {
        let mut queue = lock(&self.bulkhead.queue);
        match self.place {
            Some(place) if queue.still_waits(place, || waker.clone()) => return Poll::Pending,
            Some(_) => {}
            None if queue.enter() => {}
            None => {
                self.place = match queue.wait(self.priority, waker.clone()) {
                    Ok(place) => Some(place),
                    Err(full) => return Poll::Ready(Err(full)),
                };
                return Poll::Pending;
            }
        }
        self.place = None;
        Poll::Ready(Ok(()))
    }
}

impl Future for Enter {
    type Output = Result<Seat, Full>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.poll_place(cx.waker()).map(|place| place.map(|()| self.bulkhead.seat()))
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.bulkhead.left.fetch_add(1, Ordering::Relaxed);
            let next = lock(&self.bulkhead.queue).give_up(place);
            wake(next);
        }
    }
}
