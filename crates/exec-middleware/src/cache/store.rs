//! Where answers are kept: the trait, and the store inside of this process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use exec_core::Result;
use hashbrown::DefaultHashBuilder;
use moka::Expiry;
use moka::notification::RemovalCause;
use moka::sync::Cache as Moka;

use super::entry::Entry;
use super::key::Key;
use super::marks::Target;

/// A place where answers are kept.
///
/// A cache asks it under its `store_timeout` and takes every error for an answer that is not there, so an
/// implementation need not retry. What it forgets early is merely fetched again. It must compare keys whole. Every future
/// may be dropped at any await.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The answer kept under `key`, good or not: the cache judges its age.
    ///
    /// # Errors
    /// When the store cannot say.
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>>;

    /// The same without waiting, for a store that needs none: `None` says to ask [`get`](Self::get).
    fn get_now(&self, _key: &Key) -> Option<Option<Arc<Entry>>> {
        None
    }

    /// Keeps `entry`, for at least its `ttl` and `grace` unless there is no room.
    ///
    /// # Errors
    /// When it cannot be kept.
    async fn put(&self, key: &Key, entry: Arc<Entry>) -> Result<()>;

    /// Forgets one answer.
    ///
    /// # Errors
    /// When the store cannot say whether it did.
    async fn remove(&self, key: &Key) -> Result<()>;

    /// Everything that `target` means is wrong now. The cache of this process knows already and uses none of it, so a
    /// store that nobody shares may forget it at leisure.
    ///
    /// # Errors
    /// When others may go on using it.
    async fn invalidate(&self, target: &Target) -> Result<()>;

    /// Whether others keep answers in it as well, so that it must hear of every write. Default: yes.
    fn is_shared(&self) -> bool {
        true
    }

    /// What it holds, as far as it knows.
    fn size(&self) -> Size {
        Size::default()
    }
}

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Answers.
    pub entries: u64,
    /// What they weigh, in bytes.
    pub weight: u64,
    /// Answers that had to make room for others, ever.
    pub evicted: u64,
}

/// What an answer weighs, in bytes, where nothing is known of it.
const TYPICAL: u64 = 4096;
/// So many different requests are counted at least, and at most.
const FEWEST: u64 = 128;
const MOST: u64 = 4_096;

/// Keeps answers in the memory of this process: bounded by what they weigh, and those that are asked for often stay
/// (TinyLFU). An answer whose time and grace are over goes by itself.
#[derive(Clone)]
pub struct MemoryStore {
    entries: Moka<Key, Arc<Entry>, DefaultHashBuilder>,
    evicted: Arc<AtomicU64>,
}

impl MemoryStore {
    /// A store of answers that weigh at most so much together, in bytes. It may hold more for a moment while it makes
    /// room.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        let evicted = Arc::new(AtomicU64::new(0));
        let count = evicted.clone();
        let entries = Moka::builder()
            .max_capacity(capacity)
            .weigher(|_, entry: &Arc<Entry>| u32::try_from(entry.weight).unwrap_or(u32::MAX))
            .expire_after(ByEntry)
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build_with_hasher(DefaultHashBuilder::default());
        let store = Self { entries, evicted };
        store.size_sketch(capacity);
        store
    }

    /// Makes room for counting how often what is asked for. Where answers are weighed, moka 0.12 makes it a quarter of
    /// what it needs: it takes the answers held when half of the capacity is in use, and halves instead of doubling them.
    /// So that moment is brought about with as many answers as there may be, all but one without weight.
    fn size_sketch(&self, capacity: u64) {
        let Ok(all) = u32::try_from(capacity) else { return };
        let counted = (capacity / TYPICAL).clamp(FEWEST, MOST);
        let keys: Vec<Key> = (0..counted).map(Key::placeholder).collect();
        for (n, key) in keys.iter().enumerate() {
            let weight = if n + 1 == keys.len() { all } else { 0 };
            self.entries.insert(key.clone(), Arc::new(Entry::placeholder(weight)));
        }
        self.entries.run_pending_tasks();
        keys.iter().for_each(|key| self.entries.invalidate(key));
        self.entries.run_pending_tasks();
    }

    /// Does now what it would do in passing: making room and letting go. For tests and figures that must be exact.
    pub fn settle(&self) {
        self.entries.run_pending_tasks();
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>> {
        Ok(self.entries.get(key))
    }

    fn get_now(&self, key: &Key) -> Option<Option<Arc<Entry>>> {
        Some(self.entries.get(key))
    }

    async fn put(&self, key: &Key, entry: Arc<Entry>) -> Result<()> {
        self.entries.insert(key.clone(), entry);
        Ok(())
    }

    async fn remove(&self, key: &Key) -> Result<()> {
        self.entries.invalidate(key);
        Ok(())
    }

    /// Forgets everything if that is meant. Else what is wrong stays until it is asked for, its time is over, or its
    /// room is needed: nobody asks for it often, so it is the first to go.
    async fn invalidate(&self, target: &Target) -> Result<()> {
        if target.is_all() {
            self.entries.invalidate_all();
        }
        Ok(())
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn size(&self) -> Size {
        Size {
            entries: self.entries.entry_count(),
            weight: self.entries.weighted_size(),
            evicted: self.evicted.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.size(), f)
    }
}

/// Each answer goes when it is of no more use. This is housekeeping by the clock of the machine: whether an answer is
/// good is judged by the cache, by the clock that tests can pause.
struct ByEntry;

impl Expiry<Key, Arc<Entry>> for ByEntry {
    fn expire_after_create(&self, _: &Key, entry: &Arc<Entry>, _: Instant) -> Option<Duration> {
        Some(entry.ttl.saturating_add(entry.grace))
    }

    fn expire_after_update(
        &self,
        _: &Key,
        entry: &Arc<Entry>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl.saturating_add(entry.grace))
    }
}
