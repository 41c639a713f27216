//! What every provider that speaks HTTP shares: parsers for streamed answers.

pub mod ndjson;
pub mod sse;
