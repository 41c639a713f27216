//! JSON that is about to be written and borrows what it is made of, so that large texts are not copied.

use exec_core::chat::Extra;
use exec_core::{Raw, Text};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::MESSAGES;

/// One value.
#[derive(Debug)]
pub(super) enum Json<'a> {
    Str(&'a str),
    Text(&'a Text),
    Raw(&'a Raw),
    Own(Box<RawValue>),
    Value(Value),
    List(Vec<Json<'a>>),
    Object(Object<'a>),
}

/// The members of an object, in the order they are written.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(&'a str, Json<'a>)>);

impl<'a> Object<'a> {
    /// The beginning of a block of the type `kind`.
    pub(super) fn typed(kind: &'a str) -> Self {
        Self::default().with("type", Json::Str(kind))
    }

    pub(super) fn with(mut self, name: &'a str, value: impl Into<Json<'a>>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a member, in place of one of that name.
    pub(super) fn set(&mut self, name: &'a str, value: impl Into<Json<'a>>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    pub(super) fn set_some(&mut self, name: &'a str, value: Option<impl Into<Json<'a>>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Adds the fields of `extra` that belong here, unless a member of that name is there.
    pub(super) fn with_extra(mut self, extra: &'a Extra) -> Self {
        for (name, value) in extra.for_wire(MESSAGES) {
            if !self.0.iter().any(|(known, _)| *known == name) {
                self.0.push((name, Json::Raw(value)));
            }
        }
        self
    }
}

impl<'a> From<Object<'a>> for Json<'a> {
    fn from(object: Object<'a>) -> Self {
        Self::Object(object)
    }
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text)
    }
}

impl<'a> From<&'a Text> for Json<'a> {
    fn from(text: &'a Text) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Raw> for Json<'a> {
    fn from(raw: &'a Raw) -> Self {
        Self::Raw(raw)
    }
}

impl<'a> From<Vec<Json<'a>>> for Json<'a> {
    fn from(list: Vec<Json<'a>>) -> Self {
        Self::List(list)
    }
}

impl From<Value> for Json<'_> {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl From<u64> for Json<'_> {
    fn from(number: u64) -> Self {
        Self::Value(number.into())
    }
}

impl From<f64> for Json<'_> {
    fn from(number: f64) -> Self {
        Self::Value(number.into())
    }
}

impl From<bool> for Json<'_> {
    fn from(flag: bool) -> Self {
        Self::Value(flag.into())
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Str(text) => serializer.serialize_str(text),
            Self::Text(text) => text.serialize(serializer),
            Self::Raw(raw) => raw.serialize(serializer),
            Self::Own(raw) => raw.serialize(serializer),
            Self::Value(value) => value.serialize(serializer),
            Self::List(list) => serializer.collect_seq(list),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The text of `value`. Nothing that is made here refuses to be written.
pub(super) fn bytes(value: &impl Serialize) -> bytes::Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}
