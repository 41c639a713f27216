//! The figures of a [`Status`] as Prometheus reads them.
//!
//! Written into a recorder of their own at each look, so that two servers in one process do not share figures and what is
//! gone is not told any more. What belongs to a provider has the label `provider`; what belongs to the pipeline has none.

use std::sync::OnceLock;

use exec_middleware::Metrics;
use exec_middleware::breaker::State;
use metrics::{Label, describe_counter, describe_gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::status::{BreakerStatus, GuardsStatus, HedgeStatus, Known, LimitStatus, RateStatus, Status};

/// What every call tells of itself, when this process has a recorder of ours.
static CALLS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Lets the middleware `metrics` of every server in this process tell Prometheus of its calls. Once: a second time does
/// nothing. False when somebody else records the metrics of this process, who has those figures then.
pub fn install() -> bool {
    let installed = CALLS.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&Metrics::BUCKETS).ok()?;
        builder.install_recorder().ok()
    });
    installed.is_some()
}

fn calls() -> Option<&'static PrometheusHandle> {
    CALLS.get().and_then(Option::as_ref)
}

/// Puts what was measured into its buckets, so that it does not pile up while nobody looks.
pub(crate) fn upkeep() {
    if let Some(handle) = calls() {
        handle.run_upkeep();
    }
}

/// The type of the text.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `status` as text. O(providers).
#[must_use]
pub fn text(status: &Status) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || {
        server(status);
        guards(&Labels::default(), &status.pipeline);
        for provider in &status.providers {
            let labels = Labels::default().and("provider", &provider.name);
            let help = "1 for what is known of the provider without asking it, 0 for the rest.";
            for health in [Known::Healthy, Known::Degraded, Known::Unhealthy, Known::Unknown] {
                let labels = labels.and("health", health.as_str());
                gauge("exec_provider_health", help, labels, u64::from(health == provider.health));
            }
            guards(&labels, &provider.guards);
        }
    });
    let mut text = recorder.handle().render();
    if let Some(handle) = calls() {
        text.push_str(&handle.render());
    }
    text
}

fn server(status: &Status) {
    let none = Labels::default;
    gauge("exec_build_info", "The version of the program.", none().and("version", status.version), 1_u64);
    gauge("exec_uptime_seconds", "Since the server began.", none(), seconds(status.uptime_ms));
    gauge("exec_in_flight", "Executions under way.", none(), status.in_flight);
    let stopping = u64::from(status.status == "stopping");
    gauge("exec_stopping", "1 when the server was told to stop.", none(), stopping);
    if let Some(budget) = &status.retry_budget {
        gauge("exec_retry_budget_left", "Retries that are allowed now.", none(), budget.left);
        gauge("exec_retry_budget_requests", "Requests the budget remembers.", none(), budget.requests);
        gauge("exec_retry_budget_retries", "Retries the budget remembers.", none(), budget.retries);
    }
}

fn guards(labels: &Labels, guards: &GuardsStatus) {
    if let Some(status) = &guards.hedge {
        hedge(labels, status);
    }
    if let Some(status) = &guards.breaker {
        breaker(labels, status);
    }
    for status in &guards.limits {
        limit(&labels.and("guard", status.guard), status);
    }
    if let Some(status) = &guards.rate_limit {
        rate(labels, status);
    }
}

fn hedge(labels: &Labels, status: &HedgeStatus) {
    for (what, calls) in
        [("possible", status.calls), ("sent", status.sent), ("won", status.won), ("refused", status.refused)]
    {
        let help = "Calls that might have been hedged, and what came of them.";
        count("exec_hedge_calls_total", help, labels.and("what", what), calls);
    }
}

