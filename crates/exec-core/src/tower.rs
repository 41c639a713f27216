//! The border to `tower`: any stack of its services can be slotted in as an executor, and any executor as a service.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use async_trait::async_trait;
use futures_util::future::{BoxFuture, poll_fn};
use tower_service::Service;

use crate::{Context, Error, Executor, Request, Response, Result};

/// A request with its context: what a service takes.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// The circumstances.
    pub context: Context,
}

/// An executor as a service. Always ready: executors shed load with an error.
#[derive(Clone)]
pub struct ExecutorService(pub Arc<dyn Executor>);

impl Service<Call> for ExecutorService {
    type Response = Response;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let executor = self.0.clone();
        Box::pin(async move { executor.execute(call.request, &call.context).await })
    }
}

impl std::fmt::Debug for ExecutorService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ExecutorService")
    }
}

/// A service as an executor. Each call clones the service and waits until the clone is ready, within the deadline.
#[derive(Clone, Debug)]
pub struct ServiceExecutor<S>(pub S);

#[async_trait]
impl<S> Executor for ServiceExecutor<S>
where
    S: Service<Call, Response = Response> + Clone + Send + Sync + 'static,
    S::Error: Into<Error>,
    S::Future: Send,
{
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        let mut service = self.0.clone();
        context.bound(async { poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into) }).await?;
        service.call(Call { request, context: context.clone() }).await.map_err(Into::into)
    }
}
