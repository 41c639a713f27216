//! A span around every call, and the events of its life.
//!
//! The outermost layer: what it does not wrap is not seen. For figures rather than events, count them in an
//! [`EventSink`](exec_core::EventSink).

use async_trait::async_trait;
use exec_core::{Context, End, Error, ErrorKind, Event, Middleware, Next, Request, Response, Result};
use tracing::Instrument;

/// Opens a span named `execution` and tells `started`, `first_chunk` and `ended`.
///
/// `ended` is told exactly once: when the answer was read to its end, when it failed, or when the caller left, be it
/// before the first chunk or in the middle of the body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace;

#[async_trait]
impl Middleware for Trace {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let span = tracing::info_span!(
            target: "exec",
            "execution",
            id = %context.id(),
            operation = %request.operation,
            model = request.model.as_deref(),
        );
        let (operation, model) = (request.operation.clone(), request.model.clone());
        context.emit(&Event::Started { operation, model });
        let life = Life { context: context.clone(), span: span.clone(), over: false };
        match next.run(request, context).instrument(span).await {
            Ok(response) => Ok(life.follow(response)),
            Err(error) => {
                life.span.in_scope(|| failed(&error));
                life.end(&End::Failed(error.kind()));
                Err(error)
            }
        }
    }

    fn name(&self) -> &'static str {
        "trace"
    }
}

/// The life of one execution. Dropped before its end, it tells that the caller left.
struct Life {
    context: Context,
    span: tracing::Span,
    over: bool,
}

impl Life {
    fn follow(self, response: Response) -> Response {
        let (provider, elapsed) = (response.report.provider.clone(), self.context.elapsed());
        self.context.emit(&Event::FirstChunk { provider, elapsed });
        response.on_end(move |end| {
            if let End::Failed(kind) = end {
                self.span.in_scope(|| tracing::warn!(target: "exec", %kind, "the body broke"));
            }
            self.end(end);
        })
    }

    fn end(mut self, end: &End) {
        self.tell(end.clone());
    }

    fn tell(&mut self, end: End) {
        self.over = true;
        let _entered = self.span.enter();
        self.context.emit(&Event::Ended { end, elapsed: self.context.elapsed() });
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if !self.over {
            self.tell(End::Dropped);
        }
    }
}

/// Says that a call failed, and neither what was asked nor what was answered. What its caller got wrong is not worth waking
/// an operator for.
fn failed(error: &Error) {
    let (kind, code, provider) =
        (error.kind(), error.code(), error.provider().map(AsRef::as_ref).unwrap_or(""));
    let callers = matches!(
        kind,
        ErrorKind::InvalidRequest
            | ErrorKind::NotFound
            | ErrorKind::Unsupported
            | ErrorKind::TooLarge
            | ErrorKind::ContextLength
    );
    if callers {
        tracing::debug!(target: "exec", %kind, code, provider, "the call was refused");
    } else {
        tracing::warn!(target: "exec", %kind, code, provider, "the call failed");
    }
}
