//! Tells whoever owns a connection at the moment that there is something to do for it.
//!
//! A connection that is polled by its owner wakes itself at every step: the body it fills and the body that is read are
//! both ours. Such a call must lead to one more round and not to a wake-up of the whole task, and one that comes from
//! outside at the same time must not be lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Wake, Waker};

use futures_util::task::AtomicWaker;

/// The owner is at it; a call only has to be remembered.
const WATCHED: u8 = 0;
/// There was a call since the last look.
const CALLED: u8 = 1;
/// The owner waits to be woken.
const ARMED: u8 = 2;

/// The waker of one connection for all its life, in front of the wakers of its changing owners.
#[derive(Debug, Default)]
pub(super) struct Signal {
    state: AtomicU8,
    owner: AtomicWaker,
}

impl Signal {
    /// Names who is woken from the next [`arm`](Self::arm) on.
    pub(super) fn listen(&self, owner: &Waker) {
        self.owner.register(owner);
    }

    /// Forgets the calls so far: what they were about is looked at after this.
    pub(super) fn watch(&self) {
        self.state.store(WATCHED, Ordering::SeqCst);
    }

    /// Whether there was no call since [`watch`](Self::watch); then the next one wakes the owner.
    pub(super) fn arm(&self) -> bool {
        self.state.compare_exchange(WATCHED, ARMED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Whether there was a call that nobody has looked at.
    pub(super) fn called(&self) -> bool {
        self.state.load(Ordering::SeqCst) == CALLED
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(CALLED, Ordering::SeqCst) == ARMED {
            self.owner.wake();
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

    #[test]
    fn a_call_wakes_the_owner_once_and_only_when_armed() {
        let (signal, count) = (Arc::new(Signal::default()), Arc::new(Count::default()));
        let waker = Waker::from(signal.clone());
        signal.listen(&Waker::from(count.clone()));
        signal.watch();
        waker.wake_by_ref();
        assert!(signal.called() && !signal.arm());
        signal.watch();
        assert!(signal.arm() && count.0.load(Ordering::SeqCst) == 0);
        waker.wake_by_ref();
        waker.wake();
        assert!(signal.called() && count.0.load(Ordering::SeqCst) == 1);
    }
}
