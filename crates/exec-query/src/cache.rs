//! Results that are kept, bounded in number and in weight.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::language::render;
use crate::rewrite::Normal;
use crate::schema::Schema;

/// Under which the result of a query is kept: queries with one key have the same result. Made by
/// [`Plan::key`](crate::Plan::key); it holds what was looked for in full, so two queries never share one by accident.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(String);

impl CacheKey {
    pub(crate) fn of(normal: &Normal, schema: &Schema) -> Self {
        let condition = render::condition(schema, &normal.condition);
        let Normal { sort, key_direction, limit, detail, .. } = normal;
        let mut text = format!("{condition}\n{key_direction:?} {limit} {detail:?}");
        for (field, direction) in sort {
            text.push_str(&format!(" {}:{direction:?}", schema.name(*field)));
        }
        for field in &normal.shown {
            text.push_str(&format!(" {}", schema.name(*field)));
        }
        Self(text)
    }

    /// Bytes it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.0.len()
    }
}

/// Results of searches, the least recently used leaving first.
///
/// A result is good for one generation of the store: the program counts writes (or reads SQLite's
/// `PRAGMA data_version`), and says at each look-up which generation it is. What was kept under another one is gone.
///
/// ```
/// use exec_query::{Condition, Kind, Planner, Query, ResultCache, Schema, Statistics, Strategy};
/// let schema = Schema::builder("runs", "id").field("status", Kind::Text).build()?;
/// let query = Query::new(Condition::equals(schema.field("status")?, "failed"));
/// let planner = Planner::new(schema.clone(), Statistics::unknown(&schema, 1_000))?;
/// let mut cache = ResultCache::new(100, 1 << 20);
/// let plan = planner.plan(&query)?;
/// cache.put(plan.key(&schema), 1, 10, vec![17, 4]);
/// let again = planner.plan_cached(&query, |key| cache.has(key, 1))?;
/// assert_eq!(*again.strategy(), Strategy::Cached);
/// assert_eq!(cache.get(&again.key(&schema), 1).as_deref(), Some(&vec![17, 4]));
/// assert!(cache.get(&again.key(&schema), 2).is_none());
/// # Ok::<(), exec_query::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct ResultCache<T> {
    most: usize,
    most_weight: usize,
    weight: usize,
    /// Counts uses.
    clock: u64,
    entries: HashMap<CacheKey, Entry<T>>,
    /// Last use of each entry, the oldest first.
    uses: BTreeMap<u64, CacheKey>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    result: Arc<T>,
    generation: u64,
    weight: usize,
    used: u64,
}

impl<T> ResultCache<T> {
    /// At most so many results, of at most so much weight together, in whatever unit `put` is given; keys count as
    /// bytes.
    #[must_use]
    pub fn new(most: usize, most_weight: usize) -> Self {
        Self { most, most_weight, weight: 0, clock: 0, entries: HashMap::new(), uses: BTreeMap::new() }
    }

    /// Whether a result is there for this generation. Does not count as a use.
    #[must_use]
    pub fn has(&self, key: &CacheKey, generation: u64) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.generation == generation)
    }

    /// The result, if it is there for this generation. O(log n).
    pub fn get(&mut self, key: &CacheKey, generation: u64) -> Option<Arc<T>> {
        if !self.has(key, generation) {
            self.remove(key);
            return None;
        }
        self.clock += 1;
        let clock = self.clock;
        let entry = self.entries.get_mut(key)?;
        if let Some(key) = self.uses.remove(&entry.used) {
            self.uses.insert(clock, key);
        }
        entry.used = clock;
        Some(entry.result.clone())
    }

    /// Keeps a result, and lets go of others until it fits; one that is too heavy alone is not kept. O(log n) each.
    pub fn put(&mut self, key: CacheKey, generation: u64, weight: usize, result: T) {
        let weight = weight.saturating_add(key.weight());
        self.remove(&key);
        if weight > self.most_weight || self.most == 0 {
            return;
        }
        while self.entries.len() >= self.most || self.weight + weight > self.most_weight {
            let Some((_, oldest)) = self.uses.pop_first() else { break };
            self.remove(&oldest);
        }
        self.clock += 1;
        self.weight += weight;
        self.uses.insert(self.clock, key.clone());
        let entry = Entry { result: Arc::new(result), generation, weight, used: self.clock };
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, key: &CacheKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.weight -= entry.weight;
            self.uses.remove(&entry.used);
        }
    }

    /// How many results are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Their weight together.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_never_holds_more_than_it_may_and_forgets_the_least_used(
            steps in proptest::collection::vec((any::<bool>(), 0..12_u8, 0..30_usize), 0..200),
        ) {
            let key = |n: u8| CacheKey(n.to_string().repeat(2));
            let mut cache = ResultCache::new(5, 60);
            // The naive one: a list in the order of use.
            let mut list: Vec<(u8, usize)> = Vec::new();
            for (put, n, weight) in steps {
                if put {
                    let weight_of_all = weight + key(n).weight();
                    cache.put(key(n), 1, weight, n);
                    list.retain(|(other, _)| *other != n);
                    while list.len() >= 5 || list.iter().map(|(_, w)| w).sum::<usize>() + weight_of_all > 60 {
                        list.remove(0);
                    }
                    list.push((n, weight_of_all));
                } else {
                    let found = cache.get(&key(n), 1).is_some();
                    prop_assert_eq!(found, list.iter().any(|(other, _)| *other == n));
                    if let Some(at) = list.iter().position(|(other, _)| *other == n) {
                        let used = list.remove(at);
                        list.push(used);
                    }
                }
                prop_assert_eq!(cache.len(), list.len());
                prop_assert_eq!(cache.weight(), list.iter().map(|(_, w)| w).sum::<usize>());
                prop_assert_eq!(cache.uses.len(), cache.entries.len());
            }
        }
    }
}
