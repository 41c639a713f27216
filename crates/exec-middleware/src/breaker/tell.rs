//! Tells the transitions of a breaker, each once and in their order, without holding a lock while somebody listens.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use exec_core::{Context, Event};

use super::state::{Change, State};
use crate::sync::lock;

type Listener = Arc<dyn Fn(&str, State) + Send + Sync>;

/// Puts transitions back in order: two callers may come here the other way round than they changed the state.
///
/// Whoever finds nobody telling tells, what others bring meanwhile included. So at most those transitions wait here that
/// happen while a listener is told one.
pub(crate) struct Teller {
    pub(crate) name: Arc<str>,
    pub(crate) listener: Option<Listener>,
    turn: Mutex<Turn>,
}

#[derive(Default)]
struct Turn {
    told: u64,
    busy: bool,
    waiting: BTreeMap<u64, (State, Option<Context>)>,
}

impl Teller {
    pub(crate) fn new(name: Arc<str>, listener: Option<Listener>) -> Self {
        Self { name, listener, turn: Mutex::default() }
    }

    /// Tells `change` to the listener, and to the events of the call that caused it.
    pub(crate) fn tell(&self, change: Change, context: Option<&Context>) {
        let mut turn = lock(&self.turn);
        turn.waiting.insert(change.number, (change.state, context.cloned()));
        if turn.busy {
            return;
        }
        turn.busy = true;
        drop(turn);
        let mut guard = OnPanic(Some(self));
        while let Some((state, context)) = self.next() {
            self.say(state, context.as_ref());
        }
        guard.0 = None;
    }

    /// The next transition in order. With none, telling is over: decided under the lock, so that none is left behind.
    fn next(&self) -> Option<(State, Option<Context>)> {
        let mut turn = lock(&self.turn);
        let number = turn.told + 1;
        let next = turn.waiting.remove(&number);
        match next {
            Some(_) => turn.told = number,
            None => turn.busy = false,
        }
        next
    }

    fn say(&self, state: State, context: Option<&Context>) {
        if let Some(listener) = &self.listener {
            listener(&self.name, state);
        }
        if let Some(context) = context {
            context.emit(&Event::BreakerChanged { provider: self.name.clone(), state: state.as_str() });
        }
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Teller({})", self.name)
    }
}

/// Lets the next one tell when a listener panicked.
struct OnPanic<'a>(Option<&'a Teller>);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if let Some(teller) = self.0 {
            lock(&teller.turn).busy = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(number: u64, state: State) -> Change {
        Change { number, state }
    }

    fn heard(told: &Mutex<Vec<State>>) -> Vec<State> {
        lock(told).clone()
    }

    #[test]
    fn who_comes_too_early_is_told_in_turn() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let teller = Teller::new("p".into(), Some(Arc::new(move |_, state| lock(&sink).push(state))));
        teller.tell(change(3, State::Closed), None);
        teller.tell(change(2, State::HalfOpen), None);
        assert!(heard(&told).is_empty());
        teller.tell(change(1, State::Open), None);
        assert_eq!(heard(&told), [State::Open, State::HalfOpen, State::Closed]);
    }

    #[test]
    fn a_listener_may_cause_the_next_transition_and_may_panic() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let teller = Arc::new_cyclic(|itself: &std::sync::Weak<Teller>| {
            let (sink, itself) = (told.clone(), itself.clone());
            let listener = move |_: &str, state| {
                lock(&sink).push(state);
                match state {
                    State::Open => itself.upgrade().unwrap().tell(change(2, State::HalfOpen), None),
                    State::HalfOpen => std::panic::resume_unwind(Box::new("as told")),
                    State::Closed => {}
                }
            };
            Teller::new("p".into(), Some(Arc::new(listener)))
        });
        let tell = || teller.tell(change(1, State::Open), None);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(tell)).unwrap_err();
        teller.tell(change(3, State::Closed), None);
        assert_eq!(heard(&told), [State::Open, State::HalfOpen, State::Closed]);
    }
}
