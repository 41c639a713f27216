//! Counts calls, and what guards below do with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use exec_core::{
    Context, End, Error, ErrorKind, Event, EventSink, FieldError, Middleware, Next, Request, Response,
    Result, Summary,
};
use metrics::{Gauge, counter, gauge, histogram};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::figures::{self, Counts, Snapshot, Times, add};
use super::labels::Labels;

/// The settings of [`Metrics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// So many operations, models and providers of each kind have a label of their own, those that answered first; the
    /// others are `other`. Default 100.
    pub labels: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { labels: 100 }
    }
}

impl MetricsConfig {
    /// Everything that is wrong with the settings; nothing when figures can be kept by them.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let none = self.labels == 0;
        none.then(|| FieldError::new("labels", "out_of_range", "must be at least 1")).into_iter().collect()
    }
}

/// Counts calls and measures how long they take. A clone is a handle of the same figures.
///
/// Put it around what is to be counted; it needs no [`Trace`](crate::Trace) and disturbs none. It hears the events of what
/// is below it and passes them on to whoever the context tells. The life of a call is measured by the call itself, so one
/// that is dropped, anywhere, leaves no gauge up and counts as cancelled.
///
/// The figures go to the recorder of the crate `metrics`, if the program has installed one *before* the first call, and can
/// be read as a [`Snapshot`] in any case:
///
/// | metric | labels | |
/// |---|---|---|
/// | `exec_calls_total` | `operation`, `model`, `outcome` | `completed`, `failed`, `rejected` (by a guard, unsent), `cancelled` |
/// | `exec_calls_in_flight` | | a gauge: calls that began and are not over, bodies included |
/// | `exec_first_content_seconds` | `operation`, `model` | a histogram: until the answer began |
/// | `exec_call_duration_seconds` | `operation`, `model` | a histogram: until it was read to its end |
/// | `exec_failures_total` | `kind` | calls that failed or were rejected |
/// | `exec_tokens_total` | `model`, `direction` | `input` or `output` |
/// | `exec_cost_micros_total` | `model` | millionths of a dollar |
/// | `exec_attempts_total` | `provider` | calls that left for a provider |
/// | `exec_retries_total` | `kind` | why a call was made again |
/// | `exec_hedges_total` | | calls made beside a slow one |
/// | `exec_fallbacks_total` | `from` | whom another was asked instead of |
/// | `exec_cache_lookups_total` | `result` | `hit`, `miss`, `coalesced` |
/// | `exec_sheds_total` | `guard` | refusals by each guard |
/// | `exec_breaker_changes_total` | `provider`, `state` | transitions of breakers |
///
/// Which neighbour do I want instead? To see single calls, [`Trace`](crate::Trace) or an [`EventBus`](crate::EventBus).
///
/// ```
/// use exec_core::testing::{Answer, Script};
/// use exec_core::{Chat, Context, Executor, Pipeline, Request};
/// use exec_middleware::{Metrics, MetricsConfig};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let metrics = Metrics::new(MetricsConfig::default()).unwrap();
/// let pipeline = Pipeline::around(Script::new("s", [Answer::text("x")])).with(metrics.clone());
/// pipeline.execute(Request::chat(Chat::user("hi")).with_model("m"), &Context::new("1")).await.unwrap();
///
/// let figures = metrics.snapshot();
/// assert_eq!((figures.calls, figures.completed, figures.in_flight), (1, 1, 0));
/// assert_eq!(&*figures.models[0].model, "m");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    counts: Counts,
    times: Times,
    operations: Labels,
    models: Labels,
    providers: Labels,
}

impl Metrics {
    /// Bounds for the buckets of the histograms, in seconds: from what a cache takes to what a long answer takes. For an
    /// exporter that must be told.
    pub const BUCKETS: [f64; 17] =
        [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0];

    /// Figures that begin at nothing.
    ///
    /// # Errors
    /// `labels` of 0.
    pub fn new(config: MetricsConfig) -> Result<Self, Vec<FieldError>> {
        let errors = config.problems();
        if !errors.is_empty() {
            return Err(errors);
        }
        let labels = || Labels::new(config.labels);
        let (operations, models, providers) = (labels(), labels(), labels());
        let (counts, times) = (Counts::default(), Times::default());
        Ok(Self(Arc::new(Inner { counts, times, operations, models, providers })))
    }

    /// The figures now. Each is read alone, so while calls are under way they may differ by those.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        figures::snapshot(&self.0.counts, &self.0.times)
    }
}

#[async_trait]
impl Middleware for Metrics {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let mut life = Life::begin(&self.0, &request);
        let ears =
            Arc::new(Ears { inner: self.0.clone(), outer: context.clone(), shed: AtomicBool::new(false) });
        let below = context.clone().with_events(ears.clone());
        match next.run(request, &below).await {
            Ok(response) => {
                life.answered(&response);
                Ok(response.on_end(move |end| life.end(end)))
            }
            Err(error) => {
                life.failed(&error, ears.shed.load(Ordering::Relaxed));
                Err(error)
            }
        }
    }

    fn name(&self) -> &'static str {
        "metrics"
    }
}

/// Counts what is told below, and passes it on. The life of the call is not counted here, for somebody must tell it.
struct Ears {
    inner: Arc<Inner>,
    outer: Context,
    /// Whether a guard has refused something of this call.
    shed: AtomicBool,
}

impl EventSink for Ears {
    fn emit(&self, _: &Context, event: &Event) {
        if matches!(event, Event::Shed { .. }) {
            self.shed.store(true, Ordering::Relaxed);
        }
        self.inner.hear(event);
        self.outer.emit(event);
    }
}

