//! The allowances of all keys: bounded, sharded, and several kinds of keys asked as one.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exec_core::{Context, Request};

use super::charge::{Charge, Unit};
use super::config::Per;
use super::meter::{Nanos, Rule, State};

/// Below so many keys one lock is enough.
const SMALL: usize = 65_536;
const SHARDS: usize = 64;
/// Not worth looking for idle keys among fewer.
const FEW: usize = 64;

/// Whose call it is.
#[derive(Clone, Default)]
pub(super) struct Who {
    tenant: Option<Arc<str>>,
    model: Option<Arc<str>>,
    provider: Option<Arc<str>>,
}

impl Who {
    pub(super) fn of(request: &Request, context: &Context) -> Self {
        let tenant = context.tenant().cloned();
        Self { tenant, model: request.model.clone(), provider: request.options.provider.clone() }
    }

    fn name(&self, per: Per) -> Name {
        match per {
            Per::Global => (None, None),
            Per::Tenant => (self.tenant.clone(), None),
            Per::Model => (None, self.model.clone()),
            Per::Provider => (self.provider.clone(), None),
            Per::TenantModel => (self.tenant.clone(), self.model.clone()),
        }
    }
}

type Name = (Option<Arc<str>>, Option<Arc<str>>);

/// A name with its hash, so that it is computed once for shard and map.
#[derive(PartialEq, Eq)]
struct Key {
    hash: u64,
    name: Name,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Hands on the hash a [`Key`] has already.
#[derive(Default)]
struct Known(u64);

impl Hasher for Known {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

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
    pub(super) who: &'a Who,
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

    fn key(&self, who: &Who) -> Key {
        let name = who.name(self.per);
        Key { hash: self.hasher.hash_one(&name), name }
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        // The map uses the lowest and the highest bits.
        let index = (key.hash >> 32) as usize % self.shards.len();
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn states(&self) -> Box<[State]> {
        self.rules.iter().map(|(_, rule)| State::new(rule)).collect()
    }

    /// The worst answer of the rules of one key.
    fn ask(&self, states: &mut [State], call: &Call<'_>) -> Option<Denial> {
        let mut worst = None;
        for (state, (unit, rule)) in states.iter_mut().zip(&self.rules) {
            let wait = state.meter().wait(rule, call.now, call.charge.of(*unit));
            if wait == Some(0) {
                continue;
            }
            let why = if wait.is_some() { Why::Spent(*unit, *rule) } else { Why::Never(*unit, *rule) };
            let denial = Denial { wait: wait.unwrap_or_default(), per: self.per, why };
            worst = Denial::worse(worst, Some(denial));
        }
        worst
    }

    fn take(&self, states: &mut [State], call: &Call<'_>) {
        for (state, (unit, rule)) in states.iter_mut().zip(&self.rules) {
            state.meter().take(rule, call.now, call.charge.of(*unit));
        }
    }

    /// Replaces what `call` was charged by `actual`. A key that was forgotten had nothing to give back; one that owes is
    /// remembered whether there is room or not, which calls in flight bound.
    pub(super) fn settle(&self, call: &Call<'_>, actual: &Charge, now: Nanos) {
        let key = self.key(call.who);
        let owes = self.rules.iter().any(|(unit, _)| actual.of(*unit) > call.charge.of(*unit));
        let mut shard = self.shard(&key);
        if owes && !shard.keys.contains_key(&key) {
            shard.keys.insert(Key { name: key.name.clone(), ..key }, self.states());
        }
        let now = shard.clock(now);
        let Some(states) = shard.keys.get_mut(&key) else { return };
        for (state, (unit, rule)) in states.iter_mut().zip(&self.rules) {
            state.settle(rule, call.now, call.charge.of(*unit), actual.of(*unit), now);
        }
    }

    /// How much of `unit` the tightest rule leaves now; `None` if no rule counts it.
    pub(super) fn left(&self, who: &Who, unit: Unit, now: Nanos) -> Option<u64> {
        let key = self.key(who);
        let mut shard = self.shard(&key);
        let now = shard.clock(now);
        let mut fresh = self.states();
        let states = shard.keys.get_mut(&key).unwrap_or(&mut fresh);
        let rules = states.iter_mut().zip(&self.rules).filter(|(_, (counted, _))| *counted == unit);
        rules.map(|(state, (_, rule))| state.meter().left(rule, now)).min()
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

    /// The states of `key`, or how long until there may be room for it.
    fn states(&mut self, scope: &Scope, key: Key, now: Nanos) -> Result<&mut Box<[State]>, Nanos> {
        if self.keys.len() >= self.sweep_at.clamp(FEW.min(scope.most), scope.most)
            && !self.keys.contains_key(&key)
        {
            self.make_room(scope, now)?;
        }
        Ok(self.keys.entry(key).or_insert_with(|| scope.states()))
    }

    /// Forgets idle keys. O(n), and n new keys apart unless there is hardly room.
    fn make_room(&mut self, scope: &Scope, now: Nanos) -> Result<(), Nanos> {
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
    let key = scope.key(call.who);
    let mut shard = scope.shard(&key);
    call.now = shard.clock(call.now);
    let states = match shard.states(scope, key, call.now) {
        Ok(states) => states,
        Err(wait) => {
            let full = Denial { wait, per: scope.per, why: Why::Keys };
            return Denial::worse(Some(full), worst(rest, call));
        }
    };
    if let Some(denial) = scope.ask(states, call) {
        return Denial::worse(Some(denial), worst(rest, call));
    }
    let denial = admit(rest, call);
    if denial.is_none() {
        scope.take(states, call);
    }
    denial
}

/// What the scopes would say, charging nothing.
fn worst(scopes: &[Scope], call: &Call<'_>) -> Option<Denial> {
    scopes.iter().fold(None, |worst, scope| {
        let key = scope.key(call.who);
        let mut shard = scope.shard(&key);
        let mut fresh = scope.states();
        let states = shard.keys.get_mut(&key).unwrap_or(&mut fresh);
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
