//! The door: request identifiers, limits on headers, and answers for what is not there, in the caller's format.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use exec_core::{Error, ErrorKind};
use futures_util::FutureExt;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use uuid::Uuid;

use super::{App, MAX_HEADER_BYTES, MAX_HEADERS};
use crate::wire::{Dialect, error};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_ID_BYTES: usize = 128;

/// The identifier of a request: the caller's, or a new one.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    /// The caller's identifier is taken when it is short and plain, so that it can stand in a header and a log line.
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
        let plain = |id: &&str| {
            !id.is_empty() && id.len() <= MAX_ID_BYTES && id.bytes().all(|b| b.is_ascii_graphic())
        };
        match given.filter(plain) {
            Some(id) => Self(id.into()),
            None => Self(format!("req_{}", Uuid::now_v7().simple()).into()),
        }
    }
}

/// Every request passes here first.
pub(super) async fn door(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let dialect = Dialect::of(request.uri().path(), request.headers());
    request.extensions_mut().insert(id.clone());
    let mut response = match too_many_headers(request.headers()) {
        Some(error) => {
            error::answer_with(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &error, dialect, &id.0)
        }
        None => {
            AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| broken(dialect, &id))
        }
    };
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        // The name Anthropic's SDKs look for.
        if dialect == Dialect::Anthropic {
            response.headers_mut().insert(HeaderName::from_static("request-id"), value.clone());
        }
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if app.drain.is_stopping() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The pipeline contains panics of providers and guards; this is for our own, so that a caller is always answered. The
/// panic's words were written to stderr when it happened.
fn broken(dialect: Dialect, id: &RequestId) -> Response {
    let message = "something broke inside; the log says what, under the id of this request";
    tracing::error!(id = %id.0, "a handler panicked");
    error::answer(&Error::new(ErrorKind::Internal, message).with_code("panic"), dialect, &id.0)
}

fn too_many_headers(headers: &HeaderMap) -> Option<Error> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    (headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES).then(|| {
        let message = format!("send at most {MAX_HEADERS} headers with {MAX_HEADER_BYTES} bytes together");
        Error::new(ErrorKind::InvalidRequest, message).with_code("headers_too_large")
    })
}

pub(super) async fn not_found(request: Request) -> Response {
    refuse(StatusCode::NOT_FOUND, ErrorKind::NotFound, "unknown_route", &request, |path| {
        format!("there is nothing at {path}; /openapi.json lists what there is")
    })
}

pub(super) async fn method_not_allowed(request: Request) -> Response {
    let method = request.method().clone();
    refuse(
        StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::InvalidRequest,
        "method_not_allowed",
        &request,
        |path| format!("{path} does not answer to {method}; the header `allow` says what it answers to"),
    )
}

fn refuse(
    status: StatusCode,
    kind: ErrorKind,
    code: &'static str,
    request: &Request,
    message: impl FnOnce(&str) -> String,
) -> Response {
    let path = request.uri().path();
    // A path is the caller's own text and may hold anything: it is shown short.
    let shown: String = path.chars().take(100).collect();
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let dialect = Dialect::of(path, request.headers());
    error::answer_with(status, &Error::new(kind, message(&shown)).with_code(code), dialect, &id)
}
