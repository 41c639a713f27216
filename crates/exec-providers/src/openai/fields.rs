//! Reading a request shallowly: every object becomes names and the places of their values in the body, nothing is
//! copied, and everything that is wrong is written down with its path.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::RangeInclusive;

use bytes::Bytes;
use exec_core::{Error, ErrorKind, Extra, FieldError, Raw, Result, Text, Wire};
use memchr::memchr2;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::lenient::{Readable, Str};

/// Deeper values could not be read as a tree by whoever looks at them later.
const MAX_DEPTH: usize = 100;
/// The most members of an object we read: unknown ones are kept in a list.
const MAX_FIELDS: usize = 512;
/// The most errors listed for one request.
const MAX_ERRORS: usize = 32;

/// Where a value is: `messages[2].content`.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl Path<'_> {
    pub(super) fn key<'a>(&'a self, key: &'a str) -> Path<'a> {
        Path::Key(self, key)
    }

    pub(super) fn index(&self, index: usize) -> Path<'_> {
        Path::Index(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// The members of one object that were not taken yet.
pub(super) struct Fields<'a>(Vec<(Cow<'a, str>, Option<&'a RawValue>)>);

impl<'a> Fields<'a> {
    /// Takes the member `key`; `null` is as good as absent.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        let member = self.0.iter_mut().find(|(known, value)| value.is_some() && known == key)?;
        member.1.take().filter(|value| value.get() != "null")
    }

    /// What was not taken, in its order.
    pub(super) fn rest(self) -> impl Iterator<Item = (Cow<'a, str>, &'a RawValue)> {
        self.0.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }

    /// Puts what was not taken into `extra`, the names preceded by `prefix`.
    pub(super) fn into_extra(self, r: &mut Reader<'a>, path: &Path<'_>, prefix: &str, extra: &mut Extra) {
        for (key, value) in self.rest() {
            let value = r.raw(&path.key(&key), value);
            extra.insert([prefix, &*key].concat(), value);
        }
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Str(key), value)) = map.next_entry::<Str<'de>, &RawValue>()? {
                    // One more than allowed is enough to be refused.
                    if fields.len() <= MAX_FIELDS {
                        fields.push((key, Some(value)));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Reads values of one body and collects what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) body: &'a Bytes,
    wire: Wire,
    errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    /// A reader of `body`, and the members of the object it must be.
    ///
    /// # Errors
    /// `InvalidRequest` when it is not one JSON object, with the place where it stops being one.
    pub(super) fn open(body: &'a Bytes, wire: Wire) -> Result<(Self, Fields<'a>)> {
        let text = std::str::from_utf8(body).map_err(|e| {
            let at = e.valid_up_to();
            malformed(format!("the body is not UTF-8: byte {at} begins no character"))
                .with_code("invalid_utf8")
        })?;
        if text.trim_ascii().is_empty() {
            return Err(malformed("the body is empty: send a JSON object".to_owned()));
        }
        if depth(text.as_bytes()) > MAX_DEPTH {
            let message = format!("the body is nested deeper than {MAX_DEPTH} levels");
            return Err(malformed(message).with_code("too_deep"));
        }
        let raw: &RawValue = serde_json::from_str(text).map_err(|e| {
            malformed(format!("the body is not valid JSON (line {}, column {})", e.line(), e.column()))
        })?;
        let mut reader = Self { body, wire, errors: Vec::new() };
        match reader.object(&Path::Root, raw) {
            Some(fields) => Ok((reader, fields)),
            None => Err(malformed("the body must be a JSON object".to_owned())),
        }
    }

    /// `value`, unless something was wrong.
    pub(super) fn close<T>(self, value: T) -> Result<T> {
        if self.errors.is_empty() { Ok(value) } else { Err(Error::invalid(self.errors)) }
    }

    pub(super) fn error(&mut self, path: &Path<'_>, code: &'static str, message: impl Into<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(FieldError::new(path.to_string(), code, message));
        }
    }

    fn wrong_type<T>(&mut self, path: &Path<'_>, expected: &str) -> Option<T> {
        self.error(path, "invalid_type", format!("must be {expected}"));
        None
    }

    pub(super) fn required<T>(&mut self, path: &Path<'_>, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.error(path, "required", "is required");
        }
        value
    }

    /// No members yet, of the format that is read.
    pub(super) fn extra(&self) -> Extra {
        Extra::of(self.wire)
    }

    pub(super) fn object(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<Fields<'a>> {
        let Ok(fields) = serde_json::from_str::<Fields<'a>>(raw.get()) else {
            return self.wrong_type(path, "an object");
        };
        if fields.0.len() > MAX_FIELDS {
            self.error(path, "too_many", format!("must have at most {MAX_FIELDS} members"));
        }
        let mut seen = HashSet::with_capacity(fields.0.len());
        for (key, _) in &fields.0 {
            if !seen.insert(&**key) {
                self.error(&path.key(key), "duplicate", "is there twice");
            }
        }
        Some(fields)
    }

    pub(super) fn array(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<Vec<&'a RawValue>> {
        serde_json::from_str(raw.get()).ok().or_else(|| self.wrong_type(path, "an array"))
    }

    /// A text, borrowed from the body.
    pub(super) fn text(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<Text> {
        let Some(text) = Text::of(self.body, raw) else {
            return self.wrong_type(path, "a string");
        };
        if has_lone_surrogate(raw.get()) {
            self.error(path, "invalid_value", "has half of a surrogate pair, which is no character");
        }
        Some(text)
    }

    /// A value of any kind, borrowed from the body. What cannot be read as a tree later is refused now: two such
    /// values would look equal.
    pub(super) fn raw(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Raw {
        if serde_json::from_str::<Readable>(raw.get()).is_err() {
            self.error(path, "invalid_value", "holds a number out of range or half of a surrogate pair");
        }
        Raw::of(self.body, raw)
    }

    pub(super) fn string(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<String> {
        self.text(path, raw).map(Text::into_string)
    }

    pub(super) fn bool(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<bool> {
        serde_json::from_str(raw.get()).ok().or_else(|| self.wrong_type(path, "true or false"))
    }

    pub(super) fn number(
        &mut self,
        path: &Path<'_>,
        raw: &'a RawValue,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        let Ok(number) = serde_json::from_str::<f64>(raw.get()) else {
            return self.wrong_type(path, "a number");
        };
        if !range.contains(&number) {
            let message = format!("must be from {} to {}", range.start(), range.end());
            self.error(path, "out_of_range", message);
        }
        Some(number)
    }

    /// An integer of at least `min`.
    pub(super) fn integer<T>(&mut self, path: &Path<'_>, raw: &'a RawValue, min: T) -> Option<T>
    where
        T: serde::de::DeserializeOwned + PartialOrd + fmt::Display + Copy,
    {
        match serde_json::from_str::<T>(raw.get()) {
            Ok(number) if number >= min => Some(number),
            Err(_) if serde_json::from_str::<f64>(raw.get()).is_err() => self.wrong_type(path, "an integer"),
            Err(_) if raw.get().contains(['.', 'e', 'E']) => self.wrong_type(path, "an integer"),
            _ => {
                self.error(
                    path,
                    "out_of_range",
                    format!("must be an integer of {min} or more that fits 64 bits"),
                );
                None
            }
        }
    }
}

fn malformed(message: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, message).with_code("invalid_json")
}

/// How deep objects and arrays are nested, without recursion. Brackets in strings do not count.
fn depth(json: &[u8]) -> usize {
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

fn has_lone_surrogate(token: &str) -> bool {
    (token.contains("\\ud") || token.contains("\\uD")) && serde_json::from_str::<Str<'_>>(token).is_err()
}