impl Inner {
    fn hear(&self, event: &Event) {
        let counts = &self.counts;
        let lookup =
            |result: &'static str| counter!("exec_cache_lookups_total", "result" => result).increment(1);
        match event {
            Event::Dispatched { provider, .. } => {
                // Providers are what an operator has configured, so they are real before they answer.
                counter!("exec_attempts_total", "provider" => self.providers.learn(provider)).increment(1);
            }
            Event::Retried { kind, .. } => {
                add(&counts.retried);
                counter!("exec_retries_total", "kind" => kind.as_str()).increment(1);
            }
            Event::Hedged { .. } => {
                add(&counts.hedged);
                counter!("exec_hedges_total").increment(1);
            }
            Event::FellBack { from, .. } => {
                add(&counts.fell_back);
                counter!("exec_fallbacks_total", "from" => self.providers.learn(from)).increment(1);
            }
            Event::CacheHit => {
                add(&counts.cache_hits);
                lookup("hit");
            }
            Event::CacheMiss => {
                add(&counts.cache_misses);
                lookup("miss");
            }
            Event::Coalesced => {
                add(&counts.coalesced);
                lookup("coalesced");
            }
            Event::BreakerChanged { provider, state } => {
                let provider = self.providers.learn(provider);
                counter!("exec_breaker_changes_total", "provider" => provider, "state" => *state)
                    .increment(1);
            }
            Event::Shed { guard } => counter!("exec_sheds_total", "guard" => *guard).increment(1),
            _ => {}
        }
    }
}

/// How a call ended, as the label says it.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Completed,
    Failed,
    Rejected,
    Cancelled,
}

/// One call. Dropped before its end, it was cancelled; the gauge goes down in any case.
struct Life {
    inner: Arc<Inner>,
    operation: Arc<str>,
    model: Arc<str>,
    began: Instant,
    outcome: Outcome,
    /// Goes down where it went up, whatever recorder is installed by then.
    in_flight: Gauge,
}

impl Life {
    fn begin(inner: &Arc<Inner>, request: &Request) -> Self {
        add(&inner.counts.calls);
        add(&inner.counts.in_flight);
        let in_flight = gauge!("exec_calls_in_flight");
        in_flight.increment(1.0);
        let (operation, model) = (request.operation.as_str().into(), request.model.clone());
        let model = model.unwrap_or_else(|| "".into());
        Self {
            inner: inner.clone(),
            operation,
            model,
            began: Instant::now(),
            outcome: Outcome::Cancelled,
            in_flight,
        }
    }

    fn answered(&mut self, response: &Response) {
        let took = self.began.elapsed();
        // What was answered from a cache says nothing about whether the name is real elsewhere, but was real once.
        (self.operation, self.model) = self.labels(Labels::learn);
        self.inner.times.first(&self.model, took);
        self.seconds("exec_first_content_seconds", took);
        if let Some(provider) = &response.report.provider {
            self.inner.providers.learn(provider);
        }
    }

    fn failed(mut self, error: &Error, shed: bool) {
        self.outcome = match error.kind() {
            ErrorKind::Cancelled => Outcome::Cancelled,
            _ if shed && error.is_unsent() => Outcome::Rejected,
            _ => Outcome::Failed,
        };
        counter!("exec_failures_total", "kind" => error.kind().as_str()).increment(1);
        (self.operation, self.model) = self.labels(Labels::get);
    }

    fn end(mut self, end: &End) {
        self.outcome = match end {
            End::Complete(summary) => {
                self.complete(summary);
                Outcome::Completed
            }
            End::Failed(ErrorKind::Cancelled) | End::Dropped => Outcome::Cancelled,
            End::Failed(kind) => {
                counter!("exec_failures_total", "kind" => kind.as_str()).increment(1);
                Outcome::Failed
            }
        };
    }

    fn complete(&self, summary: &Summary) {
        let took = self.began.elapsed();
        self.inner.times.whole(&self.model, took);
        self.seconds("exec_call_duration_seconds", took);
        for (direction, tokens) in
            summary.usage.into_iter().flat_map(|u| [("input", u.input), ("output", u.output)])
        {
            counter!("exec_tokens_total", "model" => self.model.clone(), "direction" => direction)
                .increment(tokens);
        }
        if let Some(cost) = summary.cost {
            counter!("exec_cost_micros_total", "model" => self.model.clone())
                .increment(cost.total().as_micros());
        }
    }

    fn labels(&self, of: impl Fn(&Labels, &str) -> Arc<str>) -> (Arc<str>, Arc<str>) {
        (of(&self.inner.operations, &self.operation), of(&self.inner.models, &self.model))
    }

    fn seconds(&self, name: &'static str, took: Duration) {
        let (operation, model) = (self.operation.clone(), self.model.clone());
        histogram!(name, "operation" => operation, "model" => model).record(took.as_secs_f64());
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let counts = &self.inner.counts;
        let (count, outcome) = match self.outcome {
            Outcome::Completed => (&counts.completed, "completed"),
            Outcome::Failed => (&counts.failed, "failed"),
            Outcome::Rejected => (&counts.rejected, "rejected"),
            Outcome::Cancelled => (&counts.cancelled, "cancelled"),
        };
        add(count);
        counts.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.in_flight.decrement(1.0);
        // What never answered may have a name that nobody has.
        let (operation, model) = self.labels(Labels::get);
        counter!("exec_calls_total", "operation" => operation, "model" => model, "outcome" => outcome)
            .increment(1);
    }
}
