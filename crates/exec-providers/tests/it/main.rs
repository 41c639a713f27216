//! Behaviour of the HTTP building blocks, one module per thing that could break, and what failures of providers mean.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test and what helps it fail by panicking")]

mod errors;
mod failures;
mod inline;
mod json;
mod ndjson;
mod request;
mod sse;
mod support;
mod tls;
mod transport;
