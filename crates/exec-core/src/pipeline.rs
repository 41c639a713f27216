//! An executor made of middleware around another executor.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Context, Executor, Middleware, Next, Request, Response, Result};

/// Middleware around an executor; itself an executor. The first added is the outermost.
#[derive(Clone)]
#[must_use = "a pipeline does nothing until it executes"]
pub struct Pipeline {
    middleware: Vec<Arc<dyn Middleware>>,
    executor: Arc<dyn Executor>,
}

impl Pipeline {
    /// A pipeline without middleware: it behaves like `executor`.
    pub fn new(executor: impl Executor) -> Self {
        Self::around(Arc::new(executor))
    }

    /// A pipeline around an executor that is shared already.
    pub fn around(executor: Arc<dyn Executor>) -> Self {
        Self { middleware: Vec::new(), executor }
    }

    /// Adds `middleware` inside everything added so far.
    pub fn with(self, middleware: impl Middleware) -> Self {
        self.with_shared(Arc::new(middleware))
    }

    /// Adds middleware that is shared already.
    pub fn with_shared(mut self, middleware: Arc<dyn Middleware>) -> Self {
        self.middleware.push(middleware);
        self
    }

    /// The names of the middleware, outermost first.
    pub fn order(&self) -> impl Iterator<Item = &'static str> {
        self.middleware.iter().map(|middleware| middleware.name())
    }
}

#[async_trait]
impl Executor for Pipeline {
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        Next { rest: &self.middleware, executor: &*self.executor }.run(request, context).await
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.order()).finish()
    }
}
