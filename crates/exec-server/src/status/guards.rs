//! How each guard is, in words of JSON.

use exec_middleware::breaker::Stats;
use exec_middleware::{
    HedgeStats, LimitStats, ModelFigures, Quantiles, RateStats, RetryBudgetStats, Snapshot,
};
use serde::Serialize;

use super::millis;

/// The calls that passed, counted since the start.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words of `exec_middleware::Snapshot`")]
pub struct CallsStatus {
    pub calls: u64,
    pub in_flight: u64,
    pub completed: u64,
    pub failed: u64,
    pub rejected: u64,
    pub cancelled: u64,
    pub retried: u64,
    pub hedged: u64,
    pub fell_back: u64,
    pub cache_hits: u64,
    pub cache_misses: u64,
    pub coalesced: u64,
    pub models: Vec<ModelStatus>,
}

/// How long calls of one model took lately.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words of `exec_middleware::ModelFigures`")]
pub struct ModelStatus {
    pub model: String,
    pub answered: u64,
    pub first_content_ms: QuantilesStatus,
    pub whole_ms: QuantilesStatus,
}

/// The time in which so many were done, in milliseconds.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `exec_middleware::Quantiles`")]
pub struct QuantilesStatus {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
}

/// What a hedge has done since the start.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words of `exec_middleware::HedgeStats`")]
pub struct HedgeStatus {
    pub calls: u64,
    pub sent: u64,
    pub won: u64,
    pub refused: u64,
}

/// How a breaker is. Counted since the start.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words of `exec_middleware::breaker::Stats`")]
pub struct BreakerStatus {
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_for_ms: Option<u64>,
    pub succeeded: u64,
    pub failed: u64,
    pub slow: u64,
    pub unrecorded: u64,
    pub outdated: u64,
    pub rejected: u64,
    pub opened: u64,
    pub open_time_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure_ms: Option<u64>,
    pub streak: u32,
    pub window_calls: u32,
    pub failure_rate: f64,
    pub slow_rate: f64,
    pub probes: u32,
}

/// How a limit on how much at once is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words of `exec_middleware::LimitStats`")]
pub struct LimitStatus {
    pub guard: &'static str,
    pub limit: usize,
    pub in_flight: usize,
    pub waiting: usize,
    pub peak: usize,
    pub admitted: u64,
    pub full: u64,
    pub late: u64,
    pub left: u64,
}

/// How a limit on how much in a time is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words of `exec_middleware::RateStats`")]
pub struct RateStatus {
    pub keys: usize,
    pub refused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_left: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_left: Option<u64>,
}

/// How the budget of retries is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words of `exec_middleware::RetryBudgetStats`")]
pub struct RetryBudgetStatus {
    pub requests: u64,
    pub retries: u64,
    pub left: u64,
}

impl BreakerStatus {
    pub(super) fn of(stats: &Stats) -> Self {
        Self {
            state: stats.state.as_str(),
            open_for_ms: stats.open_for.map(millis),
            succeeded: stats.succeeded,
            failed: stats.failed,
            slow: stats.slow,
            unrecorded: stats.unrecorded,
            outdated: stats.outdated,
            rejected: stats.rejected,
            opened: stats.opened,
            open_time_ms: millis(stats.open_time),
            last_failure_ms: stats.last_failure.map(millis),
            streak: stats.streak,
            window_calls: stats.window_calls,
            failure_rate: stats.failure_rate,
            slow_rate: stats.slow_rate,
            probes: stats.probes,
        }
    }
}

impl LimitStatus {
    pub(super) fn of(guard: &'static str, stats: LimitStats) -> Self {
        let LimitStats { limit, in_flight, waiting, peak, admitted, full, late, left, .. } = stats;
        Self { guard, limit, in_flight, waiting, peak, admitted, full, late, left }
    }
}

impl RateStatus {
    pub(super) fn of(RateStats { keys, refused, requests_left, tokens_left, .. }: RateStats) -> Self {
        Self { keys, refused, requests_left, tokens_left }
    }
}

impl RetryBudgetStatus {
    pub(super) fn of(RetryBudgetStats { requests, retries, left, .. }: RetryBudgetStats) -> Self {
        Self { requests, retries, left }
    }
}

impl CallsStatus {
    pub(super) fn of(figures: &Snapshot) -> Self {
        Self {
            calls: figures.calls,
            in_flight: figures.in_flight,
            completed: figures.completed,
            failed: figures.failed,
            rejected: figures.rejected,
            cancelled: figures.cancelled,
            retried: figures.retried,
            hedged: figures.hedged,
            fell_back: figures.fell_back,
            cache_hits: figures.cache_hits,
            cache_misses: figures.cache_misses,
            coalesced: figures.coalesced,
            models: figures.models.iter().map(ModelStatus::of).collect(),
        }
    }
}

impl ModelStatus {
    fn of(figures: &ModelFigures) -> Self {
        Self {
            model: figures.model.to_string(),
            answered: figures.answered,
            first_content_ms: QuantilesStatus::of(figures.first_content),
            whole_ms: QuantilesStatus::of(figures.whole),
        }
    }
}

impl QuantilesStatus {
    fn of(Quantiles { p50, p95, p99, .. }: Quantiles) -> Self {
        let [p50, p95, p99] = [p50, p95, p99].map(millis);
        Self { p50, p95, p99 }
    }
}

impl HedgeStatus {
    pub(super) fn of(HedgeStats { calls, sent, won, refused, .. }: HedgeStats) -> Self {
        Self { calls, sent, won, refused }
    }
}
