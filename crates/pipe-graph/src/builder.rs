//! Builds a graph from declared pipes: names are taken in one by one, edges are drawn at the end.

mod link;
mod order;
mod request;

use std::collections::BTreeSet;

use crate::csr::Csr;
use crate::graph::{Extra, PipeGraph, Producers, Rules, SelfRead};
use crate::names::{Interner, Names};
use crate::pipe::{Pipe, PipeId};
use crate::problem::{Problem, Problems};

/// Takes pipes in any order, and makes a [`PipeGraph`] of those that are requested: all of them unless told otherwise.
///
/// ```
/// use pipe_graph::PipeGraph;
///
/// let mut builder = PipeGraph::builder().request(["report"]).with_ancestors();
/// builder.declare("report", ["clean"], "figures").declare("tidy", ["raw"], "clean").declare("other", ["raw"], "x");
/// let graph = builder.build()?;
/// assert_eq!(graph.len(), 2);
/// assert_eq!(graph.external_inputs(), ["raw"]);
/// # Ok::<(), pipe_graph::Problems>(())
/// ```
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct GraphBuilder {
    rules: Rules,
    request: Option<Vec<PipeId>>,
    ancestors: bool,
    ids: Names,
    entities: Interner,
    outputs: Vec<u32>,
    inputs: Csr<u32>,
    /// With the number of the declaration, ascending.
    extras: Vec<(u32, Extra)>,
    full: bool,
}

impl GraphBuilder {
    /// What it means that a pipe reads its own output.
    pub fn self_read(mut self, rule: SelfRead) -> Self {
        self.rules.self_read = rule;
        self
    }

    /// What it means that several pipes make one entity.
    pub fn producers(mut self, rule: Producers) -> Self {
        self.rules.producers = rule;
        self
    }

    /// Uses only these pipes. What they read from others becomes an external input.
    pub fn request<I: Into<PipeId>>(mut self, ids: impl IntoIterator<Item = I>) -> Self {
        self.request = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// Adds to the requested pipes all those they depend on, directly or not.
    pub fn with_ancestors(mut self) -> Self {
        self.ancestors = true;
        self
    }

    /// Those of these names that no declared pipe has; sorted, each once. Looks at every pipe.
    #[must_use]
    pub fn missing<I: AsRef<str>>(&self, ids: impl IntoIterator<Item = I>) -> Vec<PipeId> {
        let mut asked: BTreeSet<PipeId> = ids.into_iter().map(|id| id.as_ref().into()).collect();
        for declared in (0..self.ids.len()).map(|declaration| self.ids.get(declaration)) {
            if asked.is_empty() {
                break;
            }
            asked.remove(declared);
        }
        asked.into_iter().collect()
    }

    /// Makes room for so many more pipes that make so many entities; only a hint.
    pub fn reserve(&mut self, pipes: usize) -> &mut Self {
        self.ids.reserve(pipes);
        self.outputs.reserve(pipes);
        self.inputs.reserve(pipes);
        self.entities.reserve(pipes);
        self
    }

    /// Declares a pipe. What is wrong with it is said by [`build`](Self::build).
    pub fn add(&mut self, pipe: Pipe) -> &mut Self {
        let declaration = self.outputs.len() as u32;
        self.declare(&pipe.id, &pipe.inputs, &pipe.output);
        if !(pipe.tags.is_empty() && pipe.metadata.is_empty()) {
            self.extras.push((declaration, Extra { tags: pipe.tags, metadata: pipe.metadata }));
        }
        self
    }

    /// Declares a pipe without tags and metadata, and without allocating for it.
    pub fn declare<I: AsRef<str>>(
        &mut self,
        id: &str,
        inputs: impl IntoIterator<Item = I>,
        output: &str,
    ) -> &mut Self {
        self.full |= !(self.ids.fits(id.len()) && self.entities.names().fits(output.len()));
        if self.full {
            return self;
        }
        self.ids.push(id);
        let output = self.entities.intern(output);
        self.outputs.push(output);
        inputs.into_iter().for_each(|input| self.read(input.as_ref()));
        self.fold_inputs();
        self.inputs.end_row();
        self
    }

    fn read(&mut self, input: &str) {
        self.full |=
            !self.entities.names().fits(input.len()) || self.inputs.items().len() >= u32::MAX as usize;
        if !self.full {
            let entity = self.entities.intern(input);
            self.inputs.push(entity);
        }
    }

    /// Keeps the first of each input of the pipe being declared.
    fn fold_inputs(&mut self) {
        let row = self.inputs.open_row();
        let twice = match row.len() {
            0 | 1 => false,
            2..=16 => (1..row.len()).any(|place| row[..place].contains(&row[place])),
            _ => true,
        };
        if twice {
            let mut seen = hashbrown::HashSet::with_capacity(row.len());
            let mut kept = 0;
            for place in 0..row.len() {
                if seen.insert(row[place]) {
                    row[kept] = row[place];
                    kept += 1;
                }
            }
            self.inputs.truncate_open_row(kept);
        }
    }

    /// Draws the edges.
    ///
    /// # Errors
    /// Everything that is wrong, in one go: missing and duplicate ids, duplicate requests, duplicate producers, forbidden
    /// self-reads, and one shortest cycle for every group of pipes that wait for each other.
    pub fn build(mut self) -> Result<PipeGraph, Problems> {
        if self.full {
            return Err(Problem::TooLarge.into());
        }
        let mut problems = Vec::new();
        let declared = order::by_name(&self.ids, &mut problems);
        let wanted = match self.request.take() {
            None => declared,
            Some(request) => request::wanted(&self, &declared, request, &mut problems),
        };
        link::link(self, &wanted, problems)
    }
}

impl Extend<Pipe> for GraphBuilder {
    fn extend<T: IntoIterator<Item = Pipe>>(&mut self, pipes: T) {
        let pipes = pipes.into_iter();
        self.reserve(pipes.size_hint().0.min(1 << 20));
        pipes.for_each(|pipe| {
            self.add(pipe);
        });
    }
}
