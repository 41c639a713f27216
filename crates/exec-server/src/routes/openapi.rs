//! `GET /openapi.json`: what is answered where, for tools.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

/// Kept as a document, because it is read by people as well; a test holds it against the router and the answers.
const DOCUMENT: &str = include_str!("../../openapi.json");

pub(super) async fn document() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
