//! Guards that keep a call from being one too many.

mod adaptive;
mod bulkhead;
mod concurrency;
mod gradient;
mod queue;

pub use self::adaptive::{AdaptiveConfig, AdaptiveLimit, Hint};
pub use self::bulkhead::LimitStats;
pub use self::concurrency::{ConcurrencyConfig, ConcurrencyLimit, ConcurrencyPermit};
