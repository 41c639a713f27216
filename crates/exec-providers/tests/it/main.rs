//! Behaviour of the HTTP building blocks, one module per thing that could break.

mod json;
mod ndjson;
mod request;
mod sse;
mod support;
mod tls;
mod transport;
