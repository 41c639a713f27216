//! The chain one writes by hand: an `async_trait`, each layer holding the next.

use super::{Chain, answer, look};
use async_trait::async_trait;
use exec_core::{Context, Request, Response, Result};
use std::rc::Rc;
use std::sync::Arc;
use tokio::runtime::Runtime;

#[async_trait]
trait Link: Send + Sync {
    async fn call(&self, request: Request, context: &Context) -> Result<Response>;
}

struct Last;

#[async_trait]
impl Link for Last {
    async fn call(&self, _: Request, _: &Context) -> Result<Response> {
        answer()
    }
}

struct Pass(Arc<dyn Link>);

#[async_trait]
impl Link for Pass {
    async fn call(&self, request: Request, context: &Context) -> Result<Response> {
        let answer = self.0.call(request, context).await;
        look(&answer);
        answer
    }
}

pub(super) fn chain(runtime: &Rc<Runtime>, layers: usize) -> Chain {
    let last: Arc<dyn Link> = Arc::new(Last);
    let first = (0..layers).fold(last, |next, _| Arc::new(Pass(next)));
    Chain::new(runtime, move |request, context| {
        let first = Arc::clone(&first);
        async move { first.call(request, &context).await.map(drop) }
    })
}
