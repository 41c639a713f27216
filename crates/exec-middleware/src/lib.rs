//! Guards for a call, each a middleware that can be taken alone.
//!
//! | guard | what it promises |
//! |---|---|
//! | [`Trace`] | a span around the call, and the events `started`, `first_chunk` and `ended`, the last exactly once |
//! | [`Metrics`] | figures over all calls: how many, how they ended, how long they took; a cancelled call leaves no gauge up |
//! | [`CatchPanic`] | a panic below becomes an error, in the call and in its body |
//! | [`Validate`] | a request that cannot work is refused with every reason at once |
//! | [`RateLimit`] | never more requests, tokens or money than a time allows, and a denial says exactly how long to wait |
//! | [`Cache`] | an answer there is already is used again, and equal calls at once are one |
//! | [`Retry`] | a call that failed for a passing reason is made again, within attempts, deadline and one shared budget |
//! | [`Hedge`] | a call that is slower than usual is made a second time, and the first content wins |
//! | [`CircuitBreaker`], [`Breakers`] | what is broken is not called, and is tried again by exactly so many probes |
//! | [`ConcurrencyLimit`] | so many calls at once, counted to the end of their bodies; the others wait in a bounded queue |
//! | [`AdaptiveLimit`] | the same with a number that follows how fast the backend answers |
//! | [`Timeout`] | four separate limits: connection, first chunk, silence between chunks, the whole |
//!
//! The feature `schema` lets [`Validate`] hold requests and answers against the JSON Schemas of a catalogue.
//!
//! The order that works is the order of the table, [`ORDER`]: what is traced first is seen whatever the others do. [`lint`]
//! says what is wrong with another.
//!
//! ```
//! use std::time::Duration;
//! use exec_core::testing::{Answer, Script};
//! use exec_core::{Chat, Context, ErrorKind, Executor, Pipeline, Request};
//! use exec_middleware::{CatchPanic, Timeout, TimeoutConfig, Trace, Validate};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! let silent = Script::new("silent", [Answer::hang()]);
//! let limits = TimeoutConfig { total: Some(Duration::from_secs(30)), ..TimeoutConfig::default() };
//! let pipeline = Pipeline::around(silent)
//!     .with(Trace::default())
//!     .with(CatchPanic::default())
//!     .with(Validate::default())
//!     .with(Timeout::new(limits));
//!
//! let error = pipeline.execute(Request::chat(Chat::user("hi")), &Context::new("1")).await.unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
//! # }
//! ```

pub mod breaker;
pub mod cache;
mod catch_panic;
mod hedge;
mod histogram;
mod limit;
mod monitor;
mod order;
mod random;
mod repeat;
mod retry;
mod sync;
mod timeout;
mod trace;
mod validate;

pub use self::breaker::{BreakerConfig, Breakers, CircuitBreaker};
pub use self::cache::{Cache, CacheConfig, CacheStats};
pub use self::catch_panic::CatchPanic;
pub use self::hedge::{Hedge, HedgeConfig, HedgeStats};
pub use self::limit::{
    AdaptiveConfig, AdaptiveLimit, ConcurrencyConfig, ConcurrencyLimit, ConcurrencyPermit, LimitStats,
};
pub use self::limit::{Charge, Limit, Mode, Per, RateLimit, RateLimitConfig, RateReservation, RateStats};
pub use self::monitor::{
    EventBus, Metrics, MetricsConfig, ModelFigures, Quantiles, Snapshot, Subscription, Told,
};
pub use self::order::{Misplaced, ORDER, lint};
pub use self::retry::{
    Backoff, BackoffConfig, Jitter, Retry, RetryBudget, RetryBudgetConfig, RetryBudgetStats, RetryConfig,
};
pub use self::timeout::{Timeout, TimeoutConfig};
pub use self::trace::Trace;
pub use self::validate::{Issues, Rule, Severity, Validate, ValidateConfig};

/// Runs the code of the page about guards.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/middleware.md")]
struct MiddlewarePage;
