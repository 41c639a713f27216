//! Text that may still lie in the body it was received in.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::raw::slice_or_copy;

/// A string: owned, or cut out of a received JSON body without a copy.
///
/// A prompt of 20 MB is read, checked and sent on in another provider's format without being copied: its text
/// stays a slice of the received body, escapes included, and is written to the next body as it is.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Owned(String),
    /// UTF-8 whose bytes are its meaning. Written as JSON it gets whatever escapes it needs.
    Plain(Bytes),
    /// A whole JSON string with its quotes and escapes.
    Token(Bytes),
}

impl Text {
    /// The JSON string `token`, borrowed from `source` if it lies in it. `None` if it is not a string.
    #[must_use]
    pub fn of(source: &Bytes, token: &RawValue) -> Option<Self> {
        let json = token.get();
        let inner = json.strip_prefix('"')?.strip_suffix('"')?;
        Some(Self(if inner.contains('\\') {
            Repr::Token(slice_or_copy(source, json.as_bytes()))
        } else {
            Repr::Plain(slice_or_copy(source, inner.as_bytes()))
        }))
    }

    /// The text that `bytes` are, without a copy. `None` if they are not UTF-8. O(n): they are checked once.
    #[must_use]
    pub fn from_utf8(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).is_ok().then_some(Self(Repr::Plain(bytes)))
    }

    /// The text. Borrowed unless it has escapes that must be undone.
    #[must_use]
    pub fn to_str(&self) -> Cow<'_, str> {
        match &self.0 {
            Repr::Owned(text) => Cow::Borrowed(text),
            // Both were valid UTF-8 when they were cut out: the fallbacks are never taken.
            Repr::Plain(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).unwrap_or_default()),
            Repr::Token(bytes) => Cow::Owned(serde_json::from_slice(bytes).unwrap_or_default()),
        }
    }

    /// Splits at the first `separator`, which must be ASCII and need no escape: `data:image/png;base64` and the rest.
    /// Without a copy when the text has no escapes.
    #[must_use]
    pub fn split_once(&self, separator: char) -> Option<(String, Text)> {
        if let Repr::Plain(bytes) = &self.0 {
            let at = self.to_str().find(separator)?;
            let head = String::from_utf8(bytes[..at].to_vec()).ok()?;
            return Some((head, Self(Repr::Plain(bytes.slice(at + separator.len_utf8()..)))));
        }
        let text = self.to_str();
        let (head, tail) = text.split_once(separator)?;
        Some((head.to_owned(), tail.into()))
    }

    /// Adds `more` at the end.
    pub fn push_str(&mut self, more: &str) {
        if let Repr::Owned(text) = &mut self.0 {
            text.push_str(more);
        } else {
            let mut text = self.to_str().into_owned();
            text.push_str(more);
            self.0 = Repr::Owned(text);
        }
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Owned(text) => text.is_empty(),
            Repr::Plain(bytes) => bytes.is_empty(),
            Repr::Token(_) => false,
        }
    }

    /// Owned text.
    #[must_use]
    pub fn into_string(self) -> String {
        match self.0 {
            Repr::Owned(text) => text,
            _ => self.to_str().into_owned(),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self(Repr::Owned(String::new()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Repr::Owned(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Repr::Owned(text.to_owned()))
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.to_str() == other.to_str()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.to_str() == other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_str())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Repr::Token(bytes) => serde_json::from_slice::<&RawValue>(bytes)
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
            _ => serializer.serialize_str(&self.to_str()),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &'static str) -> (Bytes, Text) {
        let source = Bytes::from_static(json.as_bytes());
        let text = Text::of(&source, serde_json::from_slice(&source).unwrap()).unwrap();
        (source, text)
    }

    #[test]
    fn escapes_are_kept_for_the_wire_and_undone_for_the_reader() {
        let (_, text) = text(r#""a\n\u00e9\"b""#);
        assert_eq!(&text, "a\né\"b");
        assert_eq!(serde_json::to_string(&text).unwrap(), r#""a\n\u00e9\"b""#);
    }

    #[test]
    fn splitting_shares_the_memory_of_the_body() {
        let (source, text) = text(r#""data:image/png;base64,AAAA""#);
        let (head, data) = text.split_once(',').unwrap();
        assert_eq!((head.as_str(), &*data.to_str()), ("data:image/png;base64", "AAAA"));
        let Repr::Plain(bytes) = &data.0 else { panic!("copied") };
        assert!(source.as_ptr_range().contains(&bytes.as_ptr()));
    }

    #[test]
    fn text_of_bytes_shares_their_memory_and_is_escaped_when_written() {
        let bytes = Bytes::from_static(b"{\"a\": \"\\n\"}\n\xc3\xbc");
        let text = Text::from_utf8(bytes.clone()).unwrap();
        assert_eq!(text.to_str().as_ptr(), bytes.as_ptr());
        let json = serde_json::to_string(&text).unwrap();
        assert_eq!(json, r#""{\"a\": \"\\n\"}\nü""#);
        assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text);
        assert!(Text::from_utf8(Bytes::from_static(b"\xff")).is_none());
    }

    #[test]
    fn a_value_that_is_no_string_is_refused() {
        let source = Bytes::from_static(b"12");
        assert!(Text::of(&source, serde_json::from_slice(&source).unwrap()).is_none());
    }

    #[test]
    fn text_grows_whatever_it_was() {
        let (_, mut text) = text(r#""a\tb""#);
        text.push_str("c");
        assert_eq!(&text, "a\tbc");
    }
}
