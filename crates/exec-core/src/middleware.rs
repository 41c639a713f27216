//! What wraps a call.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use crate::{Context, Executor, Pipeline, Request, Response, Result};

/// Something that wraps a call: it may look at the request, answer itself, call on, call on again, or change the answer.
///
/// A middleware that needs its own task is an [`Executor`] around another one instead.
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Handles `request`; `next` is the rest of the pipeline.
    ///
    /// # Errors
    /// Its own, or what `next` says.
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response>;

    /// The name used in logs and in the order a pipeline shows.
    fn name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// The rest of a pipeline. `Copy`, so that a retry simply runs it again.
#[derive(Clone, Copy)]
pub struct Next<'a> {
    chain: &'a Chain,
    at: usize,
}

/// What a pipeline is made of: middleware from the outermost inwards, and the executor.
#[derive(Clone)]
pub(crate) struct Chain {
    pub(crate) middleware: Vec<Arc<dyn Middleware>>,
    pub(crate) executor: Arc<dyn Executor>,
}

impl<'a> Next<'a> {
    /// Calls on. One allocation per layer: the boxed future.
    pub fn run<'c>(self, request: Request, context: &'c Context) -> BoxFuture<'c, Result<Response>>
    where
        'a: 'c,
    {
        match self.chain.middleware.get(self.at) {
            Some(middleware) => middleware.handle(request, context, Next { at: self.at + 1, ..self }),
            None => self.chain.executor.execute(request, context),
        }
    }

    /// The rest of the pipeline as one of its own, for work that may outlive the call. O(n) in the layers that are left.
    pub fn rest(self) -> Pipeline {
        let middleware = self.chain.middleware[self.at.min(self.chain.middleware.len())..].to_vec();
        Pipeline(Chain { middleware, executor: self.chain.executor.clone() })
    }

    /// The whole of `chain`.
    pub(crate) fn first(chain: &'a Chain) -> Self {
        Self { chain, at: 0 }
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Next({} more)", self.chain.middleware.len() - self.at)
    }
}

/// A middleware made of a function.
///
/// ```
/// use exec_core::{Pipeline, from_fn};
/// # let echo = exec_core::executor_fn(|_, _| Box::pin(async { Ok(exec_core::Response::full(Default::default())) }));
/// let pipeline = Pipeline::new(echo).with(from_fn(|request, context, next| {
///     Box::pin(async move {
///         context.budget().take_attempt()?;
///         next.run(request, context).await
///     })
/// }));
/// ```
pub fn from_fn<F>(f: F) -> MiddlewareFn<F>
where
    F: for<'a> Fn(Request, &'a Context, Next<'a>) -> BoxFuture<'a, Result<Response>> + Send + Sync + 'static,
{
    MiddlewareFn(f)
}

/// See [`from_fn`].
#[derive(Clone)]
pub struct MiddlewareFn<F>(F);

#[async_trait]
impl<F> Middleware for MiddlewareFn<F>
where
    F: for<'a> Fn(Request, &'a Context, Next<'a>) -> BoxFuture<'a, Result<Response>> + Send + Sync + 'static,
{
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        (self.0)(request, context, next).await
    }

    fn name(&self) -> &'static str {
        "from_fn"
    }
}

impl<F> fmt::Debug for MiddlewareFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MiddlewareFn")
    }
}
