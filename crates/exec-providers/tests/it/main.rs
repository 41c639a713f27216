//! Behaviour of the HTTP building blocks, one module per thing that could break.

mod ndjson;
mod sse;
