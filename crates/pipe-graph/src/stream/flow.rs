//! The ends of the queues that a pipe holds: it receives from its dependencies and sends to its dependents.

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::inbox::{Inbox, Message, Room, lock};
use crate::graph::PipeGraph;
use crate::pipe::PipeIndex;

/// Nobody receives any more: every dependent has ended. For most pipes a reason to end as well, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every pipe that reads this one has ended")]
pub struct Closed;

/// What pipes tell the run.
#[derive(Default)]
pub(crate) struct Signals {
    /// Pipes that are ready, or have passed this checkpoint. At most two entries a pipe.
    news: Vec<(PipeIndex, Signal)>,
    /// A source has sent so much that it is time for a checkpoint.
    pub(crate) due: bool,
    pub(crate) waker: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Ready,
    Passed(u64),
}

impl Signals {
    pub(crate) fn take(&mut self) -> Vec<(PipeIndex, Signal)> {
        std::mem::take(&mut self.news)
    }
}

/// What a pipe has sent and to whom.
pub(crate) struct Outbox<T> {
    lanes: Vec<(Arc<Mutex<Inbox<T>>>, usize)>,
    pub(crate) sent: u64,
    /// Items until a checkpoint is due, for a source.
    every: Option<u64>,
    since: u64,
}

impl<T> Outbox<T> {
    /// Puts a checkpoint behind everything that has been sent.
    pub(crate) fn mark(&mut self, checkpoint: u64) {
        self.since = 0;
        for (inbox, lane) in &self.lanes {
            let waker = lock(inbox).mark(*lane, checkpoint);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

/// The queues of one pipe. Dropping it tells both sides that this pipe is gone.
pub struct Flow<T> {
    pipe: PipeIndex,
    inbox: Arc<Mutex<Inbox<T>>>,
    outbox: Arc<Mutex<Outbox<T>>>,
    signals: Arc<Mutex<Signals>>,
    resume: u64,
    is_ready: bool,
    /// A checkpoint that was received and has not been passed on.
    passing: Option<u64>,
}

impl<T: Clone> Flow<T> {
    /// Says that this pipe will receive: only now may its dependencies start. The first [`recv`](Self::recv) says so
    /// too.
    pub fn ready(&mut self) {
        if !std::mem::replace(&mut self.is_ready, true) {
            self.signal(Signal::Ready);
        }
    }

    /// The checkpoint this run resumes from, 0 if from the beginning. What came before it has been committed by every
    /// pipe; a source goes on where it was then. As it may have committed one checkpoint more, it has to know where it
    /// was at the last two.
    #[must_use]
    pub fn resume(&self) -> u64 {
        self.resume
    }

    /// The next message of any dependency, in turn; `None` when all have ended, at once for a source.
    ///
    /// Receiving again after a checkpoint says that all that came before it has been dealt with. Dropping the future
    /// loses nothing.
    pub async fn recv(&mut self) -> Option<Message<T>> {
        self.ready();
        if let Some(checkpoint) = self.passing.take() {
            lock(&self.outbox).mark(checkpoint);
            self.signal(Signal::Passed(checkpoint));
        }
        let message = poll_fn(|context| {
            let (message, waker) = lock(&self.inbox).take(context);
            waker.into_iter().for_each(Waker::wake);
            message
        })
        .await;
        if let Some(Message::Checkpoint(checkpoint)) = message {
            self.passing = Some(checkpoint);
        }
        message
    }

    /// Sends an item to every dependent, as soon as all of them have room. What nobody reads is dropped.
    ///
    /// Dropping the future has sent the item to none of them.
    ///
    /// # Errors
    /// When there were dependents and all have ended.
    pub async fn send(&mut self, item: T) -> Result<(), Closed> {
        let mut item = Some(item);
        poll_fn(|context| self.poll_send(context, &mut item)).await
    }

    fn poll_send(&self, context: &Context<'_>, item: &mut Option<T>) -> Poll<Result<(), Closed>> {
        let mut outbox = lock(&self.outbox);
        let (mut live, mut full) = (0, false);
        for (inbox, lane) in &outbox.lanes {
            let room = lock(inbox).room(*lane, context);
            live += usize::from(room != Room::Closed);
            full |= room == Room::Full;
        }
        if full {
            return Poll::Pending;
        }
        if live == 0 && !outbox.lanes.is_empty() {
            return Poll::Ready(Err(Closed));
        }
        for (inbox, lane) in &outbox.lanes {
            let mut inbox = lock(inbox);
            if inbox.is_closed() {
                continue;
            }
            live = live.saturating_sub(1);
            // The last one gets the item itself.
            let copy = if live > 0 { item.clone() } else { item.take() };
            let waker = copy.and_then(|copy| inbox.push(*lane, copy));
            drop(inbox);
            waker.into_iter().for_each(Waker::wake);
        }
        outbox.sent += 1;
        outbox.since += 1;
        let due = outbox.every.is_some_and(|every| outbox.since >= every);
        drop(outbox);
        if due {
            self.checkpoint_due();
        }
        Poll::Ready(Ok(()))
    }

    fn checkpoint_due(&self) {
        let mut signals = lock(&self.signals);
        if std::mem::replace(&mut signals.due, true) {
            return;
        }
        let waker = signals.waker.take();
        drop(signals);
        waker.into_iter().for_each(Waker::wake);
    }

    fn signal(&self, signal: Signal) {
        let mut signals = lock(&self.signals);
        signals.news.push((self.pipe, signal));
        let waker = signals.waker.take();
        drop(signals);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for Flow<T> {
    fn drop(&mut self) {
        let (items, wakers) = lock(&self.inbox).close();
        drop(items);
        wakers.into_iter().for_each(Waker::wake);
        for (inbox, lane) in &lock(&self.outbox).lanes {
            let waker = lock(inbox).end(*lane);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl<T> fmt::Debug for Flow<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Flow").field("pipe", &self.pipe).finish_non_exhaustive()
    }
}

/// The queues of a whole graph.
pub(crate) struct Wiring<T> {
    /// By pipe; empty once the pipe has started or never will.
    pub(crate) flows: Vec<Option<Flow<T>>>,
    pub(crate) outboxes: Vec<Arc<Mutex<Outbox<T>>>>,
    pub(crate) signals: Arc<Mutex<Signals>>,
}

/// Lays a queue along every edge.
pub(crate) fn wire<T>(graph: &PipeGraph, capacity: usize, every: Option<u64>, resume: u64) -> Wiring<T> {
    let inbox = |pipe| Arc::new(Inbox::new(graph.dependencies(pipe), capacity));
    let inboxes: Vec<_> = graph.indices().map(inbox).collect();
    let outbox = |pipe: PipeIndex| {
        let lanes = graph.dependents(pipe).iter().map(|reader| {
            let lane = graph.dependencies(*reader).binary_search(&pipe).unwrap_or_default();
            (Arc::clone(&inboxes[reader.get()]), lane)
        });
        let every = every.filter(|_| graph.dependencies(pipe).is_empty());
        Arc::new(Mutex::new(Outbox { lanes: lanes.collect(), sent: 0, every, since: 0 }))
    };
    let outboxes: Vec<_> = graph.indices().map(outbox).collect();
    let signals = Arc::new(Mutex::new(Signals::default()));
    let flow = |pipe: PipeIndex| {
        let (inbox, outbox) = (Arc::clone(&inboxes[pipe.get()]), Arc::clone(&outboxes[pipe.get()]));
        let signals = Arc::clone(&signals);
        Some(Flow { pipe, inbox, outbox, signals, resume, is_ready: false, passing: None })
    };
    let flows = graph.indices().map(flow).collect();
    Wiring { flows, outboxes, signals }
}
