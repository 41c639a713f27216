//! The slots against their laws, whatever happens in whatever order.

use std::collections::HashMap;
use std::panic::Location;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::config::{Config, OnConnectError};
use crate::error::ConnectError;
use crate::stats::Reason;

type Pool = Slots<u32, std::io::Error, u64>;

/// Whoever uses the slots: does what they ask for when told to.
struct World {
    slots: Pool,
    now: Instant,
    names: u32,
    opening: usize,
    checking: Vec<Conn<u32>>,
    closing: Vec<(Conn<u32>, Reason)>,
    /// Place and name.
    waiting: Vec<(u64, u64)>,
    /// How waits ended, by name.
    told: HashMap<u64, Outcome<u32, std::io::Error>>,
    lent: Vec<Lent<u32>>,
    /// Everyone who was ever let go, served or refused.
    ended: u64,
    asked: u64,
}

fn config(max: usize) -> Config {
    Config { max_waiting: 8, ..Config::new(max) }
}

impl World {
    fn new(config: Config) -> Self {
        let share = Box::new(|name: &u32| Some(*name));
        Self {
            slots: Slots::new(config, 3, share),
            now: Instant::now(),
            names: 0,
            opening: 0,
            checking: Vec::new(),
            closing: Vec::new(),
            waiting: Vec::new(),
            told: HashMap::new(),
            lent: Vec::new(),
            ended: 0,
            asked: 0,
        }
    }

    fn act<T>(
        &mut self,
        change: impl FnOnce(&mut Pool, Instant, &mut Todo<u32, std::io::Error, u64>) -> T,
    ) -> T {
        let mut todo = Todo::default();
        let result = change(&mut self.slots, self.now, &mut todo);
        self.told.extend(todo.tell);
        if let Some(more) = todo.more {
            self.told.extend(more.tell);
            self.opening += more.open;
            self.checking.extend(more.check);
            self.closing.extend(more.close);
        }
        self.look();
        result
    }

    /// Every caller looks whether its wait has ended.
    fn look(&mut self) {
        let mut still = Vec::new();
        for (place, name) in std::mem::take(&mut self.waiting) {
            match self.told.remove(&name) {
                None => still.push((place, name)),
                Some(Outcome::Lent(lent)) => self.lent.push(lent),
                Some(_) => self.ended += 1,
            }
        }
        self.waiting = still;
    }

    fn get(&mut self) {
        self.asked += 1;
        if let Some(lent) = self.slots.take(self.now, Location::caller()) {
            return self.lent.push(lent);
        }
        let wish = Wish {
            waker: self.asked,
            site: Location::caller(),
            since: self.now,
            until: Some(self.now + self.slots.config.wait),
            here: None,
            place: None,
        };
        let name = self.asked;
        match self.act(|slots, now, todo| slots.wait(wish, now, todo)) {
            Ok((place, _)) => self.waiting.push((place, name)),
            Err(_) => self.ended += 1,
        }
        self.look();
    }

    fn leave(&mut self, at: usize) {
        if !self.waiting.is_empty() {
            let (place, _) = self.waiting.remove(at % self.waiting.len());
            self.ended += 1;
            assert!(self.slots.leave(place), "whoever is told leaves no more");
        }
    }

    /// A connection is given back to one who has left meanwhile.
    fn miss(&mut self, at: usize) {
        if self.lent.is_empty() || self.waiting.is_empty() {
            return;
        }
        let (lent, mut todo) = (self.lent.remove(at % self.lent.len()), Todo::default());
        drop(self.slots.give_back(lent.lease, lent.conn, None, self.now, &mut todo));
        if let Some((name, Outcome::Lent(lent))) = todo.tell {
            let at = self.waiting.iter().position(|(_, other)| *other == name).unwrap();
            let (place, _) = self.waiting.remove(at);
            assert!(!self.slots.leave(place));
            self.ended += 1;
            drop(self.act(|slots, now, todo| slots.give_up(lent, now, todo)));
        }
        if let Some(more) = todo.more {
            self.opening += more.open;
            self.checking.extend(more.check);
            self.closing.extend(more.close);
        }
        self.look();
    }

    fn give_back(&mut self, at: usize, fate: Option<Reason>) {
        if !self.lent.is_empty() {
            let mut lent = self.lent.remove(at % self.lent.len());
            lent.conn.used(self.now);
            drop(self.act(|slots, now, todo| slots.give_back(lent.lease, lent.conn, fate, now, todo)));
        }
    }

    fn open(&mut self, works: bool, streams: usize) {
        if self.opening > 0 {
            self.opening -= 1;
            self.names += 1;
            let name = self.names;
            match works {
                true => self.act(|slots, now, todo| slots.opened(name, streams, now, todo)),
                false => self.act(|slots, now, todo| slots.not_opened(&ConnectError::CutOff, now, todo)),
            }
        }
    }

    fn check(&mut self, works: Option<bool>) {
        if let Some(conn) = self.checking.pop() {
            match works {
                Some(true) => self.act(|slots, now, todo| slots.checked(conn, now, todo)),
                Some(false) => self.act(|slots, now, todo| slots.found_dead(conn, now, todo)),
                None => self.act(Pool::lost_in_check),
            }
        }
    }

    fn bury(&mut self) {
        if let Some((_, reason)) = self.closing.pop() {
            self.act(|slots, now, todo| slots.gone(reason, now, todo));
        }
    }

