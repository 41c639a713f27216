//! Polling of things that wake each other inside one task.
//!
//! A connection and who reads from it call each other at every step. When one task polls both, each such call would
//! send the task through the scheduler once more, which costs more than the step. Here it leads to another round at
//! once, and only a call that comes while nobody polls wakes the task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use tokio::task::coop::has_budget_remaining;

/// How many rounds there are before everyone else gets a turn.
const ROUNDS: usize = 64;

/// Polls in rounds, until no more calls come from inside.
///
/// What is polled sees one waker for all its life, whichever task polls it.
#[derive(Debug)]
pub struct Rounds {
    signal: Arc<Signal>,
    waker: Waker,
}

impl Default for Rounds {
    fn default() -> Self {
        let signal = Arc::new(Signal::default());
        Self { waker: signal.clone().into(), signal }
    }
}

impl Rounds {
    /// Calls `step` until it is ready or nothing has called for another round.
    ///
    /// When it returns `Pending`, the task of `cx` is woken by the next call, or was already because it had its share.
    pub fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut step: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.signal.task.register(cx.waker());
        let mut inner = Context::from_waker(&self.waker);
        for _ in 0..ROUNDS {
            self.watch();
            if let Poll::Ready(done) = step(&mut inner) {
                return Poll::Ready(done);
            }
            if self.signal.arm() {
                return Poll::Pending;
            }
            if !has_budget_remaining() {
                break;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// From now on calls are kept for the next poll and wake nobody.
    pub(super) fn watch(&self) {
        self.signal.state.store(WATCHED, Ordering::SeqCst);
    }

    /// Whether a call came that no poll has answered.
    pub(super) fn called(&self) -> bool {
        self.signal.state.load(Ordering::SeqCst) == CALLED
    }
}

/// Somebody is at it; a call only has to be remembered.
const WATCHED: u8 = 0;
/// There was a call since.
const CALLED: u8 = 1;
/// The next call wakes the task.
const ARMED: u8 = 2;

#[derive(Debug, Default)]
struct Signal {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Signal {
    /// False when there was a call since the round began.
    fn arm(&self) -> bool {
        self.state.compare_exchange(WATCHED, ARMED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(CALLED, Ordering::SeqCst) == ARMED {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counted() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), count.into())
    }

    #[test]
    fn calls_from_inside_are_rounds_and_one_from_outside_wakes_the_task_once() {
        let (count, task) = counted();
        let (mut rounds, mut steps, mut kept) = (Rounds::default(), 0, None);
        let polled = rounds.poll(&mut Context::from_waker(&task), |cx| {
            steps += 1;
            kept = Some(cx.waker().clone());
            if steps < 5 {
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        assert!(polled.is_pending() && steps == 5 && count.0.load(Ordering::SeqCst) == 0);
        let kept = kept.unwrap();
        kept.wake_by_ref();
        kept.wake();
        assert!(rounds.called() && count.0.load(Ordering::SeqCst) == 1);
    }

    #[test]
    fn endless_calls_give_others_a_turn() {
        let (count, task) = counted();
        let (mut rounds, mut steps) = (Rounds::default(), 0);
        let polled = rounds.poll(&mut Context::from_waker(&task), |cx| {
            steps += 1;
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert!(polled.is_pending() && steps == ROUNDS && count.0.load(Ordering::SeqCst) == 1);
    }

    #[test]
    fn a_call_while_watched_wakes_nobody_and_the_next_poll_sees_it() {
        let (count, task) = counted();
        let mut rounds = Rounds::default();
        let mut cx = Context::from_waker(&task);
        let mut inside = None;
        assert!(
            rounds
                .poll(&mut cx, |cx| {
                    inside = Some(cx.waker().clone());
                    Poll::<()>::Pending
                })
                .is_pending()
        );
        rounds.watch();
        inside.unwrap().wake();
        assert!(rounds.called() && count.0.load(Ordering::SeqCst) == 0);
        assert!(rounds.poll(&mut cx, |_| Poll::Ready(())).is_ready());
    }
}
