//! Behaviour of the HTTP building blocks, one module per thing that could break, and what failures of providers mean.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test and what helps it fail by panicking")]

mod errors;
mod inline;
mod json;
mod ndjson;
mod request;
mod sse;

// What follows is tested with each of those who can keep the connections of a transport.
macro_rules! pool {
    () => {
        exec_providers::http::Pooling::Own
    };
}
#[path = "transports.rs"]
mod own;

#[cfg(feature = "exec-pool")]
macro_rules! pool {
    () => {
        exec_providers::http::Pooling::ExecPool
    };
}
#[cfg(feature = "exec-pool")]
#[expect(clippy::duplicate_mod, reason = "the same tests, with the other pool")]
#[path = "transports.rs"]
mod pooled;
