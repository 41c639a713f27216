//! What can be asked: the verb of a request, and what is known about it in advance.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::raw::Raw;

/// The verb of a request: `chat`, `embed`, `instances.create`.
///
/// The names every provider shares are constants and cost nothing to clone.
#[derive(Clone)]
pub struct Operation(Name);

#[derive(Clone)]
enum Name {
    Known(&'static str),
    Other(Arc<str>),
}

impl Operation {
    /// A conversation with a model; the input is a [`Chat`](crate::Chat).
    pub const CHAT: Self = Self::known("chat");
    /// Vectors for texts; the input is `{"input": …, "dimensions"?, "encoding_format"?}`. The output's data is one value
    /// for each text: a list of numbers, or their bytes in base64 when the format asked for is that.
    pub const EMBED: Self = Self::known("embed");
    /// The models a provider offers; no input. The output's data is one name each.
    pub const MODELS: Self = Self::known("models.list");

    /// An operation whose name is known at compile time.
    #[must_use]
    pub const fn known(name: &'static str) -> Self {
        Self(Name::Known(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Known(name) => name,
            Name::Other(name) => name,
        }
    }
}

impl From<&str> for Operation {
    fn from(name: &str) -> Self {
        Self(Name::Other(name.into()))
    }
}

impl PartialEq for Operation {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Operation {}

impl std::hash::Hash for Operation {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Operation {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Operation {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Borrow<str> for Operation {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Operation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Operation {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::from(name.as_str()))
    }
}

/// Whether an operation changes anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It only reads: its answer may be cached and it may be sent twice.
    Read,
    /// It changes something.
    #[default]
    Write,
}

/// Who shares an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Callers of one tenant.
    #[default]
    Tenant,
    /// Everybody.
    Global,
}

/// What is known about an operation before it is called.
///
/// Guards decide from it: a cache keeps reads only, a retry repeats what is idempotent, validation reads the schemas.
/// The default is the careful one: a write that may not be repeated, scoped to its tenant, never cached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationSpec {
    /// The unique name.
    pub name: String,
    /// The part of the system it belongs to: `models`, `machines`, `tools`.
    pub layer: String,
    /// The group inside the layer.
    pub category: String,
    /// One sentence for people.
    pub description: String,
    /// Whether it reads or writes.
    pub effect: Effect,
    /// Whether calling it twice equals calling it once.
    pub idempotent: bool,
    /// Whether it can answer as a stream.
    pub streams: bool,
    /// Who shares its answers.
    pub scope: Scope,
    /// How long an answer stays good, if it may be kept at all.
    #[serde(skip_serializing_if = "Option::is_none", with = "crate::duration::option")]
    pub ttl: Option<Duration>,
    /// The operations whose kept answers a success of this one makes wrong.
    pub invalidates: Vec<Operation>,
    /// The JSON Schema of its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Raw>,
    /// The JSON Schema of its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Raw>,
}

impl OperationSpec {
    /// A spec with the careful defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Says which layer and category it belongs to.
    #[must_use]
    pub fn in_layer(mut self, layer: impl Into<String>, category: impl Into<String>) -> Self {
        self.layer = layer.into();
        self.category = category.into();
        self
    }

    /// Sets the sentence for people.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Makes it a read, which is idempotent as well.
    #[must_use]
    pub fn read(mut self) -> Self {
        self.effect = Effect::Read;
        self.idempotent = true;
        self
    }
}
