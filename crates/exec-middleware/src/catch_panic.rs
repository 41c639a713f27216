//! A panic below becomes an error, so that one broken call takes nobody else with it.
//!
//! Put it inside [`Trace`](crate::Trace), so that the failed call is seen, and outside everything else. It needs panics
//! that unwind: with `panic = "abort"` there is nothing to catch.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use exec_core::{Chunk, Context, Error, ErrorKind, Middleware, Next, Request, Response, Result};
use futures_util::{FutureExt, Stream, StreamExt};

/// Turns a panic of the call, or of its body, into an error of kind `Internal`.
///
/// The caller is told that something broke and not what: the panic's own words go to the log. The body ends there.
#[derive(Clone, Copy, Debug, Default)]
pub struct CatchPanic;

#[async_trait]
impl Middleware for CatchPanic {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        // Nothing below is used again after it panicked: the future is gone, and what is shared guards itself.
        let answer = AssertUnwindSafe(next.run(request, context)).catch_unwind().await;
        let id = context.id().clone();
        match answer {
            Ok(Ok(response)) => Ok(response.map_chunks(|chunks| caught(chunks, id))),
            Ok(Err(error)) => Err(error),
            Err(panic) => Err(broken(&id, &*panic)),
        }
    }

    fn name(&self) -> &'static str {
        "catch_panic"
    }
}

fn caught(
    chunks: impl Stream<Item = Result<Chunk>> + Send,
    id: std::sync::Arc<str>,
) -> impl Stream<Item = Result<Chunk>> + Send {
    AssertUnwindSafe(chunks)
        .catch_unwind()
        .map(move |item| item.unwrap_or_else(|panic| Err(broken(&id, &*panic))))
}

fn broken(id: &str, panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
    tracing::error!(target: "exec::panic", id, panic = text, "a layer below panicked");
    Error::new(ErrorKind::Internal, "something broke inside; the log says what, under the id of this request")
        .with_code("panic")
}
