//! Writes complete answers, errors and lists of models for callers.

use std::borrow::Cow;

use bytes::Bytes;
use exec_core::{Error, ErrorKind, Output};
use serde_json::{Value, json};

use super::block::answer_block;
use super::json::{self, Json, Object};
use super::usage::{stop_reason, usage_json};
use crate::about::About;
use crate::format::Reply;

/// The message of a complete answer.
pub(super) fn message(output: &Output, reply: &Reply) -> Bytes {
    let data: Vec<String> = output.data.iter().map(|value| value.get().to_owned()).collect();
    let parts = output.parts().iter().enumerate();
    let mut content: Vec<_> = parts.filter_map(|(at, part)| answer_block(part, at)).collect();
    // The format has words only: a value is written as its JSON text.
    content.extend(data.iter().map(|text| Object::typed("text").with("text", text.as_str()).into()));
    let mut message = envelope(reply)
        .with("content", content)
        .with("stop_reason", stop_reason(&output.summary))
        .with("stop_sequence", json!(output.summary.stop_sequence))
        .with("usage", usage_json(output.summary.usage));
    message.set_some("exec", About::of(&reply.report).map(|about| json!(about)));
    json::bytes(&message)
}

/// What a message says of itself, complete or about to come.
pub(super) fn envelope(reply: &Reply) -> Object<'_> {
    let id = match &reply.report.id {
        Some(id) => Cow::Borrowed(&**id),
        None => Cow::Owned(format!("msg_{}", reply.request_id)),
    };
    let model = reply.report.model.as_deref().or(reply.model.as_deref()).unwrap_or_default();
    Object::default()
        .with("id", Value::from(id))
        .with("type", "message")
        .with("role", "assistant")
        .with("model", Json::Str(model))
}

/// An error, before a stream or inside it.
pub(super) fn error(error: &Error, request_id: &str) -> Bytes {
    let mut inner = json!({
        "type": type_of(error.kind()),
        "message": error.message(),
        "code": error.code(),
    });
    if !error.fields().is_empty() {
        let field = |field: &exec_core::FieldError| json!({"path": field.path, "code": field.code, "message": field.message});
        inner["errors"] = error.fields().iter().map(field).collect();
    }
    json::bytes(&json!({"type": "error", "error": inner, "request_id": request_id}))
}

fn type_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::Unsupported
        | ErrorKind::ContextLength
        | ErrorKind::ContentFiltered => "invalid_request_error",
        ErrorKind::Unauthenticated => "authentication_error",
        ErrorKind::PermissionDenied => "permission_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::DeadlineExceeded => "timeout_error",
        _ => "api_error",
    }
}

/// One page with all of `names`, for `GET /v1/models`. A date nobody knows is the beginning of time.
pub(super) fn models<'a>(names: impl IntoIterator<Item = &'a str>) -> Bytes {
    let data: Vec<Value> = names.into_iter().map(document).collect();
    let id = |entry: Option<&Value>| entry.map_or(Value::Null, |entry| entry["id"].clone());
    json::bytes(&json!({
        "first_id": id(data.first()),
        "last_id": id(data.last()),
        "has_more": false,
        "data": data,
    }))
}

/// One name, for `GET /v1/models/{id}`.
pub(super) fn model(name: &str) -> Bytes {
    json::bytes(&document(name))
}

fn document(name: &str) -> Value {
    json!({"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"})
}
