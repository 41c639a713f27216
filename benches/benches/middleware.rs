//! What a guard adds to a call that succeeds at once: retry against the crates one would pick instead, and hedge and
//! metrics against the same call without them.
//!
//! `cargo bench -p benches --bench middleware`. A retry is a layer around a call: ours in a pipeline, the others in a
//! hand-written `async_trait` layer, which is how they are used behind `dyn`. It fails when a retry costs more than
//! backon's.
#![expect(clippy::print_stdout, reason = "a bench talks to the developer on the terminal")]

use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use benches::chains::Chain;
use benches::{Effort, Figure, Pair, Result, pair};
use exec_core::{
    Context, Error, Executor, FieldError, Middleware, Output, Pipeline, Remedy, Request, Response, from_fn,
};
use exec_middleware::{Hedge, HedgeConfig, Metrics, MetricsConfig, Retry, RetryConfig};
use tokio::runtime::Runtime;
use tokio_retry::RetryIf;
use tokio_retry::strategy::ExponentialBackoff;

const CALLS: u64 = 2000;
/// A retry on success costs at most so many times what backon's does.
const RETRY_BAR: f64 = 1.0;

fn main() -> ExitCode {
    let effort = Effort::asked();
    match run(effort) {
        Ok(ratio) if effort == Effort::Smoke || ratio <= RETRY_BAR => ExitCode::SUCCESS,
        Ok(ratio) => {
            println!("middleware: missed: retry {ratio:.2} of backon, at most {RETRY_BAR}");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("middleware: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The ratio that has a bar.
fn run(effort: Effort) -> Result<f64> {
    let rounds = effort.pick(301, 51, 1);
    let runtime = Rc::new(tokio::runtime::Builder::new_current_thread().enable_time().build()?);
    let bare = || ours(&runtime, from_fn(|request, context, next| next.run(request, context)));
    let hedge = ours(&runtime, made(Hedge::new(HedgeConfig::default()))?);
    report("hedge, nothing is slow", measure(rounds, &hedge, &bare()), "an empty layer");
    let metrics = ours(&runtime, made(Metrics::new(MetricsConfig::default()))?);
    report("metrics, no recorder", measure(rounds, &metrics, &bare()), "an empty layer");
    let retry = ours(&runtime, made(Retry::new(RetryConfig::default()))?);
    let rival = link(&runtime, Arc::new(TokioRetry(Arc::new(Last))));
    report("retry, ok", measure(rounds, &retry, &rival), "tokio-retry");
    let pair = measure(rounds, &retry, &link(&runtime, Arc::new(Backon(Arc::new(Last)))));
    report("retry, ok", pair, "backon");
    Ok(pair.ratio)
}

fn made<T>(made: std::result::Result<T, Vec<FieldError>>) -> Result<T> {
    made.map_err(|errors| format!("{errors:?}").into())
}

fn measure(rounds: usize, ours: &Chain, rival: &Chain) -> Pair {
    pair(rounds, || ours.nanos(CALLS), || rival.nanos(CALLS))
}

/// A layer written by hand around a call.
#[async_trait]
trait Link: Send + Sync {
    async fn call(&self, request: Request, context: &Context) -> exec_core::Result<Response>;
}

struct Last;
struct Backon(Arc<dyn Link>);
struct TokioRetry(Arc<dyn Link>);

#[async_trait]
impl Link for Last {
    async fn call(&self, _: Request, _: &Context) -> exec_core::Result<Response> {
        Ok(Response::full(Output::default()))
    }
}

#[async_trait]
impl Executor for Last {
    async fn execute(&self, _: Request, _: &Context) -> exec_core::Result<Response> {
        Ok(Response::full(Output::default()))
    }
}

fn may_help(error: &Error) -> bool {
    error.remedy() == Remedy::Retry
}

#[async_trait]
impl Link for Backon {
    async fn call(&self, request: Request, context: &Context) -> exec_core::Result<Response> {
        let call = || self.0.call(request.clone(), context);
        call.retry(ExponentialBuilder::default().with_jitter()).when(may_help).await
    }
}

#[async_trait]
impl Link for TokioRetry {
    async fn call(&self, request: Request, context: &Context) -> exec_core::Result<Response> {
        let call = || self.0.call(request.clone(), context);
        RetryIf::start(ExponentialBackoff::from_millis(1000).take(3), call, may_help).await
    }
}

fn link(runtime: &Rc<Runtime>, link: Arc<dyn Link>) -> Chain {
    Chain::new(runtime, move |request, context| {
        let link = Arc::clone(&link);
        async move { link.call(request, &context).await.map(drop) }
    })
}

fn ours(runtime: &Rc<Runtime>, guard: impl Middleware) -> Chain {
    let pipeline: Arc<dyn Executor> = Arc::new(Pipeline::new(Last).with(guard));
    Chain::new(runtime, move |request, context| {
        let pipeline = Arc::clone(&pipeline);
        async move { pipeline.execute(request, &context).await.map(drop) }
    })
}

fn report(case: &str, pair: Pair, rival: &str) {
    let Pair { ours, rival: theirs, ratio, lowest } = pair;
    println!("{case:36}{ours:9.1} ns, {rival} {theirs:.1}: ratio {ratio:.2} (lowest {lowest:.2})");
    Figure::of("middleware", &format!("{case}, {rival}"), pair, "ns", rival).print();
}
