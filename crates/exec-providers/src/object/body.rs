//! What is wrong with a body as a whole. Every error has the path `body`.

use bytes::Bytes;
use exec_core::{Error, FieldError, Result};
use memchr::memchr2;
use serde_json::value::RawValue;

use super::Path;

/// Deeper values could not be read as a tree by whoever looks at them later.
const MAX_DEPTH: usize = 100;

/// The one JSON value that `body` is.
///
/// # Errors
/// `InvalidRequest` with code `invalid_utf8`, `too_deep` or `invalid_json`, and the place where it stops being one.
pub(super) fn json(body: &Bytes) -> Result<&RawValue> {
    let text = std::str::from_utf8(body).map_err(|fault| {
        let at = fault.valid_up_to();
        error("invalid_utf8", "invalid_utf8", format!("is not valid UTF-8: byte {at} begins no character"))
    })?;
    if text.trim_ascii().is_empty() {
        return Err(error("invalid_json", "invalid_json", "is empty: send a JSON object".to_owned()));
    }
    if depth(text.as_bytes()) > MAX_DEPTH {
        let message = format!("is nested deeper than {MAX_DEPTH} levels");
        return Err(error("too_deep", "too_deep", message));
    }
    serde_json::from_str(text).map_err(|fault| {
        let message = format!("is not valid JSON (line {}, column {})", fault.line(), fault.column());
        error("invalid_json", "invalid_json", message)
    })
}

/// A body that is JSON and no object.
pub(super) fn no_object() -> Error {
    error("invalid_json", "invalid_type", "must be an object".to_owned())
}

fn error(code: &'static str, field_code: &'static str, message: String) -> Error {
    let field = FieldError::new(Path::Root.to_string(), field_code, message);
    Error::invalid(vec![field]).with_code(code)
}

/// How deep objects and arrays are nested, without recursion. Brackets in strings do not count.
pub(super) fn depth(json: &[u8]) -> usize {
    let (mut now, mut most, mut at) = (0_usize, 0, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'{' | b'[' => now += 1,
            b'}' | b']' => now = now.saturating_sub(1),
            b'"' => at = end_of_string(json, at + 1),
            _ => {}
        }
        most = most.max(now);
        at += 1;
    }
    most
}

/// Where the string that begins at `at` has its closing quote.
fn end_of_string(json: &[u8], mut at: usize) -> usize {
    while let Some(found) = json.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if json[at] == b'"' {
            return at;
        }
        at += 2;
    }
    json.len()
}
