//! Our pipeline: of layers that do nothing, and of the four guards every gateway has.

use super::{Chain, answer, look};
use async_trait::async_trait;
use exec_core::{
    Chunk, Context, Error, Executor, Middleware, Next, Options, Pipeline, Request, Response, Result, Summary,
};
use exec_middleware::{CatchPanic, Timeout, TimeoutConfig, Trace, Validate};
use futures_util::{StreamExt, stream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

struct Bare;

#[async_trait]
impl Executor for Bare {
    async fn execute(&self, _: Request, _: &Context) -> Result<Response> {
        answer()
    }
}

struct Pass;

#[async_trait]
impl Middleware for Pass {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let answer = next.run(request, context).await;
        look(&answer);
        answer
    }
}

pub(super) fn chain(runtime: &Rc<Runtime>, layers: usize) -> Chain {
    unary(runtime, (0..layers).fold(Pipeline::new(Bare), |pipeline, _| pipeline.with(Pass)))
}

/// One complete answer: through trace, panic guard, validation and the four time limits, or from the bare executor.
pub fn guards(runtime: &Rc<Runtime>, guarded: bool) -> Chain {
    if guarded { unary(runtime, four(Bare)) } else { unary(runtime, Pipeline::new(Bare)) }
}

/// The same for an answer of `chunks` pieces that is read to its end.
pub fn guards_streamed(runtime: &Rc<Runtime>, guarded: bool, chunks: usize) -> Chain {
    let pipeline = if guarded { four(Streaming(chunks)) } else { Pipeline::new(Streaming(chunks)) };
    let pipeline = Arc::new(pipeline);
    let options = Arc::new(Options { stream: true, ..Options::default() });
    Chain::new(runtime, move |request, context| {
        let (pipeline, options) = (Arc::clone(&pipeline), Arc::clone(&options));
        async move {
            let response = pipeline.execute(Request { options, ..request }, &context).await?;
            let mut pieces = response.into_chunks();
            while let Some(piece) = pieces.next().await {
                std::hint::black_box(piece?);
            }
            Ok(())
        }
    })
}

fn unary(runtime: &Rc<Runtime>, pipeline: Pipeline) -> Chain {
    let pipeline = Arc::new(pipeline);
    Chain::new(runtime, move |request, context| {
        let pipeline = Arc::clone(&pipeline);
        async move { pipeline.execute(request, &context).await.map(drop) }
    })
}

/// All four limits are set, so that all four are paid for.
fn four(executor: impl Executor) -> Pipeline {
    let limit = Some(Duration::from_secs(60));
    let limits = TimeoutConfig { connect: limit, first_chunk: limit, idle: limit, total: limit };
    Pipeline::new(executor).with(Trace).with(CatchPanic).with(Validate::default()).with(Timeout::new(limits))
}

/// Answers in so many pieces, all of them there already.
struct Streaming(usize);

#[async_trait]
impl Executor for Streaming {
    async fn execute(&self, _: Request, _: &Context) -> Result<Response> {
        let pieces = (0..self.0).map(|_| Ok::<_, Error>(Chunk::Text("word ".to_owned())));
        let end = std::iter::once(Ok(Chunk::End(Summary::default())));
        Ok(Response::stream(stream::iter(pieces.chain(end))))
    }
}
