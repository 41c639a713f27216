//! Reads JSON objects one level deep, so that what lies below stays where it was received.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use exec_core::chat::{Extra, Opaque};
use exec_core::{FieldError, Raw, Text};
use memchr::memchr2;
use serde::Deserializer as _;
use serde::de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::MESSAGES;

/// The most members an object may have that is read member by member. Schemas and inputs are not.
const MAX_MEMBERS: usize = 128;

/// The most elements an array may have that is read element by element.
const MAX_ELEMENTS: usize = 100_000;

/// The most wrong fields that are listed.
const MAX_ERRORS: usize = 100;

/// The members of an object that were not taken yet, in their order.
#[derive(Debug)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// The members of `json`. `None` when it is no object, or one with absurdly many members.
    pub(super) fn of(json: &'a RawValue) -> Option<Self> {
        Self::parse(json.get()).ok()
    }

    /// The members of the JSON text `json`.
    pub(super) fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let members = (&mut deserializer).deserialize_map(Members)?;
        deserializer.end()?;
        Ok(Self(members))
    }

    /// Takes a member out. Of several with one name the last counts; `null` is as good as none.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let value = self.get(name);
        self.0.retain(|(known, _)| known != name);
        value.filter(|value| value.get() != "null")
    }

    /// Looks at a member.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Takes a member out and reads it. `None` when it is missing or not of that type.
    pub(super) fn read<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.take(name).and_then(|value| serde_json::from_str(value.get()).ok())
    }

    /// Takes a member out that is text; no text when it is missing or something else.
    pub(super) fn text(&mut self, source: &Bytes, name: &str) -> Option<Text> {
        let value = self.take(name)?;
        if unreadable(value) {
            return lossy(value).map(Text::from);
        }
        Text::of(source, value)
    }

    /// Takes a member out that is text, as text of its own.
    pub(super) fn string(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        serde_json::from_str(value.get()).ok().or_else(|| lossy(value))
    }

    /// A name that is there twice: readers disagree about which of the two counts.
    pub(super) fn duplicate(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was not taken, as fields of this format.
    pub(super) fn rest(self, source: &Bytes) -> Extra {
        let mut extra = Extra::of(MESSAGES);
        for (name, value) in self.0 {
            extra.insert(name, Raw::of(source, value));
        }
        extra
    }

    /// What was not taken and says something.
    pub(super) fn rest_without_nulls(mut self, source: &Bytes) -> Extra {
        self.0.retain(|(_, value)| value.get() != "null");
        self.rest(source)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<&'de RawValue>()? {
            if members.len() >= MAX_MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            members.push((name_of(key)?, map.next_value()?));
        }
        Ok(members)
    }
}

/// The name in its quotes, borrowed unless it has escapes.
fn name_of<'a, E: serde::de::Error>(key: &'a RawValue) -> Result<Cow<'a, str>, E> {
    let inner = key.get().strip_prefix('"').and_then(|key| key.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => Ok(Cow::Borrowed(inner)),
        Some(_) => serde_json::from_str(key.get()).map(Cow::Owned).map_err(E::custom),
        None => Err(E::custom("a name must be a string")),
    }
}

/// The elements of an array. `None` when it is no array, or an absurdly long one.
pub(super) fn elements(json: &RawValue) -> Option<Vec<&RawValue>> {
    struct Elements;
    impl<'de> Visitor<'de> for Elements {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = seq.next_element()? {
                if elements.len() >= MAX_ELEMENTS {
                    return Err(A::Error::custom("too many elements"));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }
    serde_json::Deserializer::from_str(json.get()).deserialize_seq(Elements).ok()
}

/// Whether this is a string that is no text: it has half of a surrogate pair among its escapes.
fn unreadable(json: &RawValue) -> bool {
    let escaped = json.get().starts_with('"') && json.get().contains("\\u");
    escaped && serde_json::from_str::<String>(json.get()).is_err()
}

/// The text of a string with a replacement for what is no character. Better than to lose all of it.
fn lossy(json: &RawValue) -> Option<String> {
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
    let json = json.get().starts_with('"').then_some(json.get())?;
    serde_json::Deserializer::from_str(json).deserialize_bytes(Lossy).ok()
}

/// How deep the JSON text `json` is nested.
pub(super) fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut rest) = (0_usize, 0, json.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => rest = after_string(rest),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// What follows the string whose quote was just passed.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        let skip = if rest[at] == b'"' { at + 1 } else { at + 2 };
        let quote = rest[at] == b'"';
        rest = rest.get(skip..).unwrap_or_default();
        if quote {
            return rest;
        }
    }
    &[]
}

