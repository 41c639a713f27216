//! Limits: how much at once, and how much in a time.

mod adaptive;
mod bulkhead;
mod concurrency;
mod gradient;
mod queue;
mod rate;

pub use self::adaptive::{AdaptiveConfig, AdaptiveLimit};
pub use self::bulkhead::LimitStats;
pub use self::concurrency::{ConcurrencyConfig, ConcurrencyLimit, ConcurrencyPermit};
pub(crate) use self::rate::estimate_tokens;
pub use self::rate::{Charge, Limit, Mode, Per, RateLimit, RateLimitConfig, RateReservation, RateStats};
