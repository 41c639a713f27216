//! The list of models, read and written.

use std::sync::Arc;

use bytes::Bytes;
use exec_core::Result;
use serde_json::{Value, json};

use super::decode::{malformed, no_answer};
use super::error::ErrorReader;

/// The names in a list of models. Besides OpenAI's `data` also a bare list and `models` are understood.
pub(super) fn names(body: &Bytes, errors: &ErrorReader) -> Result<Vec<Arc<str>>> {
    let value: Value = serde_json::from_slice(body).map_err(|e| malformed(&e))?;
    if value.get("error").is_some_and(|error| !error.is_null()) {
        return Err(errors.in_answer(body));
    }
    let list = value.get("data").or_else(|| value.get("models")).unwrap_or(&value);
    let Some(items) = list.as_array() else {
        return Err(no_answer("the answer is no list of models"));
    };
    let name = |item: &Value| {
        let name = item.get("id").or_else(|| item.get("name")).unwrap_or(item);
        name.as_str().map(Arc::from)
    };
    Ok(items.iter().filter_map(name).collect())
}

/// The JSON of `GET /v1/models`: every name with who offers it. `created` is seconds since 1970.
///
/// ```
/// use exec_providers::openai::model_list;
/// let json = model_list([("gpt-4o", "openai")], 0);
/// assert!(json.starts_with(br#"{"data":[{"#));
/// ```
#[must_use]
pub fn model_list<'a>(models: impl IntoIterator<Item = (&'a str, &'a str)>, created: u64) -> Bytes {
    let data: Vec<Value> = models.into_iter().map(|(id, owner)| document(id, owner, created)).collect();
    json!({"object": "list", "data": data}).to_string().into()
}

/// The JSON of `GET /v1/models/{id}`.
#[must_use]
pub fn model(id: &str, owner: &str, created: u64) -> Bytes {
    document(id, owner, created).to_string().into()
}

fn document(id: &str, owner: &str, created: u64) -> Value {
    json!({"id": id, "object": "model", "created": created, "owned_by": owner})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let body = model_list([("a", "x"), ("b/c", "y")], 7);
        assert_eq!(names(&body, &ErrorReader::default()).unwrap(), ["a", "b/c"].map(Arc::<str>::from));
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["data"][1]["owned_by"], "y");
    }

    #[test]
    fn other_lists_are_understood_and_errors_seen() {
        let read = |json: &'static str| names(&Bytes::from_static(json.as_bytes()), &ErrorReader::default());
        assert_eq!(read(r#"[{"id": "a"}]"#).unwrap(), [Arc::<str>::from("a")]);
        assert_eq!(read(r#"{"models": [{"name": "m"}, 7]}"#).unwrap(), [Arc::<str>::from("m")]);
        assert_eq!(
            read(r#"{"error": {"message": "no", "code": 401}}"#).unwrap_err().message(),
            "no (status 401)"
        );
        assert_eq!(read("{}").unwrap_err().code(), "malformed_answer");
        assert_eq!(read("<html>").unwrap_err().code(), "malformed_answer");
    }
}
