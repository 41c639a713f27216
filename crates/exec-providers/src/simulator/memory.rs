//! What a simulator remembers between calls: how often it was asked something, and since when.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// The most keys that are remembered. Beyond it the smallest key is forgotten: it then counts from 0 again.
const MAX_KEYS: usize = 4096;

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    /// How many calls there were before.
    pub(super) calls: u64,
    /// When the first was.
    pub(super) since: Instant,
}

/// Counts calls by key.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<u64, Seen>>);

impl Memory {
    /// Counts a call, and says what was known before it.
    pub(super) fn note(&self, key: u64) -> Seen {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX_KEYS && !seen.contains_key(&key) {
            seen.pop_first();
        }
        let entry = seen.entry(key).or_insert_with(|| Seen { calls: 0, since: Instant::now() });
        let before = *entry;
        entry.calls += 1;
        before
    }

    /// What is known, without counting.
    pub(super) fn peek(&self, key: u64) -> Option<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keys_count_alone_from_their_first_call() {
        let memory = Memory::default();
        let start = Instant::now();
        assert_eq!(memory.note(1), Seen { calls: 0, since: start });
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert_eq!(memory.note(1), Seen { calls: 1, since: start });
        assert_eq!(memory.note(2).calls, 0);
        assert_eq!(memory.peek(1).unwrap().calls, 2);
        assert_eq!(memory.peek(3), None);
    }

    #[tokio::test]
    async fn it_never_grows_beyond_its_bound() {
        let memory = Memory::default();
        (0..3 * MAX_KEYS as u64).for_each(|key| {
            memory.note(key);
        });
        assert_eq!(memory.0.lock().unwrap().len(), MAX_KEYS);
    }
}
