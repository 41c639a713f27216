//! JSON objects read one level deep, so that what lies below stays where it was received.
//!
//! | what | where |
//! |---|---|
//! | members and elements, for whoever reads them | here |
//! | requests: every wrong field with its path | `reader.rs`, `path.rs` |
//! | what is wrong with a body as a whole | `body.rs` |
//! | texts and values that nobody can read | `readable.rs` |

mod body;
mod path;
mod readable;
mod reader;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use exec_core::{Extra, Raw, Text, Wire};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

pub(crate) use self::path::Path;
use self::readable::{half_character, lossy};
pub(crate) use self::reader::Reader;

/// The most members an object may have that is read member by member. Schemas and inputs are not.
const MAX_MEMBERS: usize = 512;

/// The most elements an array may have that is read element by element. The longest are lists of tokens to embed.
const MAX_ELEMENTS: usize = 1 << 18;

/// The members of an object that were not taken yet, in their order.
#[derive(Debug)]
pub(crate) struct Object<'a>(Vec<(Cow<'a, str>, Option<&'a RawValue>)>);

impl<'a> Object<'a> {
    /// The members of `json`. `None` when it is no object, or one with absurdly many members.
    pub(crate) fn of(json: &'a RawValue) -> Option<Self> {
        Self::parse(json.get()).ok()
    }

    /// The members of the JSON text `json`.
    ///
    /// # Errors
    /// When it is not one JSON object, or one with absurdly many members.
    pub(crate) fn parse(json: &'a str) -> Result<Self, serde_json::Error> {
        let object = Self::parse_wide(json)?;
        if object.is_too_wide() {
            return Err(serde_json::Error::custom("too many members"));
        }
        Ok(object)
    }

    /// Like [`parse`](Self::parse), but of too many members the first ones are there.
    fn parse_wide(json: &'a str) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let members = deserializer.deserialize_map(Members)?;
        deserializer.end()?;
        Ok(Self(members))
    }

    fn is_too_wide(&self) -> bool {
        self.0.len() > MAX_MEMBERS
    }

    /// Takes a member out. Of several with one name the last counts; `null` is as good as none.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let mut last = None;
        for (_, value) in self.0.iter_mut().filter(|(known, _)| known == name) {
            last = value.take().or(last);
        }
        last.filter(|value| value.get() != "null")
    }

    /// Looks at a member.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(known, _)| known == name).and_then(|(_, value)| *value)
    }

    /// Takes a member out and reads it. `None` when it is missing or not of that type.
    pub(crate) fn read<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.take(name).and_then(|value| serde_json::from_str(value.get()).ok())
    }

    /// Takes a member out that is text. Half a character in it is replaced; `None` when it is missing or no text.
    pub(crate) fn text(&mut self, source: &Bytes, name: &str) -> Option<Text> {
        let value = self.take(name)?;
        if half_character(value.get()) {
            return lossy(value).map(Text::from);
        }
        Text::of(source, value)
    }

    /// Takes a member out that is text, as text of its own.
    pub(crate) fn string(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        serde_json::from_str(value.get()).ok().or_else(|| lossy(value))
    }

    /// Names that are there more than once: readers disagree about which of them counts.
    fn duplicates(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        let mut twice: Vec<_> =
            names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        twice.dedup();
        twice
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, value)| value.is_none())
    }

    /// What was not taken, in its order.
    pub(crate) fn rest(self) -> impl Iterator<Item = (Cow<'a, str>, &'a RawValue)> {
        self.0.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }

    /// What was not taken and says something, as fields of the format `wire`.
    pub(crate) fn rest_without_nulls(self, source: &Bytes, wire: Wire) -> Extra {
        let mut extra = Extra::of(wire);
        for (name, value) in self.rest().filter(|(_, value)| value.get() != "null") {
            extra.insert(name, Raw::of(source, value));
        }
        extra
    }
}

/// A name, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, Option<&'de RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
            // One more than allowed is enough to be refused.
            if members.len() <= MAX_MEMBERS {
                members.push((name, Some(value)));
            }
        }
        Ok(members)
    }
}

/// The elements of an array. `None` when it is no array, or an absurdly long one.
pub(crate) fn elements(json: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::Deserializer::from_str(json.get()).deserialize_seq(Elements).ok()
}

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
