//! Events for whoever wants to hear them, each at their own pace.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use exec_core::{Context, Error, ErrorKind, Event, EventSink, Result};
use futures_util::Stream;

use crate::sync::lock;

/// More subscribers are a leak of somebody's.
const MOST_SUBSCRIBERS: usize = 256;

/// An event with the call it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The identifier of the execution.
    pub id: Arc<str>,
    /// Who asked.
    pub tenant: Option<Arc<str>>,
    /// How long the execution had been going on.
    pub elapsed: Duration,
    /// What happened.
    pub event: Event,
}

/// Carries events to subscribers, of which none can harm the execution or another. A clone is a handle of the same bus.
///
/// Telling never waits: each subscriber has a queue of its own, of the length it asked for. When it is full the oldest event
/// is lost, and counted. Up to 256 subscribe at once; without any, telling costs one short lock.
///
/// Which neighbour do I want instead? For figures, [`Metrics`](crate::Metrics); for logs, the
/// [`TracingSink`](exec_core::TracingSink) that is there by default.
///
/// ```
/// use std::num::NonZeroUsize;
/// use std::sync::Arc;
/// use exec_core::testing::{Answer, Script};
/// use exec_core::{Chat, Context, Executor, Pipeline, Request};
/// use exec_middleware::{EventBus, Trace};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let bus = EventBus::new();
/// let mut all = bus.subscribe(NonZeroUsize::new(100).unwrap()).unwrap();
/// let pipeline = Pipeline::around(Script::new("s", [Answer::text("x")])).with(Trace::default());
/// let context = Context::new("call-1").with_events(Arc::new(bus));
/// pipeline.execute(Request::chat(Chat::user("hi")), &context).await.unwrap();
///
/// let told = all.next().await.unwrap();
/// assert_eq!((&*told.id, told.event.name(), all.lost()), ("call-1", "started", 0));
/// # }
/// ```
#[derive(Clone, Default)]
pub struct EventBus(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Replaced as a whole, so that telling holds no lock while it goes through them.
    queues: Mutex<Arc<[Arc<Queue>]>>,
}

type Wanted = dyn Fn(&Event) -> bool + Send + Sync;

struct Queue {
    wanted: Option<Box<Wanted>>,
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: VecDeque<Arc<Told>>,
    lost: u64,
    waiting: Option<Waker>,
    closed: bool,
}

impl EventBus {
    /// A bus that nobody hears yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hears of every event from now on, at most `most` of them waiting to be read.
    ///
    /// # Errors
    /// `Overloaded` when there are 256 subscribers already.
    pub fn subscribe(&self, most: NonZeroUsize) -> Result<Subscription> {
        self.add(most, None)
    }

    /// The same for those events only that are `wanted`. It is asked on the path of the execution: it must be quick, and
    /// one that panics is told nothing.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_to(
        &self,
        most: NonZeroUsize,
        wanted: impl Fn(&Event) -> bool + Send + Sync + 'static,
    ) -> Result<Subscription> {
        self.add(most, Some(Box::new(wanted)))
    }

    /// How many subscribers there are.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        lock(&self.0.queues).len()
    }

    fn add(&self, most: NonZeroUsize, wanted: Option<Box<Wanted>>) -> Result<Subscription> {
        let queue = Arc::new(Queue { wanted, most: most.get(), state: Mutex::default() });
        let mut queues = lock(&self.0.queues);
        if queues.len() >= MOST_SUBSCRIBERS {
            return Err(Error::new(ErrorKind::Overloaded, "256 subscribers hear of the events already"));
        }
        *queues = queues.iter().cloned().chain([queue.clone()]).collect();
        Ok(Subscription { queue, bus: Arc::downgrade(&self.0) })
    }
}

impl EventSink for EventBus {
    fn emit(&self, context: &Context, event: &Event) {
        let queues = lock(&self.0.queues).clone();
        let mut told = None;
        for queue in queues.iter().filter(|queue| queue.wants(event)) {
            let told = told.get_or_insert_with(|| {
                Arc::new(Told {
                    id: context.id().clone(),
                    tenant: context.tenant().cloned(),
                    elapsed: context.elapsed(),
                    event: event.clone(),
                })
            });
            queue.push(told.clone());
        }
    }
}

impl Queue {
    fn wants(&self, event: &Event) -> bool {
        let ask = |wanted: &Wanted| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wanted(event)));
        self.wanted.as_ref().is_none_or(|wanted| ask(wanted).unwrap_or(false))
    }

    fn push(&self, told: Arc<Told>) {
        let mut state = lock(&self.state);
        if state.events.len() >= self.most {
            state.events.pop_front();
            state.lost = state.lost.saturating_add(1);
        }
        state.events.push_back(told);
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        lock(&self.queues).iter().for_each(|queue| queue.close());
    }
}

/// Events that wait to be read, oldest first. A stream, which ends when the bus is gone. Dropping it unsubscribes.
#[must_use = "a subscription that is dropped hears nothing"]
pub struct Subscription {
    queue: Arc<Queue>,
    bus: Weak<Inner>,
}

impl Subscription {
    /// Waits for the next event; `None` when the bus is gone and everything was read. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Arc<Told>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Arc<Told>> {
        lock(&self.queue.state).events.pop_front()
    }

    /// How many events were lost because they were not read in time.
    #[must_use]
    pub fn lost(&self) -> u64 {
        lock(&self.queue.state).lost
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Arc<Told>>> {
        let mut state = lock(&self.queue.state);
        match state.events.pop_front() {
            Some(told) => Poll::Ready(Some(told)),
            None if state.closed => Poll::Ready(None),
            None => {
                state.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Arc<Told>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(bus) = self.bus.upgrade() {
            let mut queues = lock(&bus.queues);
            *queues = queues.iter().filter(|queue| !Arc::ptr_eq(queue, &self.queue)).cloned().collect();
        }
    }
}

impl fmt::Debug for EventBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventBus({} subscribers)", self.subscribers())
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.queue.state);
        write!(f, "Subscription({} of {} waiting, {} lost)", state.events.len(), self.queue.most, state.lost)
    }
}
