//! What a pipe is handed: the outputs of its dependencies.

use std::sync::Arc;

use crate::graph::PipeGraph;
use crate::pipe::PipeIndex;

/// The output of one dependency, or nothing if that made none: it had no data, or it failed and the run goes on.
#[derive(Debug)]
pub struct Input<O> {
    from: PipeIndex,
    value: Option<Arc<O>>,
}

impl<O> Input<O> {
    pub(crate) fn new(from: PipeIndex, value: Option<Arc<O>>) -> Self {
        Self { from, value }
    }

    /// The pipe that made it.
    #[must_use]
    pub fn from(&self) -> PipeIndex {
        self.from
    }

    /// What was made.
    #[must_use]
    pub fn get(&self) -> Option<&O> {
        self.value.as_deref()
    }

    /// What was made, to share.
    #[must_use]
    pub fn into_shared(self) -> Option<Arc<O>> {
        self.value
    }

    /// What was made, to own, without a copy. It is there for the last reader of it: always, if there is only one and
    /// it is not going to be tried again.
    ///
    /// # Errors
    /// The input itself, if others may still read it.
    pub fn into_owned(self) -> Result<Option<O>, Self> {
        let Self { from, value } = self;
        match value.map(Arc::try_unwrap).transpose() {
            Ok(owned) => Ok(owned),
            Err(shared) => Err(Self { from, value: Some(shared) }),
        }
    }
}

impl<O> Clone for Input<O> {
    fn clone(&self) -> Self {
        Self { from: self.from, value: self.value.clone() }
    }
}

/// The outputs of all dependencies, in the order of their names. What comes from outside the graph is not here.
#[derive(Debug)]
pub struct Inputs<'a, O> {
    graph: &'a PipeGraph,
    all: Vec<Input<O>>,
}

impl<'a, O> Inputs<'a, O> {
    pub(crate) fn new(graph: &'a PipeGraph, all: Vec<Input<O>>) -> Self {
        Self { graph, all }
    }

    /// How many dependencies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Input<O>> {
        self.all.iter()
    }

    /// What was made under the name of this entity: the first, if several pipes make it.
    #[must_use]
    pub fn get(&self, entity: &str) -> Option<&O> {
        self.all.iter().find(|input| self.graph.output(input.from) == entity)?.get()
    }

    /// Takes out the input of this entity, the first if several pipes make it.
    pub fn take(&mut self, entity: &str) -> Option<Input<O>> {
        let place = self.all.iter().position(|input| self.graph.output(input.from) == entity)?;
        Some(self.all.remove(place))
    }
}

impl<O> IntoIterator for Inputs<'_, O> {
    type Item = Input<O>;
    type IntoIter = std::vec::IntoIter<Input<O>>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}
