//! A pipeline around one provider, which stays who it is.

use std::sync::Arc;

use async_trait::async_trait;
use exec_core::{Capabilities, Context, Executor, Health, Pipeline, Provider, Request, Response, Result};

/// A provider with guards of its own: each try at it passes them, whoever balances or falls back around it.
#[derive(Clone)]
pub struct Guarded {
    provider: Arc<dyn Provider>,
    pipeline: Pipeline,
}

impl Guarded {
    /// Puts the middleware that `guard` adds around `provider`.
    pub fn new(provider: Arc<dyn Provider>, guard: impl FnOnce(Pipeline) -> Pipeline) -> Self {
        let pipeline = guard(Pipeline::around(provider.clone()));
        Self { provider, pipeline }
    }
}

#[async_trait]
impl Executor for Guarded {
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        let answer = self.pipeline.execute(request, context).await;
        answer.map_err(|error| error.with_provider(self.provider.name()))
    }
}

#[async_trait]
impl Provider for Guarded {
    fn name(&self) -> &str {
        self.provider.name()
    }

    fn capabilities(&self) -> &Capabilities {
        self.provider.capabilities()
    }

    async fn check(&self) -> Health {
        self.provider.check().await
    }
}

impl std::fmt::Debug for Guarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded").field("provider", &self.name()).field("pipeline", &self.pipeline).finish()
    }
}