fn breaker(labels: &Labels, status: &BreakerStatus) {
    for state in [State::Closed, State::Open, State::HalfOpen] {
        let is = u64::from(state.as_str() == status.state);
        let help = "1 for the state the breaker is in, 0 for the others.";
        gauge("exec_breaker_state", help, labels.and("state", state.as_str()), is);
    }
    let left = seconds(status.open_for_ms.unwrap_or_default());
    gauge("exec_breaker_open_for_seconds", "How long the breaker stays open.", labels.clone(), left);
    gauge("exec_breaker_failure_rate", "Of the results in its window.", labels.clone(), status.failure_rate);
    gauge("exec_breaker_slow_rate", "Of the results in its window.", labels.clone(), status.slow_rate);
    gauge("exec_breaker_streak", "Failures in a row.", labels.clone(), status.streak);
    gauge("exec_breaker_probes", "Probes under way.", labels.clone(), status.probes);
    let opened = "How often the breaker opened.";
    count("exec_breaker_opened_total", opened, labels.clone(), status.opened);
    for (outcome, calls) in [
        ("succeeded", status.succeeded),
        ("failed", status.failed),
        ("unrecorded", status.unrecorded),
        ("outdated", status.outdated),
        ("rejected", status.rejected),
    ] {
        let help = "Calls as the breaker saw them.";
        count("exec_breaker_calls_total", help, labels.and("outcome", outcome), calls);
    }
    let slow = "Calls that were slow, whatever came of them.";
    count("exec_breaker_slow_calls_total", slow, labels.clone(), status.slow);
}

fn limit(labels: &Labels, status: &LimitStatus) {
    gauge("exec_limit", "How many calls may be under way.", labels.clone(), status.limit);
    gauge("exec_limit_in_flight", "How many are.", labels.clone(), status.in_flight);
    gauge("exec_limit_waiting", "How many wait.", labels.clone(), status.waiting);
    gauge("exec_limit_peak", "The most that ever were under way.", labels.clone(), status.peak);
    count("exec_limit_admitted_total", "Calls that were let through.", labels.clone(), status.admitted);
    for (why, calls) in [("full", status.full), ("late", status.late), ("left", status.left)] {
        let help = "Calls that were not let through.";
        count("exec_limit_turned_away_total", help, labels.and("why", why), calls);
    }
}

fn rate(labels: &Labels, status: &RateStatus) {
    gauge("exec_rate_limit_keys", "Keys that are remembered.", labels.clone(), status.keys);
    count("exec_rate_limit_refused_total", "Calls that were refused.", labels.clone(), status.refused);
    for (unit, left) in [("requests", status.requests_left), ("tokens", status.tokens_left)] {
        if let Some(left) = left {
            let help = "What the limits for everybody leave now.";
            gauge("exec_rate_limit_left", help, labels.and("unit", unit), left);
        }
    }
}

#[derive(Clone, Default)]
struct Labels(Vec<Label>);

impl Labels {
    fn and(&self, name: &'static str, value: &str) -> Self {
        let mut labels = self.clone();
        labels.0.push(Label::new(name, value.to_owned()));
        labels
    }
}

/// A number that a gauge can show. What a float cannot tell exactly is far above what is counted here.
trait Number {
    fn float(self) -> f64;
}

impl Number for f64 {
    fn float(self) -> f64 {
        self
    }
}

impl Number for u32 {
    fn float(self) -> f64 {
        self.into()
    }
}

impl Number for u64 {
    fn float(self) -> f64 {
        self as f64
    }
}

impl Number for usize {
    fn float(self) -> f64 {
        self as f64
    }
}

fn gauge(name: &'static str, help: &'static str, labels: Labels, value: impl Number) {
    describe_gauge!(name, help);
    metrics::gauge!(name, labels.0).set(value.float());
}

fn count(name: &'static str, help: &'static str, labels: Labels, value: u64) {
    describe_counter!(name, help);
    metrics::counter!(name, labels.0).absolute(value);
}

fn seconds(millis: u64) -> f64 {
    std::time::Duration::from_millis(millis).as_secs_f64()
}
