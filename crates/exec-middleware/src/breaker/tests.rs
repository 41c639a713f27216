//! The pure part of a breaker against naive models, and at its edges.

use std::time::Duration;

use proptest::prelude::*;

use super::BreakerConfig;
use super::state::{Machine, Pass, State};
use super::window::{Counts, Sample, Span, Window};

const SECOND: Duration = Duration::from_secs(1);
const GOOD: Sample = Sample { failed: false, slow: false };
const BAD: Sample = Sample { failed: true, slow: false };
const SLOW: Sample = Sample { failed: false, slow: true };

fn machine(change: impl FnOnce(&mut BreakerConfig)) -> Machine {
    let mut config = BreakerConfig::default();
    change(&mut config);
    Machine::new(config.rules().unwrap(), 7)
}

/// Makes a call that ends as `sample` says, at once.
fn call(machine: &mut Machine, sample: Sample, now: Duration) -> State {
    if let Ok(pass) = machine.admit(now).pass {
        machine.record(pass, sample, || now);
    }
    machine.state()
}

fn naive<'a>(samples: impl Iterator<Item = &'a Sample>) -> Counts {
    let mut counts = Counts::default();
    for sample in samples {
        counts.calls += 1;
        counts.failed += u32::from(sample.failed);
        counts.slow += u32::from(sample.slow);
    }
    counts
}

fn sample() -> impl Strategy<Value = Sample> {
    (any::<bool>(), any::<bool>()).prop_map(|(failed, slow)| Sample { failed, slow })
}

proptest! {
    #[test]
    fn a_window_of_calls_holds_exactly_the_last(size in 1_u32..40, all in prop::collection::vec(sample(), 0..200)) {
        let mut window = Window::new(Span::Calls(size));
        for end in 1..=all.len() {
            let counts = window.record(all[end - 1], || Duration::ZERO);
            prop_assert_eq!(counts, naive(all[..end].iter().rev().take(size as usize)));
        }
    }

    #[test]
    fn below_the_volume_it_never_trips(volume in 1_u32..50, calls in 1_u32..50) {
        let mut machine = machine(|c| (c.failure_rate, c.volume) = (Some(0.01), volume));
        for _ in 0..calls {
            call(&mut machine, BAD, SECOND);
        }
        prop_assert_eq!(machine.state() == State::Open, calls >= volume);
    }

    #[test]
    fn a_window_of_time_holds_what_is_young_and_nothing_old(
        steps in prop::collection::vec((0_u64..4_000, sample()), 1..100),
    ) {
        let length = 10 * SECOND;
        let mut window = Window::new(Span::Time(length));
        let (mut now, mut all) = (Duration::ZERO, Vec::new());
        for (step, sample) in steps {
            now += Duration::from_millis(step);
            all.push((now, sample));
            let counts = window.record(sample, || now);
            let since = |age: Duration| {
                naive(all.iter().filter(|(at, _)| now - *at < age).map(|(_, sample)| sample))
            };
            let (young, most) = (since(length * 9 / 10), since(length));
            prop_assert!(young.calls <= counts.calls && counts.calls <= most.calls);
            prop_assert!(young.failed <= counts.failed && counts.failed <= most.failed);
            prop_assert!(young.slow <= counts.slow && counts.slow <= most.slow);
            prop_assert_eq!(window.counts(now + length), Counts::default());
            now += length;
        }
    }

    #[test]
    fn no_clock_breaks_a_breaker(times in prop::collection::vec(any::<(u64, u32)>(), 1..60), timed in any::<bool>()) {
        let mut machine = machine(|c| {
            (c.failures, c.failure_rate, c.volume) = (Some(3), Some(0.5), 2);
            c.window = timed.then_some(SECOND);
            c.open = Duration::MAX / 2;
        });
        for (seconds, nanos) in times {
            let now = Duration::new(seconds, nanos % 1_000_000_000);
            call(&mut machine, BAD, now);
            machine.look(now);
            machine.tally(now);
        }
        call(&mut machine, BAD, Duration::MAX);
        call(&mut machine, BAD, Duration::ZERO);
    }
}

/// The machine as one would write it without care for cost.
#[derive(Debug, Default)]
struct Model {
    state: State,
    generation: u64,
    results: Vec<bool>,
    out: u32,
    until: Duration,
    cycles: u32,
    rejected: u64,
}

const FAILURES: usize = 3;
const PROBES: u32 = 3;

impl Model {
    fn enter(&mut self, state: State) {
        (self.state, self.out, self.results) = (state, 0, Vec::new());
        self.generation += 1;
    }

    fn open(&mut self, now: Duration) {
        self.enter(State::Open);
        self.until = now + (10 * SECOND * 2_u32.pow(self.cycles)).min(80 * SECOND);
    }

