//! Where a call runs: providers that speak a wire format over a bounded HTTP transport.

pub mod format;
pub mod http;
pub mod openai;
mod retry_after;
