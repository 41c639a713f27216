//! Answers that are still being read: whether what guards the call guards its body too.

use std::sync::Arc;
use std::time::Duration;

use exec_core::testing::{Answer, Script};
use exec_core::{Chat, Context, Executor, Pipeline, Request, Response};
use exec_middleware::{ConcurrencyConfig, ConcurrencyLimit, Timeout, TimeoutConfig};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};
use tower::{Service, ServiceExt};

use crate::row::{Result, Row, ensure, made, virtually};

const LIMIT: &str = "one call at once, its answer is still being read: a second call";
const SILENCE: &str = "a limit of 1 s, the answer stands still after its first word: ended after";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn rows() -> Result<Vec<Row>> {
    Ok(vec![
        Row::ours("concurrency limit", LIMIT, virtually(our_limit())?, "refused")?,
        Row::new("concurrency limit", LIMIT, "tower `ConcurrencyLimit`", virtually(their_limit())?),
        Row::ours("timeout", SILENCE, virtually(our_timeout())?, "1 s")?,
        Row::new("timeout", SILENCE, "tower `Timeout`", virtually(their_timeout())?),
    ])
}

/// An answer of one word that then stands still.
fn still() -> Arc<Script> {
    Script::new("still", [Answer::cut(&["a"]).stall()])
}

fn request() -> Request {
    Request::chat(Chat::user("hi"))
}

fn service(
    script: Arc<Script>,
) -> impl Service<
    Request,
    Response = Response,
    Error = exec_core::Error,
    Future = BoxFuture<'static, exec_core::Result<Response>>,
> {
    tower::service_fn(move |request| {
        let script = script.clone();
        async move { script.execute(request, &Context::new("1")).await }.boxed()
    })
}

async fn our_limit() -> Result<String> {
    let config = ConcurrencyConfig { limit: 1, queue: 0, ..ConcurrencyConfig::default() };
    let pipeline = Pipeline::around(still()).with(made(ConcurrencyLimit::new(config))?);
    let context = Context::new("1");
    let first = pipeline.execute(request(), &context).await?;
    let second = pipeline.execute(request(), &context).await;
    ensure(!first.is_full(), || "the answer is not a stream".into())?;
    Ok(if second.is_ok() { "let in" } else { "refused" }.to_owned())
}

async fn their_limit() -> Result<String> {
    let mut service = tower::limit::ConcurrencyLimit::new(service(still()), 1);
    let first = service.ready().await?.call(request()).await?;
    ensure(!first.is_full(), || "the answer is not a stream".into())?;
    Ok(if service.ready().now_or_never().is_some() { "let in" } else { "waits" }.to_owned())
}

async fn our_timeout() -> Result<String> {
    let limits = TimeoutConfig { idle: Some(SECOND), first_chunk: Some(SECOND), ..TimeoutConfig::default() };
    let pipeline = Pipeline::around(still()).with(Timeout::new(limits));
    read(pipeline.execute(request(), &Context::new("1")).await?).await
}

async fn their_timeout() -> Result<String> {
    let mut service = tower::timeout::Timeout::new(service(still()), SECOND);
    read(service.ready().await?.call(request()).await?).await
}

/// Reads the answer, for an hour at most.
async fn read(answer: Response) -> Result<String> {
    let start = Instant::now();
    match timeout(HOUR, answer.collect()).await {
        Ok(Ok(_)) => Err("the answer had an end".into()),
        Ok(Err(_)) => Ok(format!("{} s", start.elapsed().as_secs())),
        Err(_) => Ok("not within an hour".to_owned()),
    }
}
