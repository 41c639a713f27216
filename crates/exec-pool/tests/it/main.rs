//! The pool as its users meet it, under a clock that stands still unless everybody waits.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by a panic")]

mod cancelling;
mod closing;
mod failing;
mod fair;
mod figures;
mod leaks;
mod outside;
mod pools;
mod sharing;
mod spike;
mod storm;
mod support;
mod upkeep;
