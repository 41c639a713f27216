//! Guards from their settings, and a hand kept on each that has something to tell.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use exec_core::{FieldError, Pipeline, Provider};
use exec_middleware::{
    AdaptiveLimit, CatchPanic, CircuitBreaker, ConcurrencyLimit, Hedge, Metrics, RateLimit, Retry,
    RetryBudget, Timeout, Trace, Validate,
};
use exec_providers::Guarded;

use crate::config::{ConfigError, Guard, PipelineConfig, Problem};
use crate::status::Watch;

/// Makes guards. What all of one process share is here: the budget of retries and where randomness begins.
pub(super) struct Workshop {
    retries: RetryBudget,
    random: RandomState,
}

type Made = Result<Pipeline, Vec<FieldError>>;

impl Workshop {
    pub(super) fn new(config: &PipelineConfig) -> Result<Self, ConfigError> {
        let retries =
            RetryBudget::new(config.retry_budget).map_err(|found| at("pipeline.retry_budget", found))?;
        Ok(Self { retries, random: RandomState::new() })
    }

    /// What all guards that retry draw from.
    pub(super) fn retries(&self) -> &RetryBudget {
        &self.retries
    }

    /// `pipeline` with `guards` around it, outermost first, called `name` in events.
    pub(super) fn around(
        &self,
        pipeline: Pipeline,
        guards: &[Guard],
        name: &str,
        watch: &mut Watch,
    ) -> Result<Pipeline, ConfigError> {
        let made = guards.iter().try_fold(pipeline, |pipeline, guard| self.one(pipeline, guard, name, watch));
        let pipeline = made.map_err(|found| at("", found))?;
        watch.order = pipeline.order().collect();
        Ok(pipeline)
    }

    /// `provider` with `guards` around each try at it; as it is when there are none.
    pub(super) fn guarded(
        &self,
        provider: Arc<dyn Provider>,
        guards: &[Guard],
        watch: &mut Watch,
    ) -> Result<Arc<dyn Provider>, ConfigError> {
        if guards.is_empty() {
            return Ok(provider);
        }
        let pipeline = self.around(Pipeline::around(provider.clone()), guards, provider.name(), watch)?;
        Ok(Arc::new(Guarded::new(provider, |_| pipeline)))
    }

    /// A guard that has something to tell leaves a handle of itself in `watch`.
    fn one(&self, pipeline: Pipeline, guard: &Guard, name: &str, watch: &mut Watch) -> Made {
        Ok(match guard {
            Guard::Trace => pipeline.with(Trace),
            Guard::Metrics(config) => pipeline.with(watch.calls.insert(Metrics::new(*config)?).clone()),
            Guard::CatchPanic => pipeline.with(CatchPanic),
            Guard::Validate(config) => pipeline.with(Validate::new(*config)),
            Guard::RateLimit(config) => {
                pipeline.with(watch.rate.insert(RateLimit::new(config.clone())?).clone())
            }
            Guard::Retry(config) => {
                pipeline.with(Retry::new(*config)?.named(name).with_budget(self.retries.clone()))
            }
            Guard::Hedge(config) => {
                pipeline.with_shared(watch.hedge.insert(Arc::new(Hedge::new(*config)?)).clone())
            }
            Guard::Breaker(config) => {
                let breaker = CircuitBreaker::new(*config)?.with_seed(self.random.hash_one(name)).named(name);
                pipeline.with(watch.breaker.insert(breaker).clone())
            }
            Guard::ConcurrencyLimit(config) => {
                pipeline.with(watch.concurrency.insert(ConcurrencyLimit::new(*config)?).clone())
            }
            Guard::AdaptiveLimit(config) => {
                pipeline.with(watch.adaptive.insert(AdaptiveLimit::new(*config)?).clone())
            }
            Guard::Timeout(limits) => pipeline.with(Timeout::new(*limits)),
        })
    }
}

/// Settings were checked when they were read; this is for a guard that knows more than they do.
fn at(path: &str, found: Vec<FieldError>) -> ConfigError {
    let path_of = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
    ConfigError(found.into_iter().map(|f| Problem::new(path_of(&f.path), f.message)).collect())
}
