//! What is worth keeping between its first reader and its last.

/// How to keep what is worth it, unless told otherwise.
pub(crate) const DEFAULT_LEVEL: &str = "MEMORY_AND_DISK";
