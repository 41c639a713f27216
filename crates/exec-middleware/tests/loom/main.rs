//! Every interleaving of two or three threads in the shared cores, by loom: the code is the same, its locks and atomics are
//! loom's.

#![expect(clippy::unwrap_used, reason = "a model that fails is a test that fails")]
#![expect(dead_code, reason = "a core has more than its model needs")]
#![expect(unreachable_pub, reason = "what is public in the crate is not public here")]

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[path = "../../src/random.rs"]
mod random;

#[path = "../../src/breaker"]
mod breaker {
    pub(crate) mod gate;
    pub(crate) mod rules;
    pub(crate) mod state;
    pub(crate) mod window;
}

#[path = "../../src/limit"]
mod limit {
    pub(crate) mod bulkhead;
    pub(crate) mod queue;
}

#[path = "../../src/cache"]
mod cache {
    pub(crate) mod relay;
}

mod breaker_model;
mod limit_model;
mod relay_model;
