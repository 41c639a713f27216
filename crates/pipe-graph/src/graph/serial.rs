//! A graph as data: its pipes and the rules its edges were drawn by. Reading draws the edges again, so a graph with a
//! cycle cannot be read.

use serde::de::Error as _;
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{PipeGraph, Rules};
use crate::pipe::Pipe;

impl Serialize for PipeGraph {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("PipeGraph", 2)?;
        fields.serialize_field("rules", &self.rules)?;
        fields.serialize_field("pipes", &Pipes(self))?;
        fields.end()
    }
}

/// One pipe at a time: a list of all of them would be larger than the graph.
struct Pipes<'a>(&'a PipeGraph);

impl Serialize for Pipes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for pipe in self.0.indices() {
            list.serialize_element(&self.0.pipe(pipe))?;
        }
        list.end()
    }
}

#[derive(Deserialize)]
#[serde(rename = "PipeGraph", deny_unknown_fields)]
struct Written {
    #[serde(default)]
    rules: Rules,
    pipes: Vec<Pipe>,
}

impl<'de> Deserialize<'de> for PipeGraph {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let mut builder =
            Self::builder().self_read(written.rules.self_read).producers(written.rules.producers);
        builder.extend(written.pipes);
        builder.build().map_err(D::Error::custom)
    }
}

/// Equal when they hold equal pipes under equal rules.
impl PartialEq for PipeGraph {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
            && self.len() == other.len()
            && self.extras == other.extras
            && self.indices().all(|pipe| {
                self.id(pipe) == other.id(pipe)
                    && self.output(pipe) == other.output(pipe)
                    && self.inputs(pipe).eq(other.inputs(pipe))
            })
    }
}
