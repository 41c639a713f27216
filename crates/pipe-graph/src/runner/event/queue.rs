//! The bounded queue between a run and a listener. The run never waits for it, so a listener can only hurt itself.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

use super::Event;

/// A queue that holds at most so many events: the end for a run, and the end for a listener.
///
/// When the listener is too slow, new events are not queued but counted, see [`Events::missed`].
#[must_use]
pub fn event_channel(capacity: NonZeroUsize) -> (EventSink, Events) {
    let queue = Queue { capacity: capacity.get(), sinks: 1, ..Queue::default() };
    let queue = Arc::new(Mutex::new(queue));
    (EventSink(Arc::clone(&queue)), Events(queue))
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    capacity: usize,
    missed: u64,
    sinks: usize,
    deaf: bool,
    waker: Option<Waker>,
}

type Shared = Arc<Mutex<Queue>>;

fn lock(queue: &Shared) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where runs put events: [`PlanRunner::listener`](crate::PlanRunner::listener). The queue ends with its last clone.
#[derive(Debug)]
pub struct EventSink(Shared);

impl EventSink {
    pub(crate) fn push(&self, event: Event) {
        let mut queue = lock(&self.0);
        if queue.deaf {
            return;
        }
        if queue.events.len() < queue.capacity {
            queue.events.push_back(event);
        } else {
            queue.missed += 1;
        }
        wake(queue);
    }
}

/// Wakes the listener after the lock is gone, because a waker is somebody else's code.
fn wake(mut queue: MutexGuard<'_, Queue>) {
    let waker = queue.waker.take();
    drop(queue);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Clone for EventSink {
    fn clone(&self) -> Self {
        lock(&self.0).sinks += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for EventSink {
    fn drop(&mut self) {
        let mut queue = lock(&self.0);
        queue.sinks -= 1;
        if queue.sinks == 0 {
            wake(queue);
        }
    }
}

/// Events of runs, in order: a stream that ends when all sinks are gone.
#[derive(Debug)]
pub struct Events(Shared);

impl Events {
    /// The events that have come so far, without waiting.
    pub fn drain(&mut self) -> Vec<Event> {
        lock(&self.0).events.drain(..).collect()
    }

    /// How many events came while the queue was full and were lost.
    #[must_use]
    pub fn missed(&self) -> u64 {
        lock(&self.0).missed
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut queue = lock(&self.0);
        if let Some(event) = queue.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if queue.sinks == 0 {
            return Poll::Ready(None);
        }
        queue.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut queue = lock(&self.0);
        queue.deaf = true;
        let events = std::mem::take(&mut queue.events);
        drop(queue);
        drop(events);
    }
}
