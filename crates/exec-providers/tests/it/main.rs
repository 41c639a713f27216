//! Behaviour of the HTTP building blocks, one module per thing that could break.

#![expect(clippy::unwrap_used, reason = "a test and what helps it fail by panicking")]

mod failures;
mod inline;
mod json;
mod ndjson;
mod request;
mod sse;
mod support;
mod tls;
mod transport;
