//! Errors that every format has words for: an answer that is none, a stream that stops, a request nobody can write.

use exec_core::{Error, ErrorKind};

use crate::http::JsonError;

/// An answer or event that cannot be used. The message says where, never what: the answer is the caller's.
pub(crate) fn broken(code: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Upstream, message).with_code(code)
}

/// A stream that stopped too early.
pub(crate) fn cut() -> Error {
    broken("stream_cut", "the stream ended before its end was announced")
}

/// A request that cannot be written. It is the caller's fault only if the bytes it sent are.
pub(crate) fn unwritable(error: JsonError) -> Error {
    let kind = match error {
        JsonError::Source { .. } => ErrorKind::InvalidRequest,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, format!("the request cannot be written for the provider: {error}")).with_source(error)
}
