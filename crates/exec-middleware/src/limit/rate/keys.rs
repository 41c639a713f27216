//! The allowances of all keys: bounded, sharded, and several kinds of keys asked as one.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::charge::{Charge, Unit};
use super::config::Per;
use super::meter::{Meter, Nanos, Rule, State};
use super::names::{Key, Known, Name, Who};

/// Below so many keys one lock is enough.
const SMALL: usize = 65_536;
const SHARDS: usize = 64;
/// Not worth looking for idle keys among fewer.
const FEW: usize = 64;

/// Why a call is not admitted, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Denial {
    pub(super) wait: Nanos,
    pub(super) per: Per,
    pub(super) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Why {
    /// A limit is reached.
    Spent(Unit, Rule),
    /// It is more than the whole limit.
    Never(Unit, Rule),
    /// There is no room for another key.
    Keys,
}

impl Denial {
    fn weight(&self) -> (bool, Nanos) {
        (matches!(self.why, Why::Never(..)), self.wait)
    }

    fn worse(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if a.weight() >= b.weight() { a } else { b }),
            (a, b) => a.or(b),
        }
    }
}

/// One call as the limits see it.
pub(super) struct Call<'a> {
    pub(super) who: Who<'a>,
    pub(super) charge: Charge,
    /// When it came. Moved on to what its keys have seen already: of two calls that read the clock at once, the second
    /// to be counted came second.
    pub(super) now: Nanos,
}

/// All keys of one kind.
pub(super) struct Scope {
    per: Per,
    rules: Vec<(Unit, Rule)>,
    shards: Box<[Mutex<Shard>]>,
    most: usize,
    hasher: RandomState,
}

#[derive(Default)]
struct Shard {
    keys: HashMap<Key, Box<[State]>, BuildHasherDefault<Known>>,
    /// Idle keys are looked for when there are so many, at the latest when there is no room.
    sweep_at: usize,
    /// The latest time seen.
    latest: Nanos,
    /// No key becomes idle before; only known when there is no room.
    full_until: Nanos,
}

impl Scope {
    pub(super) fn new(per: Per, rules: Vec<(Unit, Rule)>, keys: usize) -> Self {
        let shards = if keys < SMALL || per == Per::Global { 1 } else { SHARDS };
        let most = (keys / shards).max(1);
        let shards = std::iter::repeat_with(Mutex::default).take(shards).collect();
        Self { per, rules, shards, most, hasher: RandomState::new() }
    }

    fn name<'a>(&self, who: Who<'a>) -> Name<'a> {
        Name::of(who, self.per, &self.hasher)
    }

    fn shard(&self, name: &Name<'_>) -> MutexGuard<'_, Shard> {
        // The map uses the lowest and the highest bits.
        let index = (name.hash >> 32) as usize % self.shards.len();
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn states(&self) -> Box<[State]> {
        self.rules.iter().map(|(_, rule)| State::new(rule)).collect()
    }

    /// The worst answer of the rules of one key.
    fn ask(&self, states: &mut [State], call: &Call<'_>) -> Option<Denial> {
        let mut worst = None;
        for (state, (unit, rule)) in states.iter_mut().zip(&self.rules) {
            let wait = state.wait(rule, call.now, call.charge.of(*unit));
            if wait == Some(0) {
                continue;
            }
            let why = if wait.is_some() { Why::Spent(*unit, *rule) } else { Why::Never(*unit, *rule) };
            let denial = Denial { wait: wait.unwrap_or_default(), per: self.per, why };
            worst = Denial::worse(worst, Some(denial));
        }
        worst
    }

    /// Charges one key if it and every scope in `rest` allow it.
    fn admit(&self, states: &mut [State], rest: &[Scope], call: &mut Call<'_>) -> Option<Denial> {
        if let Some(denial) = self.ask(states, call) {
            return Denial::worse(Some(denial), worst(rest, call));
        }
        let denial = admit(rest, call);
        if denial.is_none() {
            self.take(states, call);
        }
        denial
    }

    fn take(&self, states: &mut [State], call: &Call<'_>) {
        for (state, (unit, rule)) in states.iter_mut().zip(&self.rules) {
            state.take(rule, call.now, call.charge.of(*unit));
        }
    }

    /// Replaces what `call` was charged by `actual`. A key that was forgotten had nothing to give back; one that owes is
    /// remembered whether there is room or not, which calls in flight bound.
    pub(super) fn settle(&self, call: &Call<'_>, actual: &Charge, now: Nanos) {
        let name = self.name(call.who);
        let owes = self.rules.iter().any(|(unit, _)| actual.of(*unit) > call.charge.of(*unit));
        let mut shard = self.shard(&name);
        let now = shard.clock(now);
        if owes && !shard.keys.contains_key(name.as_key()) {
            shard.keys.insert(name.to_owned(), self.states());
        }
        let Some(states) = shard.keys.get_mut(name.as_key()) else { return };
        for (state, (unit, rule)) in states.iter_mut().zip(&self.rules) {
            state.settle(rule, call.now, call.charge.of(*unit), actual.of(*unit), now);
        }
    }

    /// How much of `unit` the tightest rule leaves now; `None` if no rule counts it.
    pub(super) fn left(&self, who: Who<'_>, unit: Unit, now: Nanos) -> Option<u64> {
        let name = self.name(who);
        let mut shard = self.shard(&name);
        let now = shard.clock(now);
        let mut fresh = self.states();
        let states = shard.keys.get_mut(name.as_key()).unwrap_or(&mut fresh);
        let rules = states.iter_mut().zip(&self.rules).filter(|(_, (counted, _))| *counted == unit);
        rules.map(|(state, (_, rule))| state.left(rule, now)).min()
    }

    pub(super) fn is_global(&self) -> bool {
        self.per == Per::Global
    }

    pub(super) fn keys(&self) -> usize {
        let lock = |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).keys.len();
        self.shards.iter().map(lock).sum()
    }
}

