//! Strings and values that are JSON and that nobody can read: half of a surrogate pair, a number out of range.

use std::fmt;

use memchr::memchr;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Whether `json` is a string that is no text: it has half of a surrogate pair among its escapes.
pub(super) fn half_character(json: &str) -> bool {
    let Some(escape) = memchr(b'\\', json.as_bytes()) else { return false };
    let escaped = json.get(escape..).is_some_and(|rest| rest.contains("\\ud") || rest.contains("\\uD"));
    escaped && json.starts_with('"') && !is_readable(json)
}

/// Whether `json` can be read as a tree. Two values that cannot would look equal to whoever compares them.
pub(super) fn is_readable(json: &str) -> bool {
    serde_json::from_str::<Readable>(json).is_ok()
}

/// The text of a string with a replacement for what is no character. Better than to lose all of it.
pub(super) fn lossy(json: &RawValue) -> Option<String> {
    let json = json.get().starts_with('"').then_some(json.get())?;
    serde_json::Deserializer::from_str(json).deserialize_bytes(Lossy).ok()
}

struct Lossy;

impl Visitor<'_> for Lossy {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        Ok(text)
    }
}

/// Any value that can be read as a tree; nothing of it is kept.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(Self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(Self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(Self)
    }
}
