//! Two tower stacks. Both are cloned for each call, as a service shared by connections is.

use super::{Chain, answer, look};
use exec_core::tower::Call;
use exec_core::{Error, Response, Result};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Inspect, Ready, ready};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};
use tokio::runtime::Runtime;
use tower::util::BoxCloneService;
use tower::{Service, ServiceExt};

#[derive(Clone)]
struct Last;

impl Service<Call> for Last {
    type Response = Response;
    type Error = Error;
    type Future = Ready<Result<Response>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Call) -> Self::Future {
        ready(answer())
    }
}

/// A layer with a future type of its own, so that only the box around it allocates.
#[derive(Clone)]
struct Pass<S>(S);

impl<S> Service<Call> for Pass<S>
where
    S: Service<Call, Response = Response, Error = Error>,
{
    type Response = Response;
    type Error = Error;
    type Future = Inspect<S::Future, fn(&Result<Response>)>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        self.0.call(call).inspect(look)
    }
}

/// A layer that boxes its future because an async block has no name.
#[derive(Clone)]
struct BoxedPass<S>(S);

impl<S> Service<Call> for BoxedPass<S>
where
    S: Service<Call, Response = Response, Error = Error>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let answer = self.0.call(call);
        Box::pin(async move {
            let answer = answer.await;
            look(&answer);
            answer
        })
    }
}

pub(super) fn clones(runtime: &Rc<Runtime>, layers: usize) -> Chain {
    let stack = (0..layers).fold(BoxCloneService::new(Last), |stack, _| BoxCloneService::new(Pass(stack)));
    chain(runtime, stack)
}

pub(super) fn nested(runtime: &Rc<Runtime>, layers: usize) -> Chain {
    match layers {
        0 => chain(runtime, Last),
        1 => chain(runtime, BoxedPass(Last)),
        2..4 => chain(runtime, two(Last)),
        4..8 => chain(runtime, four(Last)),
        8..16 => chain(runtime, four(four(Last))),
        _ => chain(runtime, four(four(four(four(Last))))),
    }
}

fn two<S>(inner: S) -> BoxedPass<BoxedPass<S>> {
    BoxedPass(BoxedPass(inner))
}

fn four<S>(inner: S) -> BoxedPass<BoxedPass<BoxedPass<BoxedPass<S>>>> {
    two(two(inner))
}

fn chain<S>(runtime: &Rc<Runtime>, stack: S) -> Chain
where
    S: Service<Call, Response = Response, Error = Error> + Clone + 'static,
{
    Chain::new(runtime, move |request, context| {
        let mut stack = stack.clone();
        async move { stack.ready().await?.call(Call { request, context }).await.map(drop) }
    })
}