    fn admit(&mut self, now: Duration) -> bool {
        if self.state == State::Open && now >= self.until {
            self.enter(State::HalfOpen);
        }
        let free = self.state == State::HalfOpen && self.out + (self.results.len() as u32) < PROBES;
        self.out += u32::from(free);
        let pass = free || self.state == State::Closed;
        self.rejected += u64::from(!pass);
        pass
    }

    fn record(&mut self, generation: u64, good: bool, now: Duration) {
        if generation != self.generation {
            return;
        }
        self.results.push(good);
        self.out = self.out.saturating_sub(1);
        let bad = self.results.iter().filter(|good| !**good).count();
        match self.state {
            State::Closed if self.results.iter().rev().take_while(|good| !**good).count() >= FAILURES => {
                self.open(now);
            }
            // Two of three close it; two bad ones cannot become that any more.
            State::HalfOpen if self.results.len() - bad >= 2 => {
                self.cycles = 0;
                self.enter(State::Closed);
            }
            State::HalfOpen if bad >= 2 => {
                self.cycles += 1;
                self.open(now);
            }
            _ => {}
        }
    }

    fn release(&mut self, generation: u64) {
        if generation == self.generation {
            self.out = self.out.saturating_sub(1);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Admit,
    Record(prop::sample::Index, bool),
    Release(prop::sample::Index),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Admit),
        4 => (any::<prop::sample::Index>(), prop::bool::weighted(0.3)).prop_map(|(i, good)| Step::Record(i, good)),
        1 => any::<prop::sample::Index>().prop_map(Step::Release),
        2 => (0_u64..12_000).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn it_does_what_the_model_does_and_nothing_outdated_counts(steps in prop::collection::vec(step(), 1..150)) {
        let mut machine = machine(|c| {
            (c.failures, c.probes, c.success_rate) = (Some(3), PROBES, 0.6);
            (c.open, c.open_max, c.jitter) = (10 * SECOND, Some(80 * SECOND), 0.0);
            c.half_open = Duration::MAX;
        });
        let (mut model, mut now, mut passes) = (Model::default(), Duration::ZERO, Vec::<Pass>::new());
        for step in steps {
            match step {
                Step::Admit => {
                    let pass = machine.admit(now).pass;
                    prop_assert_eq!(pass.is_ok(), model.admit(now));
                    passes.extend(pass.ok());
                }
                Step::Record(index, good) if !passes.is_empty() => {
                    let pass = passes.swap_remove(index.index(passes.len()));
                    let (outdated, before) = (pass.generation != machine.generation(), format!("{machine:?}"));
                    machine.record(pass, Sample { failed: !good, slow: false }, || now);
                    model.record(pass.generation, good, now);
                    let after = format!("{machine:?}");
                    prop_assert!(!outdated || without_tally(&before) == without_tally(&after));
                }
                Step::Release(index) if !passes.is_empty() => {
                    let pass = passes.swap_remove(index.index(passes.len()));
                    machine.release(pass);
                    model.release(pass.generation);
                }
                Step::Pass(time) => now += Duration::from_millis(time),
                _ => {}
            }
            prop_assert_eq!((machine.state(), machine.generation()), (model.state, model.generation));
            prop_assert_eq!(machine.tally(now).1.rejected, model.rejected);
            prop_assert!(machine.look(now).2 <= PROBES);
        }
    }
}

/// All of a machine that decides something.
fn without_tally(machine: &str) -> &str {
    machine.split_once("tally").unwrap().0
}

#[test]
fn slow_and_failed_are_two_rules_and_equal_is_enough() {
    let rated = |failure_rate, slow_rate| {
        machine(|c| {
            (c.failure_rate, c.slow_rate, c.slow, c.volume) = (failure_rate, slow_rate, Some(SECOND), 4);
            c.failure_rate = failure_rate;
        })
    };
    let mut slow = rated(Some(1.0), Some(0.5));
    let states: Vec<_> = [GOOD, SLOW, GOOD, SLOW].map(|sample| call(&mut slow, sample, SECOND)).into();
    assert_eq!(states, [State::Closed, State::Closed, State::Closed, State::Open]);
    let mut failed = rated(Some(0.5), Some(1.0));
    let states: Vec<_> = [BAD, SLOW, BAD, GOOD].map(|sample| call(&mut failed, sample, SECOND)).into();
    assert_eq!(states, [State::Closed, State::Closed, State::Closed, State::Open]);
    let mut neither = rated(Some(0.51), Some(0.51));
    for sample in [BAD, SLOW, BAD, SLOW, GOOD, BAD, SLOW] {
        assert_eq!(call(&mut neither, sample, SECOND), State::Closed);
    }
}

#[test]
fn a_share_is_what_it_is_in_decimals() {
    for percent in 1..=100_u32 {
        let mut machine =
            machine(|c| (c.failure_rate, c.volume) = (format!("0.{percent:02}").parse().ok(), 100));
        if percent == 100 {
            machine = self::machine(|c| (c.failure_rate, c.volume) = (Some(1.0), 100));
        }
        for i in 0..100 {
            assert_eq!(machine.state(), State::Closed, "{i} calls at {percent} %");
            call(&mut machine, if i < percent { BAD } else { GOOD }, SECOND);
        }
        assert_eq!(machine.state(), State::Open, "{percent} of 100");
    }
}

#[test]
fn failed_probes_lengthen_the_open_time_and_success_resets_it() {
    let mut machine =
        machine(|c| (c.failures, c.open, c.open_max) = (Some(1), 10 * SECOND, Some(60 * SECOND)));
    let mut now = SECOND;
    let mut open_for = |machine: &mut Machine, sample| {
        call(machine, sample, now);
        let left = machine.tally(now).0;
        now += left.unwrap_or_default();
        left
    };
    assert_eq!(open_for(&mut machine, BAD), Some(10 * SECOND), "the first is exact");
    for most in [20, 40, 60, 60, 60] {
        let left = open_for(&mut machine, BAD).unwrap();
        assert!(left > most * SECOND / 2 && left <= most * SECOND, "{left:?} of {most} s");
    }
    assert_eq!(open_for(&mut machine, GOOD), None);
    assert_eq!(machine.state(), State::Closed);
    assert_eq!(open_for(&mut machine, BAD), Some(10 * SECOND));
}

#[test]
fn jitter_differs_by_seed_and_not_by_run() {
    let lefts = |seed| {
        let rules = BreakerConfig { failures: Some(1), ..BreakerConfig::default() }.rules().unwrap();
        let (mut machine, mut now) = (Machine::new(rules, seed), SECOND);
        let times = (0..8).map(|_| {
            call(&mut machine, BAD, now);
            now += machine.tally(now).0.unwrap();
            now
        });
        times.collect::<Vec<_>>()
    };
    assert_eq!(lefts(1), lefts(1));
    assert_ne!(lefts(1), lefts(2));
}

#[test]
fn probes_that_owe_an_answer_for_too_long_have_failed() {
    let mut machine = machine(|c| (c.failures, c.half_open, c.jitter) = (Some(1), 30 * SECOND, 0.0));
    call(&mut machine, BAD, SECOND);
    let pass = machine.admit(61 * SECOND).pass.unwrap();
    assert_eq!(machine.admit(90 * SECOND).pass, Err(Some(SECOND)));
    let late = machine.admit(91 * SECOND);
    assert_eq!((late.pass, late.change.unwrap().state), (Err(Some(120 * SECOND)), State::Open));
    machine.record(pass, GOOD, || 92 * SECOND);
    assert_eq!(machine.state(), State::Open, "too late");
}

#[test]
fn a_trial_nobody_took_part_in_begins_anew() {
    let mut machine = machine(|c| (c.failures, c.half_open) = (Some(1), 30 * SECOND));
    call(&mut machine, BAD, SECOND);
    let pass = machine.admit(61 * SECOND).pass.unwrap();
    machine.release(pass);
    let later = machine.admit(1_000 * SECOND);
    assert!(later.pass.is_ok() && later.change.is_none());
    assert_eq!(machine.state(), State::HalfOpen);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let wrong = BreakerConfig {
        failures: Some(0),
        failure_rate: Some(1.5),
        slow_rate: Some(f64::NAN),
        slow: None,
        volume: 0,
        window_calls: Some(0),
        window: Some(Duration::ZERO),
        open: Duration::ZERO,
        open_max: None,
        growth: f64::INFINITY,
        jitter: -1.0,
        probes: 0,
        success_rate: 0.0,
        half_open: Duration::ZERO,
    };
    let paths: Vec<_> = wrong.rules().unwrap_err().into_iter().map(|error| error.path).collect();
    let expected = [
        "failure_rate",
        "slow_rate",
        "success_rate",
        "failures",
        "volume",
        "window_calls",
        "probes",
        "window",
        "open",
        "half_open",
        "growth",
        "jitter",
        "window",
        "slow",
    ];
    assert_eq!(paths, expected);
    let never = BreakerConfig {
        failure_rate: Some(0.5),
        volume: 11,
        window_calls: Some(10),
        ..BreakerConfig::default()
    };
    assert_eq!(never.rules().unwrap_err()[0].path, "volume");
    let shrinks = BreakerConfig { open_max: Some(SECOND), ..BreakerConfig::default() };
    assert_eq!(shrinks.rules().unwrap_err()[0].path, "open_max");
}
