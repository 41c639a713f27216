//! `DELETE /api/v2/cache`: an operator says which kept answers are wrong.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use exec_core::{Context, Error, ErrorKind, FieldError, Operation};
use exec_middleware::cache::Target;
use http::StatusCode;
use serde::Deserialize;

use super::{App, RequestId};
use crate::config::KEEPABLE;
use crate::wire::{Dialect, error};

/// Which answers are meant: those for which all of it is true.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Meant {
    /// Of this operation.
    operation: Option<String>,
    /// Asked of this model, by the callers' name for it; `*` stands for any text.
    model: Option<String>,
    /// Of this tenant.
    tenant: Option<String>,
}

pub(super) async fn forget(
    State(app): State<Arc<App>>,
    Extension(RequestId(id)): Extension<RequestId>,
    meant: Result<Query<Meant>, QueryRejection>,
) -> Response {
    let refuse = |error| error::answer(&error, Dialect::Native, &id);
    let Some(cache) = &app.engine.watches().pipeline.cache else {
        let message = "nothing is kept: there is no `cache` in pipeline.middleware";
        return refuse(Error::new(ErrorKind::NotFound, message).with_code("no_cache"));
    };
    match meant {
        Ok(Query(Meant { operation: Some(operation), .. })) if unknown(&operation) => {
            refuse(wrong("operation", "must be chat or embed"))
        }
        Ok(Query(meant)) => {
            let context = Context::new(id.clone()).with_events(app.events.0.clone());
            cache.invalidate(meant.target(), &context).await;
            StatusCode::NO_CONTENT.into_response()
        }
        Err(rejection) => refuse(wrong("query", &rejection.body_text())),
    }
}

fn unknown(operation: &str) -> bool {
    !KEEPABLE.iter().any(|known| known.as_str() == operation)
}

fn wrong(place: &str, message: &str) -> Error {
    Error::invalid(vec![FieldError::new(place, "invalid_value", message)])
}

impl Meant {
    fn target(self) -> Target {
        let target = match (self.operation, self.model) {
            (None, None) => Target::all(),
            (Some(operation), None) => Target::operation(Operation::from(operation.as_str())),
            (operation, Some(model)) => {
                Target::pattern(format!("{}:{model}", operation.as_deref().unwrap_or("*")))
            }
        };
        match self.tenant {
            Some(tenant) => target.of_tenant(tenant),
            None => target,
        }
    }
}
