//! Whether the process lives, and whether it wants requests. Neither asks a provider anything.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use super::App;

pub(super) async fn live() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

pub(super) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let in_flight = app.drain.in_flight();
    if app.drain.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "stopping", "inFlight": in_flight})));
    }
    (StatusCode::OK, Json(json!({"status": "ready", "inFlight": in_flight})))
}
