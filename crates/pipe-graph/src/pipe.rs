//! One pipe as it is declared: what it is called, what it reads, and the one thing it makes.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a pipe. Cheap to clone; compares and hashes as its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct PipeId(Arc<str>);

impl PipeId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PipeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, out)
    }
}

impl fmt::Display for PipeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

impl Deref for PipeId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for PipeId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for PipeId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PipeId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl From<String> for PipeId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl From<PipeId> for String {
    fn from(id: PipeId) -> Self {
        Self::from(&*id.0)
    }
}

impl PartialEq<str> for PipeId {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for PipeId {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

/// The number of a pipe within one [`PipeGraph`](crate::PipeGraph): dense from 0, ascending with the names.
///
/// It means nothing in another graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipeIndex(pub(crate) u32);

impl PipeIndex {
    /// The number, to index a list that has one place per pipe.
    #[must_use]
    pub fn get(self) -> usize {
        self.0 as usize
    }

    /// The pipe at this place; a graph holds fewer than 2^32.
    pub(crate) fn at(place: usize) -> Self {
        Self(place as u32)
    }
}

/// Facts about a pipe or a plan that this crate carries and does not read.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// One step: it reads its inputs and makes its output. What it does in between is not known here.
///
/// ```
/// use pipe_graph::Pipe;
///
/// let clean = Pipe::new("clean", ["raw.orders"], "tidy.orders").tag("team", "sales");
/// assert_eq!(clean.inputs, ["raw.orders"]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipe {
    /// Its name, unique within a graph.
    pub id: PipeId,
    /// The entities it reads, in its own order. One named twice counts once.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// The entity it makes.
    pub output: String,
    /// Labels a planner may read, such as `processing_mode`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Anything else its owner wants to find again.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

impl Pipe {
    /// A pipe without tags and metadata.
    #[must_use]
    pub fn new<I: Into<String>>(
        id: impl Into<PipeId>,
        inputs: impl IntoIterator<Item = I>,
        output: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            inputs: inputs.into_iter().map(Into::into).collect(),
            output: output.into(),
            tags: BTreeMap::new(),
            metadata: Metadata::new(),
        }
    }

    /// Adds a tag, or replaces the one of that name.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Adds a piece of metadata, or replaces the one of that name.
    #[must_use]
    pub fn meta(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }
}
