//! One member of a fallback with what its mode puts around it, and what is believed of its health.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use exec_core::{Context, FieldError, Health, Provider, Request, Response, Result};
use exec_middleware::breaker::State;
use exec_middleware::{CircuitBreaker, Retry, RetryBudget, RetryConfig};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::config::{FallbackConfig, FallbackMode};
use crate::guarded::Guarded;

/// One member.
pub(super) struct Member {
    /// As it is.
    pub(super) bare: Arc<dyn Provider>,
    /// With what the mode puts around it.
    guarded: Arc<dyn Provider>,
    breaker: Option<CircuitBreaker>,
    checks: Option<Checks>,
}

impl Member {
    /// `members` as the mode of `config` wants them. Retries share one budget.
    pub(super) fn all(
        members: Vec<Arc<dyn Provider>>,
        config: &FallbackConfig,
    ) -> Result<Vec<Self>, Vec<FieldError>> {
        let retry = config.retry.unwrap_or_default();
        let budget = RetryBudget::new(retry.budget)?;
        members.into_iter().map(|member| Self::new(member, config, retry, &budget)).collect()
    }

    fn new(
        bare: Arc<dyn Provider>,
        config: &FallbackConfig,
        retry: RetryConfig,
        budget: &RetryBudget,
    ) -> Result<Self, Vec<FieldError>> {
        let health = config.health.unwrap_or_default();
        let breaker = match config.mode {
            FallbackMode::Immediate => None,
            FallbackMode::RetryThenFallback => {
                let retry = Retry::new(retry)?.with_budget(budget.clone());
                let guarded = Arc::new(Guarded::new(bare.clone(), |pipeline| pipeline.with(retry)));
                return Ok(Self { bare, guarded, breaker: None, checks: None });
            }
            FallbackMode::CircuitBreaker => Some(CircuitBreaker::new(config.breaker.unwrap_or_default())?),
            FallbackMode::HealthBased => Some(CircuitBreaker::new(health.breaker())?),
        };
        let breaker = breaker.map(|breaker| breaker.named(bare.name()));
        let guarded = match breaker.clone() {
            Some(breaker) => Arc::new(Guarded::new(bare.clone(), |pipeline| pipeline.with(breaker))),
            None => bare.clone(),
        };
        let checks = (config.mode == FallbackMode::HealthBased).then(|| Checks::new(health.timeout));
        Ok(Self { bare, guarded, breaker, checks })
    }

    pub(super) fn breaker(&self) -> Option<&CircuitBreaker> {
        self.breaker.as_ref()
    }

    /// Whether it is known to read prompts of more tokens than `window`.
    pub(super) fn reads_more_than(&self, window: u64) -> bool {
        self.bare.capabilities().context_window.is_some_and(|own| own > window)
    }

    /// Whether it may be asked, as far as is known. Begins a check of one that is ill, if one is due.
    pub(super) fn is_well(&self) -> bool {
        let (Some(checks), Some(breaker)) = (&self.checks, &self.breaker) else { return true };
        if breaker.state() == State::Closed {
            return true;
        }
        checks.begin(breaker, &self.bare);
        false
    }

    /// Asks it. One that is believed to be ill is asked without what the belief puts around it; if it answers it is well.
    pub(super) async fn ask(&self, request: Request, context: &Context) -> Result<Response> {
        let ill = |breaker: &&CircuitBreaker| self.checks.is_some() && breaker.state() != State::Closed;
        let Some(breaker) = self.breaker.as_ref().filter(ill) else {
            return self.guarded.execute(request, context).await;
        };
        let answer = self.bare.execute(request, context).await;
        if answer.is_ok() {
            breaker.close();
        }
        answer
    }
}

/// The checks of one member: at most one at a time, begun by calls, ended with the fallback.
struct Checks {
    limit: Duration,
    running: Mutex<JoinSet<()>>,
}

impl Checks {
    fn new(limit: Duration) -> Self {
        Self { limit, running: Mutex::default() }
    }

    /// Begins a check if none is running and the breaker says that it is time for one.
    fn begin(&self, breaker: &CircuitBreaker, provider: &Arc<dyn Provider>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        if !running.is_empty() {
            return;
        }
        let Ok(permit) = breaker.acquire() else { return };
        let (permit, provider, limit) = (permit.into_owned(), provider.clone(), self.limit);
        running.spawn(async move {
            match timeout(limit, provider.check()).await {
                Ok(Health::Healthy) => permit.success(),
                _ => permit.failure(),
            }
        });
    }
}
