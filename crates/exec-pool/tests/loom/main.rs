//! Every interleaving of two or three threads at the slots, by loom: the code is the same, its lock is loom's.

#![expect(clippy::unwrap_used, reason = "a model that fails is a test that fails")]
#![expect(clippy::panic, reason = "a model that fails is a test that fails")]
#![expect(dead_code, reason = "the core has more than its model needs")]
#![expect(unreachable_pub, reason = "what is public in the crate is not public here")]

mod sync {
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[path = "../../src/config.rs"]
mod config;
#[path = "../../src/duration.rs"]
mod duration;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/random.rs"]
mod random;
#[path = "../../src/stats.rs"]
mod stats;

#[path = "../../src/slots"]
mod slots {
    pub(crate) mod core;
    pub(crate) mod line;
    pub(crate) mod parts;
    pub(crate) mod seat;
    pub(crate) mod supply;
    pub(crate) mod upkeep;
}

mod slots_model;
