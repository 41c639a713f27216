//! The breakers, each behind the same call and as alike as their settings allow: three probes, where that can be said.

use exec_middleware::{BreakerConfig, CircuitBreaker};
use futures_util::FutureExt;
use recloser::{AsyncRecloser, Recloser};
use tower::{Service, ServiceExt};
use tower_resilience_circuitbreaker::{CircuitBreakerError, CircuitBreakerLayer};

use super::{Call, OPEN, Told, Work};
use crate::row::{Result, made};

const PROBES: usize = 3;

/// A breaker with any work in it.
pub(super) struct Contestant(Box<dyn Fn(Work) -> Call>);

impl Contestant {
    pub(super) fn call(&self, work: Work) -> Call {
        (self.0)(work)
    }
}

type Make = fn() -> Result<Contestant>;

pub(super) const RIVALS: [(&str, Make); 3] =
    [("failsafe", failsafe), ("recloser", recloser), ("tower-resilience", tower_resilience)];

pub(super) fn ours() -> Result<Contestant> {
    let half_open = 3 * OPEN;
    let config = BreakerConfig {
        failures: Some(5),
        open: OPEN,
        probes: PROBES as u32,
        half_open,
        ..BreakerConfig::default()
    };
    let breaker = made(CircuitBreaker::new(config))?;
    Ok(Contestant(Box::new(move |work| {
        let breaker = breaker.clone();
        async move {
            let Ok(permit) = breaker.acquire() else { return Told::Refused };
            match work.await {
                Ok(()) => {
                    permit.success();
                    Told::Done
                }
                Err(_) => {
                    permit.failure();
                    Told::Failed
                }
            }
        }
        .boxed()
    })))
}

/// It has no number of probes.
fn failsafe() -> Result<Contestant> {
    let policy = failsafe::failure_policy::consecutive_failures(5, failsafe::backoff::constant(OPEN));
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    Ok(Contestant(Box::new(move |work| {
        let call = failsafe::futures::CircuitBreaker::call(&breaker, work);
        async move {
            match call.await {
                Ok(()) => Told::Done,
                Err(failsafe::Error::Inner(_)) => Told::Failed,
                Err(failsafe::Error::Rejected) => Told::Refused,
            }
        }
        .boxed()
    })))
}

/// Its number of probes is how many results decide.
fn recloser() -> Result<Contestant> {
    let breaker = Recloser::custom().closed_len(10).half_open_len(PROBES).open_wait(OPEN).build();
    let breaker = AsyncRecloser::from(breaker);
    Ok(Contestant(Box::new(move |work| {
        let call = breaker.call(work);
        async move {
            match call.await {
                Ok(()) => Told::Done,
                Err(recloser::Error::Inner(_)) => Told::Failed,
                Err(recloser::Error::Rejected) => Told::Refused,
            }
        }
        .boxed()
    })))
}

fn tower_resilience() -> Result<Contestant> {
    let layer = CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(10)
        .minimum_number_of_calls(10)
        .wait_duration_in_open(OPEN)
        .permitted_calls_in_half_open(PROBES)
        .build()?;
    let service = layer.layer_fn(tower::service_fn(|work: Work| work));
    Ok(Contestant(Box::new(move |work| {
        let mut service = service.clone();
        async move {
            let answer = match service.ready().await {
                Ok(service) => service.call(work).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(()) => Told::Done,
                Err(CircuitBreakerError::Inner(_)) => Told::Failed,
                Err(_) => Told::Refused,
            }
        }
        .boxed()
    })))
}
