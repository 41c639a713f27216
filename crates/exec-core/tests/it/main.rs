//! What the vocabulary promises, one module per behaviour.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adapters;
mod end;
mod laws;
mod pipeline;
