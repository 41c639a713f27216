//! How the server is, from what it knows anyway: nothing is asked, nothing waits.
//!
//! One picture for both who look: [`Status`] is the document of `GET /api/v2/status`, and `metrics.rs` writes the same
//! figures for Prometheus.

mod guards;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use exec_middleware::breaker::State;
use exec_middleware::{
    AdaptiveLimit, CircuitBreaker, ConcurrencyLimit, Hedge, Metrics, RateLimit, RetryBudget,
};
use serde::Serialize;

pub use self::guards::{
    BreakerStatus, CallsStatus, HedgeStatus, LimitStatus, ModelStatus, QuantilesStatus, RateStatus,
    RetryBudgetStatus,
};

/// Handles of the guards around one thing that have something to tell.
#[derive(Debug, Default)]
pub struct Watch {
    /// The names of all guards, outermost first.
    pub order: Vec<&'static str>,
    /// Who answers for it, when it asks others.
    pub members: Vec<Arc<str>>,
    /// What counts the calls.
    pub calls: Option<Metrics>,
    /// Its hedge.
    pub hedge: Option<Arc<Hedge>>,
    /// Its breaker.
    pub breaker: Option<CircuitBreaker>,
    /// How much at once.
    pub concurrency: Option<ConcurrencyLimit>,
    /// The same, finding itself.
    pub adaptive: Option<AdaptiveLimit>,
    /// How much in a time.
    pub rate: Option<RateLimit>,
}

/// Handles of all guards.
#[derive(Debug, Default)]
pub struct Watches {
    /// Those that every call passes.
    pub pipeline: Watch,
    /// Those of each provider.
    pub providers: BTreeMap<Arc<str>, Watch>,
    /// What all retries draw from, when something retries.
    pub retries: Option<RetryBudget>,
}

/// How the server is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Of this program.
    pub version: &'static str,
    /// `ready`, or `stopping`.
    pub status: &'static str,
    /// Since it began.
    pub uptime_ms: u64,
    /// Executions under way.
    pub in_flight: usize,
    /// What every call passes.
    pub pipeline: GuardsStatus,
    /// Who is there to be asked, by name.
    pub providers: Vec<ProviderStatus>,
    /// What all retries draw from, when something retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_budget: Option<RetryBudgetStatus>,
}

/// How a provider is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderStatus {
    /// As configured.
    pub name: String,
    /// Whether it is asked when nobody is named.
    pub default: bool,
    /// What its breaker, or those of its members, say of it.
    pub health: Known,
    /// What each try at it passes.
    #[serde(flatten)]
    pub guards: GuardsStatus,
}

/// What is known of a provider without asking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// It works.
    Healthy,
    /// It is being tried again, or only some of its members work.
    Degraded,
    /// It is not called.
    Unhealthy,
    /// It has no breaker, so nobody keeps count.
    Unknown,
}

/// How the guards around one thing are.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardsStatus {
    /// The names of all, outermost first.
    pub guards: Vec<&'static str>,
    /// The calls that passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<CallsStatus>,
    /// The hedge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hedge: Option<HedgeStatus>,
    /// The breaker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerStatus>,
    /// The limits on how much at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitStatus>,
    /// The limit on how much in a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateStatus>,
}

impl Known {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

impl Watches {
    /// The pipeline, the providers of which `default` is asked when nobody is named, and the budget, as they are now.
    pub(crate) fn look(
        &self,
        default: &str,
    ) -> (GuardsStatus, Vec<ProviderStatus>, Option<RetryBudgetStatus>) {
        let provider = |(name, watch): (&Arc<str>, &Watch)| ProviderStatus {
            name: name.to_string(),
            default: **name == *default,
            health: self.health(watch),
            guards: watch.look(),
        };
        let providers = self.providers.iter().map(provider).collect();
        let budget = self.retries.as_ref().map(|budget| RetryBudgetStatus::of(budget.stats()));
        (self.pipeline.look(), providers, budget)
    }

    /// What is known of a provider. That members do not go round in circles was checked with the configuration.
    fn health(&self, watch: &Watch) -> Known {
        let own = watch.breaker.as_ref().map(|breaker| match breaker.state() {
            State::Closed => Known::Healthy,
            State::HalfOpen => Known::Degraded,
            State::Open => Known::Unhealthy,
        });
        match own {
            Some(Known::Healthy) | None if !watch.members.is_empty() => self.together(&watch.members),
            own => own.unwrap_or(Known::Unknown),
        }
    }

    /// As well as the first member; degraded when only another works.
    fn together(&self, members: &[Arc<str>]) -> Known {
        let all: Vec<Known> = members
            .iter()
            .filter_map(|name| self.providers.get(name))
            .map(|watch| self.health(watch))
            .collect();
        match all.first() {
            Some(first @ (Known::Healthy | Known::Unknown)) => *first,
            _ if all.iter().all(|health| *health == Known::Unhealthy) => Known::Unhealthy,
            _ => Known::Degraded,
        }
    }
}

impl Watch {
    fn look(&self) -> GuardsStatus {
        let concurrency = self.concurrency.as_ref().map(|l| LimitStatus::of("concurrency_limit", l.stats()));
        let adaptive = self.adaptive.as_ref().map(|l| LimitStatus::of("adaptive_limit", l.stats()));
        GuardsStatus {
            guards: self.order.clone(),
            calls: self.calls.as_ref().map(|calls| CallsStatus::of(&calls.snapshot())),
            hedge: self.hedge.as_ref().map(|hedge| HedgeStatus::of(hedge.stats())),
            breaker: self.breaker.as_ref().map(|breaker| BreakerStatus::of(&breaker.stats())),
            limits: concurrency.into_iter().chain(adaptive).collect(),
            rate_limit: self.rate.as_ref().map(|limit| RateStatus::of(limit.stats())),
        }
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
