//! `GET /v1/models`, in OpenAI's shape, or in Anthropic's for who sends its version header.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use exec_core::{Context, Error, ErrorKind};
use exec_providers::{anthropic, openai};
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::{App, RequestId};
use crate::engine::Model;
use crate::wire::{Dialect, error};

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
) -> Response {
    let models = models(&app, &id).await;
    let body = match Dialect::of("/v1/models", &headers) {
        Dialect::Anthropic => anthropic::model_list(models.iter().map(|model| model.id.as_str())),
        _ => openai::model_list(models.iter().map(|model| (model.id.as_str(), &*model.provider)), 0),
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

pub(super) async fn one(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let dialect = Dialect::of("/v1/models", &headers);
    let models = models(&app, &id).await;
    let Some(model) = models.iter().find(|model| model.id == name) else {
        let message = format!("there is no model `{name}`; GET /v1/models lists what there is");
        let error = Error::new(ErrorKind::NotFound, message).with_code("model_not_found");
        return error::answer(&error, dialect, &id.0);
    };
    let body = match dialect {
        Dialect::Anthropic => anthropic::model(&model.id),
        _ => openai::model(&model.id, &model.provider, 0),
    };
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn models(app: &App, id: &RequestId) -> Vec<Model> {
    let context = Context::new(id.0.clone()).with_cancel(app.drain.over());
    app.engine.models(&context).await
}
