//! The JSON of an error, the same before and inside a stream.

use bytes::{Bytes, BytesMut};
use exec_core::{Error, ErrorKind, FieldError};
use serde::Serialize;

use crate::lines::write_data;

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Field<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Field<'a> {
    path: &'a str,
    code: &'static str,
    message: &'a str,
}

impl<'a> Field<'a> {
    fn of(field: &'a FieldError) -> Self {
        Self { path: &field.path, code: field.code, message: &field.message }
    }
}

/// The error as the caller gets it.
pub(super) fn json(error: &Error, request_id: &str) -> Bytes {
    let errors = error.fields().iter().map(Field::of).collect();
    let inner = Inner {
        message: error.message(),
        r#type: kind(error),
        param: error.fields().first().map(|field| field.path.as_str()),
        code: code(error),
        errors,
        provider: error.provider().map(|name| &**name),
        request_id,
    };
    // Nothing in it can refuse to be written.
    serde_json::to_vec(&Body { error: inner }).unwrap_or_default().into()
}

/// The error as an event of a stream.
pub(super) fn event(error: &Error, request_id: &str, out: &mut BytesMut) {
    write_data(&json(error, request_id), out);
}

/// OpenAI's class of the error.
fn kind(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidRequest
        | ErrorKind::NotFound
        | ErrorKind::Unsupported
        | ErrorKind::TooLarge
        | ErrorKind::ContextLength
        | ErrorKind::ContentFiltered => "invalid_request_error",
        ErrorKind::Unauthenticated => "authentication_error",
        ErrorKind::PermissionDenied => "permission_error",
        ErrorKind::RateLimited if error.code() == "insufficient_quota" => "insufficient_quota",
        ErrorKind::RateLimited => "rate_limit_error",
        _ => "server_error",
    }
}

/// The code clients look for where they look for one, else ours.
fn code(error: &Error) -> &str {
    match (error.kind(), error.code()) {
        (ErrorKind::ContextLength, _) => "context_length_exceeded",
        (ErrorKind::ContentFiltered, "content_filtered") => "content_filter",
        (ErrorKind::RateLimited, "rate_limited") => "rate_limit_exceeded",
        (ErrorKind::Unauthenticated, "unauthenticated") => "invalid_api_key",
        (_, code) => code,
    }
}
