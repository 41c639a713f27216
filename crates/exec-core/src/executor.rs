//! Everything that can be called.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::{BoxFuture, join_all};

use crate::{Context, Request, Response, Result};

/// Everything that can be called: a provider, a strategy, a pipeline, a whole gateway.
///
/// Dropping the returned future, or the response's body, cancels the call.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Runs `request`.
    ///
    /// Returns `Ok` only when the first chunk of content is in hand: until then an error can be retried or moved
    /// elsewhere, afterwards it ends the stream.
    ///
    /// # Errors
    /// Any [`Error`](crate::Error); its remedy says what would help.
    async fn execute(&self, request: Request, context: &Context) -> Result<Response>;

    /// Runs several calls at once and answers in their order. Override it only where the backend has a real bulk call.
    ///
    /// The caller bounds how many: all of them run concurrently.
    async fn execute_all(&self, calls: Vec<(Request, Context)>) -> Vec<Result<Response>> {
        join_all(calls.iter().map(|(request, context)| self.execute(request.clone(), context))).await
    }
}

// What `#[async_trait]` would write, without a box around the box.
impl<E: Executor + ?Sized> Executor for Arc<E> {
    fn execute<'a, 'b, 'c>(
        &'a self,
        request: Request,
        context: &'b Context,
    ) -> BoxFuture<'c, Result<Response>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        (**self).execute(request, context)
    }

    fn execute_all<'a, 'c>(&'a self, calls: Vec<(Request, Context)>) -> BoxFuture<'c, Vec<Result<Response>>>
    where
        'a: 'c,
        Self: 'c,
    {
        (**self).execute_all(calls)
    }
}

/// An executor made of a function.
///
/// ```
/// use exec_core::{Chat, Context, Executor, Output, Request, Response, executor_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> exec_core::Result<()> {
/// let echo = executor_fn(|request: Request, _context: &Context| {
///     Box::pin(async move { Ok(Response::full(Output::text_of(request.input.chat()?.messages[0].text()))) })
/// });
/// let answer = echo.execute(Request::chat(Chat::user("hi")), &Context::new("1")).await?;
/// assert_eq!(answer.collect().await?.text(), "hi");
/// # Ok(()) }
/// ```
pub fn executor_fn<F>(f: F) -> ExecutorFn<F>
where
    F: for<'a> Fn(Request, &'a Context) -> BoxFuture<'a, Result<Response>> + Send + Sync + 'static,
{
    ExecutorFn(f)
}

/// See [`executor_fn`].
#[derive(Clone)]
pub struct ExecutorFn<F>(F);

#[async_trait]
impl<F> Executor for ExecutorFn<F>
where
    F: for<'a> Fn(Request, &'a Context) -> BoxFuture<'a, Result<Response>> + Send + Sync + 'static,
{
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        (self.0)(request, context).await
    }
}

impl<F> fmt::Debug for ExecutorFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExecutorFn")
    }
}
