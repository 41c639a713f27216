//! One stream that many read: each from its beginning, whoever comes when, and nobody in particular drives it.
//!
//! Whichever reader wants more polls the source for all; there is no task. A reader that leaves wakes the others, so that
//! one of them goes on. When the last one leaves the source is dropped. While nothing was thrown away a new reader may
//! join and gets what there was before; once more than so much was read, the relay takes no more readers and keeps only
//! what its readers still need, and of that at most twice as much.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures_util::{Stream, StreamExt};

use crate::sync::{Mutex, MutexGuard, lock};

/// Why a reader gets no more although the source did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gone {
    /// It was so slow that what it wants next is thrown away.
    Lagged,
    /// The source panicked.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Everything is still here.
    Open,
    /// The beginning may be gone.
    Outgrown,
    Over,
    Broken,
}

pub(crate) struct Relay<S: Stream> {
    state: Mutex<State<S>>,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
    weigh: fn(&S::Item) -> usize,
    room: usize,
}

struct State<S: Stream> {
    /// Absent while somebody polls it, and when it is over.
    source: Option<S>,
    phase: Phase,
    items: VecDeque<(S::Item, usize)>,
    /// How many items were thrown away.
    first: u64,
    weight: usize,
    /// Where each reader is.
    readers: Vec<Option<u64>>,
    free: Vec<usize>,
}

/// The readers that wait. Apart from the state, because the source knows it and must not keep itself alive.
struct Bell(Mutex<Vec<Option<Waker>>>);

impl Bell {
    fn ring(&self) {
        let waiting: Vec<Waker> = lock(&self.0).iter_mut().filter_map(Option::take).collect();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// The waker that was there before is handed out, because it must not be dropped under a lock.
    fn register(&self, slot: usize, waker: &Waker) -> Option<Waker> {
        let mut wakers = lock(&self.0);
        if wakers.len() <= slot {
            wakers.resize(slot + 1, None);
        }
        let known = wakers[slot].as_ref().is_some_and(|known| known.will_wake(waker));
        if known { None } else { wakers[slot].replace(waker.clone()) }
    }

    fn forget(&self, slot: usize) -> Option<Waker> {
        lock(&self.0).get_mut(slot).and_then(Option::take)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl<S: Stream + Unpin> Relay<S>
where
    S::Item: Clone,
{
    /// A relay of `source` that keeps items of the weight `room` for those who come later.
    pub(crate) fn new(source: S, room: usize, weigh: fn(&S::Item) -> usize) -> Arc<Self> {
        let bell = Arc::new(Bell(Mutex::new(Vec::new())));
        let state = State {
            source: Some(source),
            phase: Phase::Open,
            items: VecDeque::new(),
            first: 0,
            weight: 0,
            readers: Vec::new(),
            free: Vec::new(),
        };
        Arc::new(Self { state: Mutex::new(state), waker: Waker::from(bell.clone()), bell, weigh, room })
    }

    /// The first reader.
    pub(crate) fn first(relay: Arc<Self>) -> Reader<S> {
        let slot = lock(&relay.state).enter();
        Reader { relay, slot, at: 0 }
    }

    /// One more reader, from the beginning; `None` when the beginning is gone or everything is over.
    pub(crate) fn join(self: &Arc<Self>) -> Option<Reader<S>> {
        let mut state = lock(&self.state);
        (state.phase == Phase::Open).then(|| Reader { relay: self.clone(), slot: state.enter(), at: 0 })
    }

    /// Asks the source for more. The caller is registered with the bell already.
    fn drive(&self, mut source: S) -> Poll<()> {
        let unwound = Unwound(self);
        let polled = source.poll_next_unpin(&mut Context::from_waker(&self.waker));
        std::mem::forget(unwound);
        let mut state = lock(&self.state);
        match polled {
            Poll::Pending => {
                state.source = Some(source);
                return Poll::Pending;
            }
            Poll::Ready(Some(item)) => {
                state.source = Some(source);
                let weight = (self.weigh)(&item);
                state.push(item, weight, self.room);
            }
            Poll::Ready(None) => {
                state.phase = Phase::Over;
                drop(state);
                // Not under the lock: it is somebody else's code.
                drop(source);
            }
        }
        Poll::Ready(())
    }
}

/// Tells the others when the source panics.
struct Unwound<'a, S: Stream>(&'a Relay<S>);

impl<S: Stream> Drop for Unwound<'_, S> {
    fn drop(&mut self) {
        lock(&self.0.state).phase = Phase::Broken;
        self.0.bell.ring();
    }
}

impl<S: Stream> State<S> {
    fn enter(&mut self) -> usize {
        let slot = self.free.pop().unwrap_or(self.readers.len());
        if slot == self.readers.len() {
            self.readers.push(None);
        }
        self.readers[slot] = Some(0);
        slot
    }