    fn step(&mut self, step: u8, at: usize) {
        match step {
            0..=5 => self.get(),
            6..=10 => self.give_back(at, None),
            11 => self.give_back(at, Some(Reason::Broken)),
            12..=13 => self.leave(at),
            14 => self.miss(at),
            15..=18 => self.open(true, 1),
            19 => self.open(false, 1),
            20..=21 => self.check(Some(true)),
            22 => self.check(Some(false)),
            23 => self.check(None),
            24..=26 => self.bury(),
            27 => self.now += Duration::from_millis(100 * at as u64),
            28 => {
                self.act(Pool::keep);
            }
            29 => self.act(|slots, now, todo| slots.resize(1 + at % 5, 0, now, todo)),
            _ => self.open(true, 3),
        }
    }

    /// What must be true at every instant, compared with what is really there.
    fn hold(&self, most: usize) {
        let stats = self.slots.stats();
        assert_eq!(stats.total, stats.idle + stats.in_use + stats.connecting);
        assert_eq!(stats.created, (stats.total - stats.connecting) as u64 + stats.closed.total());
        assert!(stats.total <= most, "{stats:?}");
        assert_eq!((stats.connecting, stats.checking), (self.opening, self.checking.len()));
        assert_eq!((stats.closing, stats.waiting), (self.closing.len(), self.waiting.len()));
        assert_eq!((stats.leases, stats.lent), (self.lent.len(), stats.waits.count()));
        let refusals = stats.refused + stats.failed + stats.left + stats.timeouts.total();
        assert_eq!(self.asked, stats.lent + stats.waiting as u64 + refusals);
        assert_eq!(self.ended, refusals);
        // One who waits has something to wait for.
        let resting = self.slots.pause.until.is_some();
        let hope = stats.in_use + stats.connecting > 0 || resting;
        assert!(stats.waiting == 0 || hope, "forgotten: {stats:?}");
        assert!(
            stats.waiting == 0 || !self.slots.idle.iter().any(|conn| self.slots.is_fresh(conn, self.now))
        );
    }

    /// No connection is in two hands, unless they may share it.
    fn exclusive(&self, streams: usize) {
        for lent in &self.lent {
            let holders = self.lent.iter().filter(|other| other.conn.inner == lent.conn.inner).count();
            assert!(holders <= streams, "{holders} hold {}", lent.conn.inner);
        }
    }
}

fn steps(kinds: std::ops::Range<u8>) -> impl Strategy<Value = Vec<(u8, usize)>> {
    prop::collection::vec((kinds, 0..12_usize), 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_figures_are_true_at_every_instant(steps in steps(0..30), min_idle in 0..3_usize, retry: bool) {
        let on_connect_error = if retry { OnConnectError::Retry } else { OnConnectError::Fail };
        let keep_alive = Duration::from_millis(300);
        let mut world = World::new(Config { min_idle, on_connect_error, keep_alive, ..config(5) });
        for (step, at) in steps {
            world.step(step, at);
            world.hold(5);
            world.exclusive(1);
        }
    }

    #[test]
    fn shared_connections_hold_the_same_laws(steps in steps(0..40)) {
        let mut world = World::new(config(5));
        for (step, at) in steps {
            world.step(step, at);
            world.hold(5);
            world.exclusive(3);
        }
    }

    #[test]
    fn at_the_end_everything_is_closed(steps in steps(0..40)) {
        let mut world = World::new(config(5));
        steps.into_iter().for_each(|(step, at)| world.step(step, at));
        let ended = world.ended + world.waiting.len() as u64;
        world.act(|slots, _, todo| slots.close(todo));
        prop_assert!(world.waiting.is_empty() && world.ended == ended);
        while world.slots.total() > 0 {
            world.give_back(0, None);
            world.open(true, 1);
            world.check(Some(true));
            world.bury();
        }
        let stats = world.slots.stats();
        prop_assert_eq!(stats.created, stats.closed.total());
        prop_assert_eq!((stats.leases, stats.waiting, stats.in_use), (0, 0, 0));
    }
}

#[test]
fn pauses_after_failures_double_up_to_their_limit() {
    let mut world = World::new(Config { on_connect_error: OnConnectError::Retry, ..config(1) });
    world.get();
    let mut pauses = Vec::new();
    for _ in 0..14 {
        world.open(false, 1);
        let until = world.slots.pause.until.unwrap();
        assert_eq!(world.opening, 0, "nothing is tried meanwhile");
        pauses.push((until - world.now).as_millis());
        world.now = until;
        world.act(Pool::keep);
    }
    for (number, pause) in pauses.into_iter().enumerate() {
        let whole = (10_u128 << number).min(5000);
        assert!((whole / 2..=whole).contains(&pause), "{number}: {pause} of {whole}");
    }
}

#[test]
fn while_one_check_fails_all_doubtful_ones_are_asked() {
    let mut world = World::new(config(4));
    (0..4).for_each(|_| world.get());
    (0..4).for_each(|_| world.open(true, 1));
    (0..4).for_each(|_| world.give_back(0, None));
    world.now += Duration::from_secs(1);
    world.get();
    assert_eq!((world.checking.len(), world.slots.idle.len()), (1, 3));
    world.check(Some(false));
    assert_eq!((world.checking.len(), world.slots.idle.len()), (3, 0));
}
