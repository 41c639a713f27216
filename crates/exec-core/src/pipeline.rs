//! An executor made of middleware around another executor.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::middleware::Chain;
use crate::{Context, Executor, Middleware, Next, Request, Response, Result};

/// Middleware around an executor; itself an executor. The first added is the outermost.
#[derive(Clone)]
#[must_use = "a pipeline does nothing until it executes"]
pub struct Pipeline(pub(crate) Chain);

impl Pipeline {
    /// A pipeline without middleware: it behaves like `executor`.
    pub fn new(executor: impl Executor) -> Self {
        Self::around(Arc::new(executor))
    }

    /// A pipeline around an executor that is shared already.
    pub fn around(executor: Arc<dyn Executor>) -> Self {
        Self(Chain { middleware: Vec::new(), executor })
    }

    /// Adds `middleware` inside everything added so far.
    pub fn with(self, middleware: impl Middleware) -> Self {
        self.with_shared(Arc::new(middleware))
    }

    /// Adds middleware that is shared already.
    pub fn with_shared(mut self, middleware: Arc<dyn Middleware>) -> Self {
        self.0.middleware.push(middleware);
        self
    }

    /// The names of the middleware, outermost first.
    pub fn order(&self) -> impl Iterator<Item = &'static str> {
        self.0.middleware.iter().map(|middleware| middleware.name())
    }
}

impl Executor for Pipeline {
    // What `#[async_trait]` would write, without a box of its own: the first layer's is enough.
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
        Next::first(&self.0).run(request, context)
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.order()).finish()
    }
}
