//! The gradient against a simulated backend of `c` servers with one queue and exponential service times (M/M/c), asked by
//! as many callers as the limit lets in. Its knee is at `c`: below it a server idles, above it a call only waits longer.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::*;

const WORK: f64 = 0.1;

fn bounds() -> Bounds {
    Bounds {
        min: 1.0,
        max: 500.0,
        initial: 20.0,
        window: Duration::from_secs(1),
        samples: 10,
        tolerance: 1.05,
        backoff: 0.9,
    }
}

/// Nanoseconds, so that times can be ordered.
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn exponential(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let uniform = ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        -WORK * (1.0 - uniform).ln()
    }
}

struct Backend {
    servers: usize,
    demand: usize,
    random: Random,
    now: u64,
    /// When a call is done, and when it began.
    busy: BinaryHeap<Reverse<(u64, u64)>>,
    waiting: VecDeque<u64>,
}

impl Backend {
    fn new(servers: usize, demand: usize, seed: u64) -> Self {
        let (busy, waiting) = (BinaryHeap::new(), VecDeque::new());
        Self { servers, demand, random: Random(seed), now: 0, busy, waiting }
    }

    fn inside(&self) -> usize {
        self.busy.len() + self.waiting.len()
    }

    /// Runs until one call is done.
    fn turn(&mut self, gradient: &mut Gradient) {
        while self.inside() < gradient.limit(Duration::from_nanos(self.now)).min(self.demand) {
            self.waiting.push_back(self.now);
        }
        while self.busy.len() < self.servers {
            let Some(began) = self.waiting.pop_front() else { break };
            self.busy.push(Reverse((self.now + nanos(self.random.exponential()), began)));
        }
        let inside = self.inside();
        let Reverse((done, began)) = self.busy.pop().unwrap();
        self.now = done;
        gradient.sample(Duration::from_nanos(done - began), inside, Duration::from_nanos(done));
    }

    /// The limit at the end of each of so many seconds.
    fn run(&mut self, gradient: &mut Gradient, windows: u64) -> Vec<f64> {
        let mut limits = Vec::new();
        let start = self.now;
        for window in 1..=windows {
            while self.now < start + window * 1_000_000_000 {
                self.turn(gradient);
            }
            limits.push(gradient.limit.floor());
        }
        limits
    }
}

/// The mean of the limit in the 100 windows after the first 200.
fn settled(servers: usize, initial: f64, seed: u64) -> f64 {
    let mut gradient = Gradient::new(Bounds { initial, ..bounds() });
    let mut backend = Backend::new(servers, usize::MAX, seed);
    backend.run(&mut gradient, 200);
    backend.run(&mut gradient, 100).iter().sum::<f64>() / 100.0
}

#[test]
fn it_settles_near_the_knee_of_a_queue() {
    for servers in [5, 10, 20, 50, 100] {
        for (seed, initial) in (0..12).zip([1.0, 20.0, 500.0].into_iter().cycle()) {
            let off = settled(servers, initial, seed) / servers as f64;
            assert!((0.7..=1.3).contains(&off), "{servers} servers from {initial}, seed {seed}: {off:.2}");
        }
    }
}

#[test]
fn a_backend_that_does_few_at_once_is_protected_too() {
    for (servers, seed) in [(1, 1), (1, 2), (2, 3), (2, 4), (3, 5), (3, 6)] {
        let limit = settled(servers, 20.0, seed);
        assert!((limit - servers as f64).abs() <= 1.5, "{servers} servers: {limit}");
    }
}

#[test]
fn it_follows_a_backend_that_loses_servers_and_gets_them_back() {
    let mut gradient = Gradient::new(bounds());
    let mut backend = Backend::new(40, usize::MAX, 11);
    for servers in [40, 10, 40] {
        backend.servers = servers;
        backend.run(&mut gradient, 300);
        let mean = backend.run(&mut gradient, 50).iter().sum::<f64>() / 50.0;
        assert!((0.6..=1.4).contains(&(mean / servers as f64)), "{servers}: {mean}");
    }
}

#[test]
fn it_does_not_grow_while_less_than_half_is_used() {
    let mut gradient = Gradient::new(bounds());
    let mut backend = Backend::new(50, 9, 3);
    let limits = backend.run(&mut gradient, 200);
    assert!(limits.iter().all(|limit| *limit <= 20.0), "{limits:?}");
}

#[test]
fn it_stays_within_its_bounds() {
    for (servers, seed) in [(1, 1), (100, 2)] {
        let bounds = Bounds { min: 4.0, max: 30.0, ..bounds() };
        let mut gradient = Gradient::new(bounds);
        let mut backend = Backend::new(servers, usize::MAX, seed);
        for _ in 0..20 {
            gradient.dropped();
            let limits = backend.run(&mut gradient, 10);
            assert!(limits.iter().all(|limit| (4.0..=30.0).contains(limit)), "{limits:?}");
            assert!((4..=30).contains(&gradient.limit(Duration::ZERO)));
        }
    }
}

#[test]
fn a_refusal_shrinks_it_once_in_a_window() {
    let mut gradient = Gradient::new(bounds());
    gradient.dropped();
    assert_eq!(gradient.limit(Duration::ZERO), 18);
    gradient.dropped();
    assert_eq!(gradient.limit(Duration::ZERO), 18, "one burst of refusals is one sign");
    for i in 0..10 {
        gradient.sample(Duration::from_millis(100), 18, Duration::from_millis(1_000 + i));
    }
    gradient.dropped();
    assert_eq!(gradient.limit(Duration::ZERO), 16);
}

#[test]
fn a_hint_caps_it_until_the_hint_ends() {
    let mut gradient = Gradient::new(bounds());
    for i in 0..10 {
        gradient.sample(Duration::from_millis(500), 20, Duration::from_millis(1_000 + i));
    }
    let end = Duration::from_secs(60);
    gradient.cap(10.0, end);
    assert_eq!(gradient.limit(Duration::from_secs(2)), 5, "ten a second, half a second each");
    assert!(gradient.limit(end) >= 20);
    gradient.cap(0.0, end);
    assert_eq!(gradient.limit(Duration::from_secs(2)), 1, "never below the least");
}
