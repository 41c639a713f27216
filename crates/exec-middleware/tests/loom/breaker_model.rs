//! The breaker's lock-free front and its machine.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use crate::breaker::gate::Gate;
use crate::breaker::rules::Rules;
use crate::breaker::state::{Machine, State};
use crate::breaker::window::{Sample, Span};

const SECOND: Duration = Duration::from_secs(1);
const GOOD: Sample = Sample { failed: false, slow: false };
const BAD: Sample = Sample { failed: true, slow: false };

fn gate(failures: u32, probes: u32) -> Arc<Gate> {
    let rules = Rules {
        failures: Some(failures),
        failure_rate: None,
        slow: None,
        volume: 1,
        span: Span::Calls(1),
        open: SECOND,
        open_max: SECOND,
        growth: 1.0,
        jitter: 0.0,
        probes,
        needed: probes,
        half_open: 100 * SECOND,
    };
    Arc::new(Gate::new(Machine::new(rules, 0)))
}

fn fail(gate: &Gate) -> u64 {
    let pass = gate.admit(|| Duration::ZERO).pass.unwrap();
    gate.record(pass, BAD, || Duration::ZERO).map_or(0, |_| 1)
}

#[test]
fn failures_at_once_open_it_exactly_once() {
    loom::model(|| {
        let gate = gate(2, 1);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let gate = gate.clone();
                thread::spawn(move || fail(&gate))
            })
            .collect();
        let changes: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!((changes, gate.state()), (1, State::Open));
        assert!(gate.admit(|| Duration::ZERO).pass.is_err());
    });
}

#[test]
fn only_so_many_callers_probe() {
    loom::model(|| {
        let gate = gate(1, 1);
        fail(&gate);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let gate = gate.clone();
                thread::spawn(move || gate.admit(|| SECOND))
            })
            .collect();
        let admissions: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(admissions.iter().filter(|admission| admission.pass.is_ok()).count(), 1);
        assert_eq!(admissions.iter().filter(|admission| admission.change.is_some()).count(), 1);
    });
}

#[test]
fn an_outdated_success_never_closes_it() {
    loom::model(|| {
        let gate = gate(1, 1);
        let old = gate.admit(|| Duration::ZERO).pass.unwrap();
        fail(&gate);
        let probing = gate.clone();
        let prober = thread::spawn(move || probing.admit(|| SECOND).pass.is_ok());
        assert_eq!(gate.record(old, GOOD, || SECOND), None);
        assert!(prober.join().unwrap());
        assert_eq!(gate.state(), State::HalfOpen);
        assert!(gate.admit(|| SECOND).pass.is_err(), "the probe is still out");
    });
}

#[test]
fn a_success_beside_a_failure_is_counted_and_forgets_no_later_one() {
    loom::model(|| {
        let gate = gate(2, 1);
        let other = gate.clone();
        let failing = thread::spawn(move || fail(&other));
        let pass = gate.admit(|| Duration::ZERO).pass.unwrap();
        gate.record(pass, GOOD, || Duration::ZERO);
        assert_eq!(failing.join().unwrap(), 0);
        let (_, tally) = gate.tally(Duration::ZERO);
        assert_eq!((tally.succeeded, tally.failed, gate.state()), (1, 1, State::Closed));
        // From here on it is certain what comes after what: two in a row open it.
        let opened = fail(&gate) + if gate.state() == State::Closed { fail(&gate) } else { 0 };
        assert_eq!((opened, gate.state()), (1, State::Open));
    });
}

#[test]
fn a_probe_that_leaves_makes_room_for_another() {
    loom::model(|| {
        let gate = gate(1, 1);
        fail(&gate);
        let pass = gate.admit(|| SECOND).pass.unwrap();
        let leaving = gate.clone();
        let left = thread::spawn(move || leaving.release(pass));
        let early = gate.admit(|| SECOND).pass.is_ok();
        left.join().unwrap();
        assert_ne!(early, gate.admit(|| SECOND).pass.is_ok(), "one place, taken once");
        assert_eq!(gate.state(), State::HalfOpen);
    });
}
