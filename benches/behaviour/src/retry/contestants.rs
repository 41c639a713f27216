//! The retries, with the same schedule: a second, doubled each time, without jitter.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use exec_core::{
    Chat, Context, Error, Executor, Operation, Output, Pipeline, Request, Response, executor_fn,
};
use exec_middleware::{BackoffConfig, Jitter, Retry, RetryConfig};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_retry::strategy::ExponentialBackoff;

use super::Backend;
use crate::row::{OURS, Result, made};

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// The first included.
    pub(super) attempts: u32,
    pub(super) layers: u32,
    pub(super) total: Option<Duration>,
    /// With what one can write oneself to obey a provider.
    pub(super) by_hand: bool,
    /// Whether it may be done twice.
    pub(super) harmless: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { attempts: 4, layers: 1, total: None, by_hand: false, harmless: true }
    }
}

/// Makes one call, retries included; whether it succeeded.
type Call = Box<dyn Fn() -> BoxFuture<'static, bool>>;

pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) make: fn(&Backend, Settings) -> Result<Call>,
    /// How it can be taught to obey a provider that says when to come back.
    pub(super) by_hand: Option<&'static str>,
    /// What must be said of its limit for everything.
    pub(super) limit: Option<&'static str>,
}

pub(super) const ALL: [Contestant; 3] = [
    Contestant { name: OURS, make: ours, by_hand: None, limit: None },
    Contestant {
        name: "backon",
        make: backon,
        by_hand: Some("a closure for `adjust`"),
        limit: Some("its limit is of the waits alone"),
    },
    Contestant { name: "tokio-retry", make: tokio_retry, by_hand: None, limit: Some("it has no limit") },
];

fn ours(backend: &Backend, settings: Settings) -> Result<Call> {
    let Settings { attempts, layers, total, harmless, .. } = settings;
    let backoff = BackoffConfig { jitter: Jitter::None, ..BackoffConfig::default() };
    let config = RetryConfig { attempts, total, backoff, ..RetryConfig::default() };
    let backend = backend.clone();
    let last = executor_fn(move |_: Request, _: &Context| {
        let call = backend.call();
        async move { call.await.map(|()| Response::full(Output::default())) }.boxed()
    });
    let mut pipeline = Pipeline::new(last);
    for _ in 0..layers {
        pipeline = pipeline.with(made(Retry::new(config))?);
    }
    let pipeline = Arc::new(pipeline);
    Ok(Box::new(move || {
        let request = match harmless {
            true => Request::chat(Chat::user("hi")),
            false => Request::new(Operation::known("orders.create"), serde_json::json!({})),
        };
        let pipeline = pipeline.clone();
        async move { pipeline.execute(request, &Context::new("1")).await.is_ok() }.boxed()
    }))
}

type Attempt = BoxFuture<'static, std::result::Result<(), Error>>;
type Again = Arc<dyn Fn() -> Attempt + Send + Sync>;

/// So many layers of `layer` around the backend.
fn layered(backend: &Backend, layers: u32, layer: impl Fn(Again) -> Again) -> Call {
    let backend = backend.clone();
    let innermost: Again = Arc::new(move || backend.call());
    let outermost = (0..layers).fold(innermost, |inner, _| layer(inner));
    Box::new(move || outermost().map(|answer| answer.is_ok()).boxed())
}

fn backon(backend: &Backend, settings: Settings) -> Result<Call> {
    let schedule = ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_times(settings.attempts as usize - 1)
        .with_total_delay(settings.total);
    let obey = move |error: &Error, wait: Option<Duration>| match settings.by_hand {
        true => wait.and(error.retry_after()).or(wait),
        false => wait,
    };
    Ok(layered(backend, settings.layers, |inner| {
        Arc::new(move || {
            let inner = inner.clone();
            async move { (|| inner()).retry(schedule).adjust(obey).await }.boxed()
        })
    }))
}

fn tokio_retry(backend: &Backend, settings: Settings) -> Result<Call> {
    let retries = settings.attempts as usize - 1;
    Ok(layered(backend, settings.layers, |inner| {
        Arc::new(move || {
            let (inner, schedule) =
                (inner.clone(), ExponentialBackoff::from_millis(2).factor(500).take(retries));
            async move { tokio_retry::Retry::start(schedule, || inner()).await }.boxed()
        })
    }))
}