    fn push(&mut self, item: S::Item, weight: usize, room: usize) {
        self.items.push_back((item, weight));
        self.weight = self.weight.saturating_add(weight);
        if self.weight > room {
            self.phase = Phase::Outgrown;
        }
        while self.weight > room.saturating_mul(2) && self.items.len() > 1 {
            self.throw_away();
        }
    }

    fn throw_away(&mut self) {
        if let Some((_, weight)) = self.items.pop_front() {
            self.first += 1;
            self.weight -= weight;
        }
    }

    /// Throws away what no reader will want.
    fn trim(&mut self) {
        let needed = self.readers.iter().flatten().min().copied().unwrap_or(u64::MAX);
        while self.first < needed && !self.items.is_empty() {
            self.throw_away();
        }
    }

    /// The item at `at`, if it is there already.
    fn item(&self, at: u64) -> Option<&S::Item> {
        let index = usize::try_from(at.checked_sub(self.first)?).ok()?;
        self.items.get(index).map(|(item, _)| item)
    }
}

/// One of those who read. Dropping it lets the others go on.
pub(crate) struct Reader<S: Stream> {
    relay: Arc<Relay<S>>,
    slot: usize,
    at: u64,
}

impl<S: Stream + Unpin> Reader<S>
where
    S::Item: Clone,
{
    /// What is there without asking the source.
    fn next_kept(&mut self, state: &mut MutexGuard<'_, State<S>>) -> Poll<Option<Result<S::Item, Gone>>> {
        if self.at < state.first {
            return Poll::Ready(Some(Err(Gone::Lagged)));
        }
        if let Some(item) = state.item(self.at).cloned() {
            self.at += 1;
            state.readers[self.slot] = Some(self.at);
            if state.phase != Phase::Open {
                state.trim();
            }
            return Poll::Ready(Some(Ok(item)));
        }
        match state.phase {
            Phase::Over => Poll::Ready(None),
            Phase::Broken => Poll::Ready(Some(Err(Gone::Broken))),
            Phase::Open | Phase::Outgrown => Poll::Pending,
        }
    }
}

impl<S: Stream + Unpin> Stream for Reader<S>
where
    S::Item: Clone,
{
    type Item = Result<S::Item, Gone>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let relay = self.relay.clone();
        loop {
            let mut state = lock(&relay.state);
            if let Poll::Ready(item) = self.next_kept(&mut state) {
                return Poll::Ready(item);
            }
            // Before the source is asked, so that no wake-up is lost; under the lock, so that no news is.
            let earlier = relay.bell.register(self.slot, cx.waker());
            let source = state.source.take();
            drop(state);
            drop(earlier);
            let Some(source) = source else { return Poll::Pending };
            if relay.drive(source).is_pending() {
                return Poll::Pending;
            }
            relay.bell.ring();
        }
    }
}

impl<S: Stream> Drop for Reader<S> {
    fn drop(&mut self) {
        let mut state = lock(&self.relay.state);
        state.readers[self.slot] = None;
        state.free.push(self.slot);
        if state.phase == Phase::Outgrown {
            state.trim();
        }
        let waker = self.relay.bell.forget(self.slot);
        drop(state);
        drop(waker);
        // It may have been woken in the place of the others.
        self.relay.bell.ring();
    }
}
