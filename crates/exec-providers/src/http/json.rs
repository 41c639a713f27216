//! JSON bodies that share their large parts with what they were made from.
//!
//! [`encode_body`] serialises a value; [`splice`] changes single top-level members of a text that is already there.

use bytes::Bytes;
use serde::Serialize;
use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::rope::{Body, Rope};

/// Why a JSON body could not be made. Says where, never what: the text may be private.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The value refuses to be written as JSON.
    #[error("value cannot be written as json")]
    Encode,
    /// The source is not one JSON object.
    #[error("source is not a json object (line {line}, column {column})")]
    Source {
        /// Line of the first fault, from 1.
        line: usize,
        /// Column of the first fault, from 1.
        column: usize,
    },
}

/// Writes `value` as JSON.
///
/// A string or raw value of 8 KiB or more whose memory lies inside one of `sources` is not copied but becomes a
/// segment of its own. Strings qualify when they are borrowed and hold nothing that must be escaped.
///
/// # Errors
/// [`JsonError::Encode`] when the value's `Serialize` fails.
pub fn encode_body(value: &impl Serialize, sources: &[Bytes]) -> Result<Body, JsonError> {
    let mut rope = Rope::new(sources);
    serde_json::to_writer(&mut rope, value).map_err(|_| JsonError::Encode)?;
    Ok(rope.finish())
}

/// A change of one top-level member of a JSON object.
#[derive(Clone)]
#[must_use]
pub struct Edit {
    key: String,
    value: Option<Bytes>,
}

impl Edit {
    /// Sets the member: replaced where it is, added at the end when it is missing.
    ///
    /// # Errors
    /// [`JsonError::Encode`] when the value's `Serialize` fails.
    pub fn set(key: impl Into<String>, value: &impl Serialize) -> Result<Self, JsonError> {
        let value = serde_json::to_vec(value).map_err(|_| JsonError::Encode)?;
        Ok(Self {
            key: key.into(),
            value: Some(value.into()),
        })
    }

    /// Removes the member if it is there.
    pub fn remove(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: None,
        }
    }
}

/// Shows the key only.
impl std::fmt::Debug for Edit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let action = if self.value.is_some() { "set" } else { "remove" };
        f.debug_struct("Edit")
            .field("key", &self.key)
            .field("action", &action)
            .finish()
    }
}

/// Applies `edits` to the object in `source`; all other text stays byte for byte, large parts of it uncopied.
///
/// Keys are compared after decoding escapes, and only at the top level. When the object holds a key twice, every
/// occurrence is set or removed. When `edits` holds a key twice, the last one counts. Reads the source once.
///
/// # Errors
/// [`JsonError::Source`] when the source is not exactly one valid JSON object.
pub fn splice(source: &Bytes, edits: &[Edit]) -> Result<Body, JsonError> {
    let sources = std::slice::from_ref(source);
    let mut splicer = Splicer::new(source, edits, Rope::new(sources));
    let mut deserializer = serde_json::Deserializer::from_slice(source);
    (&mut deserializer)
        .deserialize_map(&mut splicer)
        .and_then(|()| deserializer.end())
        .map_err(|fault| JsonError::Source {
            line: fault.line(),
            column: fault.column(),
        })?;
    splicer.finish()
}

struct Splicer<'a> {
    source: &'a [u8],
    edits: &'a [Edit],
    /// Which edits met their key.
    met: Vec<bool>,
    rope: Rope<'a>,
    /// The stretch of source to be copied that was not handed to the rope yet.
    kept: std::ops::Range<usize>,
    /// End of the last member read, or of the opening brace.
    end: usize,
    previous_removed: bool,
    written: bool,
}

impl<'a> Splicer<'a> {
    fn new(source: &'a [u8], edits: &'a [Edit], rope: Rope<'a>) -> Self {
        let end = source
            .iter()
            .position(|&byte| byte == b'{')
            .map_or(0, |brace| brace + 1);
        let met = vec![false; edits.len()];
        Self {
            source,
            edits,
            met,
            rope,
            kept: 0..end,
            end,
            previous_removed: false,
            written: false,
        }
    }

    /// Takes the next member; `key` and `value` borrow from the source, which gives their places.
    fn member(&mut self, key: &str, value: &str) {
        let (start, value_start) = (self.place(key), self.place(value));
        let before = std::mem::replace(&mut self.end, value_start + value.len());
        let removed = match self.find(key) {
            None => {
                self.separate(before, start);
                self.keep(start, self.end);
                false
            }
            Some(Edit { value: None, .. }) => true,
            Some(Edit { value: Some(new), .. }) => {
                self.separate(before, start);
                self.keep(start, value_start);
                self.insert(new);
                false
            }
        };
        self.written |= !removed;
        self.previous_removed = removed;
    }

    fn place(&self, part: &str) -> usize {
        part.as_ptr().addr() - self.source.as_ptr().addr()
    }

    /// The last edit for this key, noting that its key was met.
    fn find(&mut self, raw_key: &str) -> Option<&'a Edit> {
        let plain = raw_key.get(1..raw_key.len().saturating_sub(1))?;
        let decoded;
        let key = if plain.contains('\\') {
            decoded = serde_json::from_str::<String>(raw_key).ok()?;
            decoded.as_str()
        } else {
            plain
        };
        let index = self.edits.iter().rposition(|edit| edit.key == key)?;
        self.met[index] = true;
        self.edits.get(index)
    }

    /// What stands between two members: the source's own text when nothing between was removed.
    fn separate(&mut self, before: usize, start: usize) {
        if !self.previous_removed {
            self.keep(before, start);
        } else if self.written {
            self.insert(b",");
        }
    }

    fn keep(&mut self, start: usize, end: usize) {
        if self.kept.end == start {
            self.kept.end = end;
        } else {
            self.flush();
            self.kept = start..end;
        }
    }

    fn insert(&mut self, text: &[u8]) {
        self.flush();
        self.rope.push(text);
    }

    fn flush(&mut self) {
        let kept = std::mem::replace(&mut self.kept, 0..0);
        self.rope.push(&self.source[kept]);
    }

    fn finish(mut self) -> Result<Body, JsonError> {
        let edits = self.edits;
        for (index, edit) in edits.iter().enumerate() {
            let later = edits.iter().skip(index + 1).any(|other| other.key == edit.key);
            if let (false, false, Some(value)) = (self.met[index], later, &edit.value) {
                let key = serde_json::to_vec(&edit.key).map_err(|_| JsonError::Encode)?;
                let comma: &[u8] = if std::mem::replace(&mut self.written, true) {
                    b","
                } else {
                    b""
                };
                self.insert(&[comma, &key, b":", value].concat());
            }
        }
        self.keep(self.end, self.source.len());
        self.flush();
        Ok(self.rope.finish())
    }
}

impl<'de> Visitor<'de> for &mut Splicer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a json object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<&RawValue>()? {
            let value = map.next_value::<&RawValue>()?;
            if !key.get().starts_with('"') {
                return Err(A::Error::custom("key is not a string"));
            }
            self.member(key.get(), value.get());
        }
        Ok(())
    }
}