/// A thing of this format that is kept as it came.
pub(super) fn opaque(source: &Bytes, kind: impl Into<String>, json: &RawValue) -> Opaque {
    Opaque::new(MESSAGES, kind, Raw::of(source, json))
}

/// A received body and what is wrong with it.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) body: &'a Bytes,
    pub(super) errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    pub(super) fn fail(&mut self, path: impl Into<String>, code: &'static str, message: impl Into<String>) {
        let path: String = path.into();
        let path = if path.is_empty() { "body".to_owned() } else { path };
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(FieldError::new(path, code, message));
        }
    }

    pub(super) fn wrong_type(&mut self, path: impl Into<String>, wanted: &str) {
        self.fail(path, "invalid_type", format!("must be {wanted}"));
    }

    pub(super) fn required(&mut self, path: impl Into<String>) {
        self.fail(path, "required", "is required");
    }

    /// The members of `json`, which must be an object.
    pub(super) fn object(&mut self, path: &str, json: &'a RawValue) -> Option<Object<'a>> {
        let object = Object::of(json);
        match object.as_ref().map(Object::duplicate) {
            None => self.wrong_type(path, &format!("an object of at most {MAX_MEMBERS} members")),
            Some(Some(name)) => self.fail(join(path, name), "duplicate", "is there twice"),
            Some(None) => {}
        }
        object
    }

    /// The elements of `json`, which must be an array.
    pub(super) fn array(&mut self, path: &str, json: &'a RawValue) -> Option<Vec<&'a RawValue>> {
        let array = elements(json);
        if array.is_none() {
            self.wrong_type(path, &format!("an array of at most {MAX_ELEMENTS} elements"));
        }
        array
    }

    /// A text that must be there.
    pub(super) fn text(&mut self, path: &str, object: &mut Object<'a>, name: &str) -> Option<Text> {
        let Some(value) = object.take(name) else {
            self.required(join(path, name));
            return None;
        };
        let text = Text::of(self.body, value);
        if text.is_none() {
            self.wrong_type(join(path, name), "a string");
        } else {
            self.check_text(&join(path, name), value);
        }
        text
    }

    /// Complains about a text that nobody can read.
    pub(super) fn check_text(&mut self, path: &str, text: &RawValue) {
        if unreadable(text) {
            self.fail(path, "invalid_value", "has half of a surrogate pair, which is no character");
        }
    }

    /// A member that may be missing and is of the type `T`, called `wanted`.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        path: &str,
        object: &mut Object<'a>,
        name: &str,
        wanted: &str,
    ) -> Option<T> {
        let value = object.take(name)?;
        let read = serde_json::from_str(value.get()).ok();
        if read.is_none() {
            self.wrong_type(join(path, name), wanted);
        }
        read
    }
}

/// The path of the member `name` of what is at `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_are_no_depth() {
        for (json, expected) in
            [("1", 0), ("[]", 1), (r#"{"[[\"[[\\":[{}]}"#, 3), ("[[],[[]]]", 3), ("\"", 0), ("\"\\", 0)]
        {
            assert_eq!(depth(json), expected, "{json}");
        }
    }

    #[test]
    fn half_a_character_is_replaced() {
        let mut object = Object::parse(r#"{"a":"x\ud83dy","b":"\ud83e\udd80"}"#).unwrap();
        assert!(object.string("a").unwrap().starts_with("x\u{fffd}"));
        assert_eq!(object.string("b").unwrap(), "🦀");
    }

    #[test]
    fn the_last_of_equal_names_counts_and_null_is_none() {
        let mut object = Object::parse(r#"{"a":1,"\u0061":2,"b":null,"c":[{}]}"#).unwrap();
        assert_eq!(object.take("a").unwrap().get(), "2");
        assert!(object.take("b").is_none());
        assert_eq!(elements(object.take("c").unwrap()).unwrap()[0].get(), "{}");
        assert!(object.is_empty());
    }

    #[test]
    fn what_is_no_object_or_too_wide_is_refused() {
        let wide: Vec<_> = (0..=MAX_MEMBERS).map(|i| format!("\"k{i}\":0")).collect();
        for text in ["[]", "1", "{} {}", "{\"a\"", &format!("{{{}}}", wide.join(","))] {
            assert!(Object::parse(text).is_err());
        }
    }
}
