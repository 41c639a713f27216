//! The primitives of the shared core, named once: the model checker of `tests/loom` puts its own in their place.

pub(crate) use std::sync::{Mutex, MutexGuard};

/// Locks, also after a panic: the core is consistent whenever its lock is free.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
