//! Shared measuring for the benches.