impl Shard {
    /// The time, which never goes backwards.
    fn clock(&mut self, now: Nanos) -> Nanos {
        self.latest = self.latest.max(now);
        self.latest
    }

    /// Sees to it that there is room for another key, or says how long until there may be. Idle keys are forgotten: O(n),
    /// and n new keys apart unless there is hardly room.
    fn make_room(&mut self, scope: &Scope, now: Nanos) -> Result<(), Nanos> {
        if self.keys.len() < self.sweep_at.clamp(FEW.min(scope.most), scope.most) {
            return Ok(());
        }
        if now < self.full_until {
            return Err(self.full_until - now);
        }
        let mut next = Nanos::MAX;
        self.keys.retain(|_, states| {
            let idle_at = states.iter().zip(&scope.rules).map(|(state, (_, rule))| state.idle_at(rule)).max();
            let idle_at = idle_at.unwrap_or_default();
            if idle_at > now {
                next = next.min(idle_at);
            }
            idle_at > now
        });
        self.keys.shrink_to(self.keys.len().max(FEW) * 2);
        self.sweep_at = (self.keys.len() * 2).min(scope.most);
        if self.keys.len() < scope.most {
            return Ok(());
        }
        self.full_until = next;
        Err(next.saturating_sub(now))
    }
}

/// Charges `call` to every scope, or to none and says why. The locks are taken in the order of the scopes, one of each,
/// and held until all have answered.
pub(super) fn admit(scopes: &[Scope], call: &mut Call<'_>) -> Option<Denial> {
    let (scope, rest) = scopes.split_first()?;
    let name = scope.name(call.who);
    let mut shard = scope.shard(&name);
    let shard = &mut *shard;
    call.now = shard.clock(call.now);
    if let Some(states) = shard.keys.get_mut(name.as_key()) {
        return scope.admit(states, rest, call);
    }
    if let Err(wait) = shard.make_room(scope, call.now) {
        let full = Denial { wait, per: scope.per, why: Why::Keys };
        return Denial::worse(Some(full), worst(rest, call));
    }
    let states = shard.keys.entry(name.to_owned()).or_insert_with(|| scope.states());
    scope.admit(states, rest, call)
}

/// What the scopes would say, charging nothing.
fn worst(scopes: &[Scope], call: &Call<'_>) -> Option<Denial> {
    scopes.iter().fold(None, |worst, scope| {
        let name = scope.name(call.who);
        let mut shard = scope.shard(&name);
        let mut fresh = scope.states();
        let states = shard.keys.get_mut(name.as_key()).unwrap_or(&mut fresh);
        Denial::worse(worst, scope.ask(states, call))
    })
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("per", &self.per).field("rules", &self.rules).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
