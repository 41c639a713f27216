//! Behaviour of the crate, one module per subject.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod building;
mod caching;
mod checked;
mod choosing;
mod configured;
mod cycles;
mod drafts;
mod large;
mod laws;
mod narrowing;
mod networkx;
mod planning;
mod rendering;
mod running;
mod shapes;
mod streaming;
mod support;
