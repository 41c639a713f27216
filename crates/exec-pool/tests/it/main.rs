//! The pool as its users meet it, under a clock that stands still unless everybody waits.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by a panic")]

mod cancelling;
mod closing;
mod failing;
mod fair;
mod figures;
mod leaks;
mod outside;
#[cfg(feature = "http")]
mod over_http;
mod pools;
#[cfg(all(feature = "postgres", feature = "redis"))]
mod servers;
mod sharing;
mod spike;
#[cfg(feature = "sqlite")]
mod sqlite;
mod storm;
mod support;
mod upkeep;
