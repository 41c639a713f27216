//! Reads the values of a request and collects what is wrong with them.

use std::fmt;
use std::ops::RangeInclusive;

use bytes::Bytes;
use exec_core::chat::{Opaque, Part};
use exec_core::{Error, Extra, FieldError, Raw, Result, Text, Wire};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::readable::{half_character, is_readable};
use super::{MAX_ELEMENTS, MAX_MEMBERS, Object, Path, body, elements};

/// The most errors listed for one request.
const MAX_ERRORS: usize = 100;

/// Reads values of one body and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    body: &'a Bytes,
    wire: Wire,
    errors: Vec<FieldError>,
}

impl<'a> Reader<'a> {
    /// A reader of `body` in the format `wire`, and the members of the object it must be.
    ///
    /// # Errors
    /// `InvalidRequest` when it is not one JSON object, with the place where it stops being one.
    pub(crate) fn open(body: &'a Bytes, wire: Wire) -> Result<(Self, Object<'a>)> {
        let json = body::json(body)?;
        let mut reader = Self { body, wire, errors: Vec::new() };
        let object = reader.object(&Path::Root, json).ok_or_else(body::no_object)?;
        Ok((reader, object))
    }

    /// `value`, unless something was wrong.
    ///
    /// # Errors
    /// `InvalidRequest` with everything that was.
    pub(crate) fn close<T>(self, value: T) -> Result<T> {
        if self.errors.is_empty() { Ok(value) } else { Err(Error::invalid(self.errors)) }
    }

