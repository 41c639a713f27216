//! Behaviour of the crate, one module per subject, most of it against real SQLite.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod candidates;
mod injection;
mod language;
mod learning;
mod rewrites;
mod store;
mod tokens;
mod world;
