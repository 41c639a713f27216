//! The bounded queues in front of a pipe: one lane per dependency.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::pipe::PipeIndex;

/// What a pipe receives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<T> {
    /// An item, and the pipe that sent it.
    Item(PipeIndex, T),
    /// Everything sent before this checkpoint has been received. Whatever the pipe makes of it must have been sent, and
    /// be ready to be committed, before it receives again.
    Checkpoint(u64),
}

enum Packet<T> {
    Item(T),
    /// Not counted: at most one checkpoint is open at a time.
    Mark(u64),
}

struct Lane<T> {
    from: PipeIndex,
    queue: VecDeque<Packet<T>>,
    items: usize,
    /// Has delivered its mark and now waits for the other lanes.
    aligned: Option<u64>,
    /// Nothing comes any more.
    ended: bool,
    sender: Option<Waker>,
}

pub(crate) struct Inbox<T> {
    lanes: Vec<Lane<T>>,
    capacity: usize,
    closed: bool,
    receiver: Option<Waker>,
    /// The lane whose turn it is.
    next: usize,
}

/// What a sender finds at a lane.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Free,
    Full,
    Closed,
}

impl<T> Inbox<T> {
    pub(crate) fn new(dependencies: &[PipeIndex], capacity: usize) -> Mutex<Self> {
        let lane = |&from| Lane {
            from,
            queue: VecDeque::new(),
            items: 0,
            aligned: None,
            ended: false,
            sender: None,
        };
        let lanes = dependencies.iter().map(lane).collect();
        Mutex::new(Self { lanes, capacity, closed: false, receiver: None, next: 0 })
    }

    /// Whether the receiver is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether an item can be pushed to this lane; if not, the sender is woken when it can.
    pub(crate) fn room(&mut self, lane: usize, context: &Context<'_>) -> Room {
        if self.closed {
            return Room::Closed;
        }
        let lane = &mut self.lanes[lane];
        if lane.items < self.capacity {
            return Room::Free;
        }
        lane.sender = Some(context.waker().clone());
        Room::Full
    }

    /// Adds an item to a lane that has room. Returns whom to wake.
    pub(crate) fn push(&mut self, lane: usize, item: T) -> Option<Waker> {
        let lane = &mut self.lanes[lane];
        lane.items += 1;
        lane.queue.push_back(Packet::Item(item));
        self.receiver.take()
    }

    pub(crate) fn mark(&mut self, lane: usize, checkpoint: u64) -> Option<Waker> {
        if !self.closed {
            self.lanes[lane].queue.push_back(Packet::Mark(checkpoint));
        }
        self.receiver.take()
    }

    pub(crate) fn end(&mut self, lane: usize) -> Option<Waker> {
        self.lanes[lane].ended = true;
        self.receiver.take()
    }

    /// The receiver is gone. Returns what was queued, to be dropped outside the lock, and whom to wake.
    pub(crate) fn close(&mut self) -> (Vec<T>, Vec<Waker>) {
        self.closed = true;
        let queued = self.lanes.iter_mut().flat_map(|lane| lane.queue.drain(..));
        let items = queued.filter_map(|packet| match packet {
            Packet::Item(item) => Some(item),
            Packet::Mark(_) => None,
        });
        let items = items.collect();
        (items, self.lanes.iter_mut().filter_map(|lane| lane.sender.take()).collect())
    }

    /// The next message, lane by lane in turn, and the sender that has room now. `None` when all lanes have ended.
    pub(crate) fn take(&mut self, context: &Context<'_>) -> (Poll<Option<Message<T>>>, Option<Waker>) {
        let count = self.lanes.len();
        for step in 0..count {
            let number = (self.next + step) % count;
            let lane = &mut self.lanes[number];
            if lane.aligned.is_some() {
                continue;
            }
            match lane.queue.pop_front() {
                Some(Packet::Item(item)) => {
                    lane.items -= 1;
                    self.next = number + 1;
                    return (Poll::Ready(Some(Message::Item(lane.from, item))), lane.sender.take());
                }
                Some(Packet::Mark(checkpoint)) => lane.aligned = Some(checkpoint),
                None => {}
            }
        }
        if let Some(checkpoint) = self.align() {
            return (Poll::Ready(Some(Message::Checkpoint(checkpoint))), None);
        }
        if self.lanes.iter().all(|lane| lane.ended && lane.queue.is_empty()) {
            return (Poll::Ready(None), None);
        }
        self.receiver = Some(context.waker().clone());
        (Poll::Pending, None)
    }

    /// The checkpoint that has come on every lane that can still bring anything.
    fn align(&mut self) -> Option<u64> {
        let checkpoint = self.lanes.iter().filter_map(|lane| lane.aligned).max()?;
        let there =
            |lane: &Lane<T>| lane.aligned == Some(checkpoint) || (lane.ended && lane.queue.is_empty());
        if !self.lanes.iter().all(there) {
            return None;
        }
        self.lanes.iter_mut().for_each(|lane| lane.aligned = None);
        Some(checkpoint)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
