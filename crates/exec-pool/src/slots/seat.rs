//! Where one who waits is told how the wait ended. It has a lock of its own, so that looking does not disturb the pool.

use std::task::Waker;

use super::parts::Outcome;
use crate::sync::{Mutex, lock};

/// The seat of one who waits.
#[derive(Debug)]
pub(crate) struct Seat<C, E: std::error::Error + 'static>(Mutex<State<C, E>>);

#[derive(Debug)]
enum State<C, E: std::error::Error + 'static> {
    Waiting(Waker),
    Told(Outcome<C, E>),
    /// Whoever sat here has left, or has seen the end.
    Empty,
}

impl<C, E: std::error::Error + 'static> Seat<C, E> {
    pub(crate) fn new(waker: Waker) -> Self {
        Self(Mutex::new(State::Waiting(waker)))
    }

    /// Tells how the wait ended, and wakes. Gives the outcome back when nobody is there any more.
    pub(crate) fn tell(&self, outcome: Outcome<C, E>) -> Result<(), Outcome<C, E>> {
        let mut state = lock(&self.0);
        match std::mem::replace(&mut *state, State::Empty) {
            State::Waiting(waker) => {
                *state = State::Told(outcome);
                drop(state);
                waker.wake();
                Ok(())
            }
            State::Told(_) | State::Empty => Err(outcome),
        }
    }

    /// The end of the wait; if it has not ended, `waker` will be woken.
    pub(crate) fn look(&self, waker: &Waker) -> Option<Outcome<C, E>> {
        let mut state = lock(&self.0);
        if let State::Waiting(old) = &mut *state {
            old.clone_from(waker);
            return None;
        }
        match std::mem::replace(&mut *state, State::Empty) {
            State::Told(outcome) => Some(outcome),
            State::Waiting(_) | State::Empty => Some(Outcome::Closed),
        }
    }

    /// Leaves. What was told already is to be undone by who leaves; what comes later by who tells it.
    pub(crate) fn leave(&self) -> Option<Outcome<C, E>> {
        match std::mem::replace(&mut *lock(&self.0), State::Empty) {
            State::Told(outcome) => Some(outcome),
            State::Waiting(_) | State::Empty => None,
        }
    }

    /// Wakes without an outcome.
    pub(crate) fn nudge(&self) {
        if let State::Waiting(waker) = &*lock(&self.0) {
            waker.wake_by_ref();
        }
    }
}
