//! Limits: how much may be asked for in a time, and how much at once.

mod rate;

pub use self::rate::{Charge, Limit, Mode, Per, RateLimit, RateLimitConfig, RateReservation};
