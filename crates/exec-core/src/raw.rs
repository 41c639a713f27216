//! JSON that is kept as the text it came in, so that what nobody reads is neither parsed nor copied.

use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// One JSON value as its text.
///
/// Cloning is a refcount. A `Raw` cut out of a received body with [`Raw::of`] shares that body's memory.
/// Serialises verbatim with `serde_json`; with any other format it is written as the value it holds.
#[derive(Clone)]
pub struct Raw(Bytes);

impl Raw {
    /// Checks that `text` is exactly one JSON value and keeps it, without copying.
    ///
    /// # Errors
    /// What `serde_json` says of text that is not JSON.
    pub fn parse(text: &Bytes) -> Result<Self, serde_json::Error> {
        let raw = serde_json::from_slice::<&RawValue>(text)?;
        Ok(Self::of(text, raw))
    }

    /// The value `raw`, borrowed from `source` if it lies in it and copied if it does not.
    #[must_use]
    pub fn of(source: &Bytes, raw: &RawValue) -> Self {
        Self(slice_or_copy(source, raw.get().as_bytes()))
    }

    /// The text of `value`.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        Self(Bytes::from(value.to_string()))
    }

    /// The JSON text.
    #[must_use]
    pub fn get(&self) -> &str {
        // Checked when it was made: the fallback is never taken.
        std::str::from_utf8(&self.0).unwrap_or("null")
    }

    /// The JSON text as bytes, sharing memory.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Parses the text into `T`.
    ///
    /// # Errors
    /// When the value does not have the shape of `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.0)
    }

    /// The parsed value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.read().unwrap_or(Value::Null)
    }
}

/// `part` as a slice of `source` when it points into it, else as a copy.
pub(crate) fn slice_or_copy(source: &Bytes, part: &[u8]) -> Bytes {
    let (outer, inner) = (source.as_ptr_range(), part.as_ptr_range());
    if !part.is_empty() && outer.start <= inner.start && inner.end <= outer.end {
        source.slice_ref(part)
    } else {
        Bytes::copy_from_slice(part)
    }
}

impl From<Value> for Raw {
    fn from(value: Value) -> Self {
        Self::from_value(&value)
    }
}

/// Two values are equal when they mean the same, whatever their white space and order of keys.
impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.to_value() == other.to_value()
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.get())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through `Value`, because a raw value cannot be read inside flattened or tagged types.
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_out_value_shares_the_memory_of_its_body() {
        let body = Bytes::from_static(br#"{"a": [1, 2], "b": "x"}"#);
        let fields: std::collections::BTreeMap<&str, &RawValue> = serde_json::from_slice(&body).unwrap();
        let raw = Raw::of(&body, fields["a"]);
        assert_eq!(raw.get(), "[1, 2]");
        assert!(body.as_ptr_range().contains(&raw.bytes().as_ptr()));
        assert_eq!(raw, Raw::from(serde_json::json!([1, 2])));
    }

    #[test]
    fn serialises_verbatim_and_refuses_what_is_not_json() {
        let raw = Raw::parse(&Bytes::from_static(b" {\"z\":1.50, \"a\":2} ")).unwrap();
        assert_eq!(serde_json::to_string(&raw).unwrap(), "{\"z\":1.50, \"a\":2}");
        assert!(Raw::parse(&Bytes::from_static(b"{\"z\":")).is_err());
        assert!(Raw::parse(&Bytes::from_static(b"\"\xff\"")).is_err());
    }
}
