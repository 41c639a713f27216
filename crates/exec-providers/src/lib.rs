//! Where a call runs: providers that speak a wire format over a bounded HTTP transport.

pub mod anthropic;
mod fallback;
mod fault;
pub mod format;
mod guarded;
pub mod http;
mod key;
mod lines;
mod models;
mod object;
pub mod openai;
mod progress;
mod remote;
mod retry_after;
pub mod simulator;
mod stream;

pub use self::fallback::Fallback;
pub use self::guarded::Guarded;
pub use self::models::ModelMap;
pub use self::remote::Endpoint;
