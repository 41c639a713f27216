//! Where a call runs: providers that speak a wire format over a bounded HTTP transport.

pub mod fallback;
pub mod format;
mod guarded;
pub mod http;
mod models;
mod remote;
pub mod simulator;
mod stream;

pub use self::fallback::Fallback;
pub use self::guarded::Guarded;
pub use self::models::ModelMap;
pub use self::remote::Endpoint;
