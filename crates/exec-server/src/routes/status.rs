//! How the server is, for people and for Prometheus. Neither asks a provider anything.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::App;
use crate::metrics;
use crate::status::Status;

pub(super) async fn status(State(app): State<Arc<App>>) -> Json<Status> {
    Json(app.status())
}

pub(super) async fn prometheus(State(app): State<Arc<App>>) -> Response {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::text(&app.status())).into_response()
}
