//! Where a call runs: providers that speak a wire format over a bounded HTTP transport.

pub mod anthropic;
pub mod format;
pub mod http;
mod retry_after;
