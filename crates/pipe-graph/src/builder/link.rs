//! Draws the edges between the wanted declarations, by entity.

use std::sync::Arc;

use super::GraphBuilder;
use crate::csr::Csr;
use crate::cycle;
use crate::graph::{Extras, Flow, NONE, PipeGraph, Producers, SelfRead};
use crate::names::Names;
use crate::pipe::PipeIndex;
use crate::problem::{Problem, Problems};

/// The graph of `wanted`, declarations in the order of their names.
pub(super) fn link(
    builder: GraphBuilder,
    wanted: &[u32],
    mut problems: Vec<Problem>,
) -> Result<PipeGraph, Problems> {
    let extras = extras(&builder, wanted);
    let GraphBuilder { rules, ids, entities, outputs, inputs, .. } = builder;
    let (ids, outputs, inputs) = in_order(ids, outputs, inputs, wanted);
    let makers = Makers::of(&outputs, entities.names().len());
    let count = makers.edges(&inputs);
    if rules.producers == Producers::All && count > u32::MAX as usize {
        return Err(Problem::TooLarge.into());
    }
    // Where duplicates are errors no graph comes out, and only cycles are still looked for: among all edges if they are
    // not far more than the inputs.
    let all = rules.producers == Producers::All || count <= 4 * inputs.items().len() + 1000;
    let dependencies = dependencies(&inputs, &makers, all);
    let dependents = dependencies.transposed();
    let mut graph = PipeGraph {
        ids,
        entities: Arc::new(entities.into_names()),
        outputs,
        inputs,
        producers: Vec::new(),
        dependencies,
        dependents,
        flow: Flow::Ascending,
        extras,
        rules,
    };
    if rules.producers == Producers::Unique {
        problems.extend(makers.duplicates(&graph));
    }
    if rules.self_read == SelfRead::Error {
        problems.extend(self_reads(&graph));
    }
    graph.producers = makers.first;
    match cycle::flow(&graph) {
        Some(flow) => graph.flow = flow,
        None => problems.extend(cycle::cycles(&graph)),
    }
    Problems::none_or(problems, || graph)
}

/// Who makes what.
struct Makers {
    /// By entity: the first pipe that makes it, or [`NONE`].
    first: Vec<u32>,
    /// Further makers as (entity, pipe), ascending; almost always empty.
    others: Vec<(u32, u32)>,
}

impl Makers {
    fn of(outputs: &[u32], entities: usize) -> Self {
        let mut makers = Self { first: vec![NONE; entities], others: Vec::new() };
        for (pipe, &entity) in outputs.iter().enumerate() {
            let first = &mut makers.first[entity as usize];
            if *first == NONE {
                *first = pipe as u32;
            } else {
                makers.others.push((entity, pipe as u32));
            }
        }
        makers.others.sort_unstable();
        makers
    }

    fn others(&self, entity: u32) -> &[(u32, u32)] {
        if self.others.is_empty() {
            return &[];
        }
        let from = self.others.partition_point(|&(made, _)| made < entity);
        let count = self.others[from..].partition_point(|&(made, _)| made == entity);
        &self.others[from..from + count]
    }

    /// How many edges there would be to all makers; self-reads are counted too.
    fn edges(&self, inputs: &Csr<u32>) -> usize {
        if self.others.is_empty() {
            return inputs.items().len();
        }
        inputs.items().iter().map(|&entity| 1 + self.others(entity).len()).sum()
    }

    fn duplicates(&self, graph: &PipeGraph) -> Vec<Problem> {
        let mut found: Vec<_> = (self.others.chunk_by(|a, b| a.0 == b.0))
            .map(|others| {
                let entity = others[0].0 as usize;
                let makers = std::iter::once(self.first[entity]).chain(others.iter().map(|&(_, pipe)| pipe));
                let ids = makers.map(|pipe| graph.pipe_id(PipeIndex(pipe))).collect();
                (graph.entities.get(entity).to_owned(), ids)
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(entity, ids)| Problem::DuplicateProducer { entity, ids }).collect()
    }
}

/// Edges to all makers of an input, or to the first only.
fn dependencies(inputs: &Csr<u32>, makers: &Makers, all: bool) -> Csr<PipeIndex> {
    let mut edges = Csr::with_capacity(inputs.rows(), inputs.items().len());
    for reader in 0..inputs.rows() {
        for &entity in inputs.row(reader) {
            let maker = makers.first[entity as usize];
            if maker != NONE && maker as usize != reader {
                edges.push(PipeIndex(maker));
            }
            let others = if all { makers.others(entity) } else { &[] };
            for &(_, maker) in others.iter().filter(|(_, maker)| *maker as usize != reader) {
                edges.push(PipeIndex(maker));
            }
        }
        edges.open_row().sort_unstable();
        edges.end_row();
    }
    edges
}

fn self_reads(graph: &PipeGraph) -> Vec<Problem> {
    let reads_itself = |pipe: &PipeIndex| graph.inputs.row(pipe.get()).contains(&graph.outputs[pipe.get()]);
    let problem = |pipe| Problem::SelfRead { id: graph.pipe_id(pipe), entity: graph.output(pipe).to_owned() };
    graph.indices().filter(reads_itself).map(problem).collect()
}

fn extras(builder: &GraphBuilder, wanted: &[u32]) -> Extras {
    if builder.extras.is_empty() {
        return Extras::new();
    }
    let extra = |declaration: u32| {
        let place = builder.extras.binary_search_by_key(&declaration, |(of, _)| *of).ok()?;
        Some(builder.extras[place].1.clone())
    };
    (wanted.iter().enumerate())
        .filter_map(|(index, &declaration)| Some((PipeIndex::at(index), extra(declaration)?)))
        .collect()
}

/// Moves what was declared into the order of the names; for nothing when it already stands so.
fn in_order(
    mut ids: Names,
    mut outputs: Vec<u32>,
    mut inputs: Csr<u32>,
    wanted: &[u32],
) -> (Names, Vec<u32>, Csr<u32>) {
    let all = wanted.len() == ids.len();
    if !(all && wanted.is_sorted()) {
        let mut names = Names::default();
        names.reserve(wanted.len());
        let mut rows = Csr::with_capacity(wanted.len(), if all { inputs.items().len() } else { 0 });
        for &declaration in wanted {
            names.push(ids.get(declaration as usize));
            inputs.row(declaration as usize).iter().for_each(|&entity| rows.push(entity));
            rows.end_row();
        }
        outputs = wanted.iter().map(|&declaration| outputs[declaration as usize]).collect();
        (ids, inputs) = (names, rows);
    }
    ids.shrink();
    inputs.shrink();
    (ids, outputs, inputs)
}