    pub(crate) fn error(&mut self, path: &Path<'_>, code: &'static str, message: impl Into<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(FieldError::new(path.to_string(), code, message));
        }
    }

    pub(crate) fn wrong_type<T>(&mut self, path: &Path<'_>, expected: &str) -> Option<T> {
        self.error(path, "invalid_type", format!("must be {expected}"));
        None
    }

    pub(crate) fn required<T>(&mut self, path: &Path<'_>, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.error(path, "required", "is required");
        }
        value
    }

    /// No fields yet, of the format that is read.
    pub(crate) fn extra(&self) -> Extra {
        Extra::of(self.wire)
    }

    /// What was not taken of `object`.
    pub(crate) fn rest(&mut self, path: &Path<'_>, object: Object<'a>) -> Extra {
        let mut extra = self.extra();
        self.rest_into(path, object, "", &mut extra);
        extra
    }

    /// Puts what was not taken of `object` into `extra`, the names preceded by `prefix`.
    pub(crate) fn rest_into(&mut self, path: &Path<'_>, object: Object<'a>, prefix: &str, extra: &mut Extra) {
        for (name, value) in object.rest() {
            let value = self.raw(&path.key(&name), value);
            extra.insert([prefix, &*name].concat(), value);
        }
    }

    pub(crate) fn object(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<Object<'a>> {
        let Ok(object) = Object::parse_wide(raw.get()) else {
            return self.wrong_type(path, "an object");
        };
        if object.is_too_wide() {
            self.error(path, "too_many", format!("must have at most {MAX_MEMBERS} members"));
        }
        for name in object.duplicates() {
            self.error(&path.key(name), "duplicate", "is there twice");
        }
        Some(object)
    }

    pub(crate) fn array(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<Vec<&'a RawValue>> {
        let elements = elements(raw);
        if elements.is_none() && raw.get().starts_with('[') {
            self.error(path, "too_many", format!("must have at most {MAX_ELEMENTS} elements"));
            return None;
        }
        elements.or_else(|| self.wrong_type(path, "an array"))
    }

    /// A text, borrowed from the body.
    pub(crate) fn text(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<Text> {
        let Some(text) = Text::of(self.body, raw) else {
            return self.wrong_type(path, "a string");
        };
        if half_character(raw.get()) {
            self.error(path, "invalid_value", "has half of a surrogate pair, which is no character");
        }
        Some(text)
    }

    /// The member `name` of what is at `path`: a text that must be there.
    pub(crate) fn member(&mut self, path: &Path<'_>, object: &mut Object<'a>, name: &str) -> Option<Text> {
        let path = path.key(name);
        let raw = self.required(&path, object.take(name))?;
        self.text(&path, raw)
    }

    /// Like [`member`](Self::member), as text of its own.
    pub(crate) fn name(&mut self, path: &Path<'_>, object: &mut Object<'a>, name: &str) -> Option<String> {
        self.member(path, object, name).map(Text::into_string)
    }

    /// The model, which every request must name.
    pub(crate) fn model(&mut self, object: &mut Object<'a>) -> Option<String> {
        let model = self.name(&Path::Root, object, "model")?;
        if model.trim().is_empty() {
            self.error(&Path::Root.key("model"), "required", "must name a model");
        }
        Some(model)
    }

    pub(crate) fn string(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<String> {
        self.text(path, raw).map(Text::into_string)
    }

    /// A value of any kind, borrowed from the body. What cannot be read as a tree later is refused now: two such
    /// values would look equal.
    pub(crate) fn raw(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Raw {
        if !is_readable(raw.get()) {
            self.error(path, "invalid_value", "holds a number out of range or half of a surrogate pair");
        }
        Raw::of(self.body, raw)
    }

    /// A content: a text alone, or a list of what `part` reads, which is called `expected`.
    pub(crate) fn content(
        &mut self,
        path: &Path<'_>,
        raw: &'a RawValue,
        expected: &str,
        part: impl Fn(&mut Self, &Path<'_>, &'a RawValue) -> Option<Part>,
    ) -> Vec<Part> {
        match raw.get().as_bytes().first() {
            Some(b'"') => {
                let text = self.text(path, raw);
                text.map(|text| Part::Text { text, extra: self.extra() }).into_iter().collect()
            }
            Some(b'[') => {
                let items = self.array(path, raw).unwrap_or_default().into_iter().enumerate();
                items.filter_map(|(at, raw)| part(self, &path.index(at), raw)).collect()
            }
            _ => self.wrong_type(path, expected).unwrap_or_default(),
        }
    }

    /// The JSON of a value as a text, borrowed from the body.
    pub(crate) fn json_text(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<Text> {
        Text::from_utf8(self.raw(path, raw).bytes().clone())
    }

    /// A thing that only this format understands, kept as it came.
    pub(crate) fn opaque(&mut self, path: &Path<'_>, kind: impl Into<String>, raw: &'a RawValue) -> Opaque {
        let value = self.raw(path, raw);
        Opaque::new(self.wire, kind, value)
    }

    /// A value of the type `T`, which is called `expected`.
    pub(crate) fn read<T>(&mut self, path: &Path<'_>, raw: &'a RawValue, expected: &str) -> Option<T>
    where
        T: DeserializeOwned,
    {
        serde_json::from_str(raw.get()).ok().or_else(|| self.wrong_type(path, expected))
    }

    pub(crate) fn bool(&mut self, path: &Path<'_>, raw: &'a RawValue) -> Option<bool> {
        self.read(path, raw, "true or false")
    }

    pub(crate) fn number(
        &mut self,
        path: &Path<'_>,
        raw: &'a RawValue,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        let number: f64 = self.read(path, raw, "a number")?;
        if !range.contains(&number) {
            let message = format!("must be from {} to {}", range.start(), range.end());
            self.error(path, "out_of_range", message);
        }
        Some(number)
    }

    /// An integer of at least `min`.
    pub(crate) fn integer<T>(&mut self, path: &Path<'_>, raw: &'a RawValue, min: T) -> Option<T>
    where
        T: DeserializeOwned + PartialOrd + fmt::Display + Copy,
    {
        match serde_json::from_str::<T>(raw.get()) {
            Ok(number) if number >= min => Some(number),
            Err(_) if serde_json::from_str::<f64>(raw.get()).is_err() => self.wrong_type(path, "an integer"),
            Err(_) if raw.get().contains(['.', 'e', 'E']) => self.wrong_type(path, "an integer"),
            _ => {
                let message = format!("must be an integer of {min} or more that fits 64 bits");
                self.error(path, "out_of_range", message);
                None
            }
        }
    }
}
