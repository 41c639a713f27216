//! The one place where an error becomes an HTTP answer.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use exec_core::{Error, ErrorKind};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use hyper::ext::ReasonPhrase;

use super::Dialect;

/// The status of every kind of error.
#[must_use]
pub fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::ContextLength | ErrorKind::ContentFiltered => {
            StatusCode::BAD_REQUEST
        }
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Upstream => StatusCode::BAD_GATEWAY,
        ErrorKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Overloaded | ErrorKind::Unavailable | ErrorKind::Cancelled | ErrorKind::Exhausted => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        // A kind we do not know yet is a defect of ours until it is given a status.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// The answer to a call that failed before it answered.
pub fn answer(error: &Error, dialect: Dialect, request_id: &str) -> Response {
    answer_with(status_of(error, dialect), error, dialect, request_id)
}

/// The same with a status that no kind of error has.
pub fn answer_with(status: StatusCode, error: &Error, dialect: Dialect, request_id: &str) -> Response {
    let body = dialect.errors().error(error, request_id);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if status.canonical_reason().is_none() {
        response.extensions_mut().insert(ReasonPhrase::from_static(b"Overloaded"));
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(wait) = error.retry_after() {
        headers.insert(RETRY_AFTER, whole_seconds(wait).into());
        headers
            .insert(RETRY_AFTER_MS, HeaderValue::from(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
    }
    response
}

/// Anthropic's own status for overload is no standard one, and its SDKs look for it.
fn status_of(error: &Error, dialect: Dialect) -> StatusCode {
    match (dialect, error.kind()) {
        (Dialect::Anthropic, ErrorKind::Overloaded) => {
            StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
        }
        (_, kind) => status(kind),
    }
}

/// Rounded up: who comes back at that second is not too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
