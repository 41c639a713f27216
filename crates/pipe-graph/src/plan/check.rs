//! Whether a draft is a plan for a graph; all that is wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Order, Plan, PlanDraft};
use crate::graph::PipeGraph;
use crate::layers::Layers;
use crate::parts::Parts;
use crate::pipe::{PipeId, PipeIndex};
use crate::problem::{Problem, Problems};

pub(super) fn check(draft: PlanDraft, graph: &Arc<PipeGraph>) -> Result<Plan, Problems> {
    let mut problems = numbering(&draft);
    let places = Places::of(&draft, graph);
    problems.extend(places.membership(graph));
    problems.extend(out_of_order(draft.order, graph, &places.first));
    problems.extend(wrong_dependencies(&draft, graph));
    Problems::none_or(problems, || {
        let layers = places.into_layers();
        Plan::trusted(graph, &draft.strategy, draft.order, layers, draft.metadata, false)
    })
}

fn numbering(draft: &PlanDraft) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (expected, generation) in draft.generations.iter().enumerate() {
        if generation.number != expected {
            problems.push(Problem::WrongNumber { expected, found: generation.number });
        }
        if generation.pipes.is_empty() {
            problems.push(Problem::EmptyGeneration { generation: expected });
        }
    }
    problems
}

/// Where the draft puts each pipe.
struct Places {
    /// By pipe: the first generation that names it.
    first: Vec<Option<u32>>,
    again: BTreeMap<PipeIndex, Vec<usize>>,
    unknown: Vec<PipeId>,
    pipes: Vec<PipeIndex>,
    starts: Vec<u32>,
}

impl Places {
    fn of(draft: &PlanDraft, graph: &PipeGraph) -> Self {
        let first = vec![None; graph.len()];
        let mut places =
            Self { first, again: BTreeMap::new(), unknown: Vec::new(), pipes: Vec::new(), starts: vec![0] };
        for (number, generation) in draft.generations.iter().enumerate() {
            generation.pipes.iter().for_each(|id| places.put(graph, id, number));
            places.starts.push(places.pipes.len() as u32);
        }
        places
    }

    fn put(&mut self, graph: &PipeGraph, id: &PipeId, number: usize) {
        let Some(pipe) = graph.index(id) else {
            return self.unknown.push(id.clone());
        };
        match self.first[pipe.get()] {
            None => {
                self.first[pipe.get()] = Some(number as u32);
                self.pipes.push(pipe);
            }
            Some(first) => self.again.entry(pipe).or_insert_with(|| vec![first as usize]).push(number),
        }
    }

    fn membership(&self, graph: &PipeGraph) -> Vec<Problem> {
        let mut problems = Vec::new();
        let forgotten: Vec<PipeId> = (graph.indices())
            .filter(|pipe| self.first[pipe.get()].is_none())
            .map(|pipe| graph.pipe_id(pipe))
            .collect();
        if !forgotten.is_empty() {
            problems.push(Problem::NotPlanned { ids: forgotten });
        }
        if !self.unknown.is_empty() {
            let mut ids = self.unknown.clone();
            ids.sort_unstable();
            ids.dedup();
            problems.push(Problem::NotInGraph { ids });
        }
        let twice = |(&pipe, generations): (&PipeIndex, &Vec<usize>)| Problem::PlannedTwice {
            id: graph.pipe_id(pipe),
            generations: generations.clone(),
        };
        problems.extend(self.again.iter().map(twice));
        problems
    }

    /// Only once every pipe is known to have its place.
    fn into_layers(self) -> Layers {
        let level = self.first.into_iter().flatten().collect();
        Layers { level, pipes: self.pipes, starts: self.starts }
    }
}

fn out_of_order(order: Order, graph: &PipeGraph, place: &[Option<u32>]) -> Vec<Problem> {
    let parts = (order == Order::Mixed).then(|| Parts::of(graph));
    let backwards = parts.as_ref().map(|parts| backwards(graph, parts, place));
    let mut problems = Vec::new();
    for pipe in graph.indices() {
        let reverse = match (&parts, &backwards) {
            (Some(parts), Some(backwards)) => backwards[parts.part_of(pipe)],
            _ => order == Order::Reverse,
        };
        let before = if reverse { graph.dependents(pipe) } else { graph.dependencies(pipe) };
        let Some(own) = place[pipe.get()] else { continue };
        // One that is not planned at all is named as such already.
        let late = |near: &&PipeIndex| place[near.get()].is_some_and(|near| near >= own);
        let unmet: Vec<PipeId> = before.iter().filter(late).map(|&near| graph.pipe_id(near)).collect();
        if !unmet.is_empty() {
            problems.push(Problem::OutOfOrder { id: graph.pipe_id(pipe), generation: own as usize, unmet });
        }
    }
    problems
}

/// By part: whether most of its edges run backwards, so that those that do not are the mistakes.
fn backwards(graph: &PipeGraph, parts: &Parts, place: &[Option<u32>]) -> Vec<bool> {
    let mut balance = vec![0i64; parts.count()];
    for pipe in graph.indices() {
        for near in graph.dependencies(pipe) {
            balance[parts.part_of(pipe)] += match place[near.get()].cmp(&place[pipe.get()]) {
                std::cmp::Ordering::Less => -1,
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => 1,
            };
        }
    }
    balance.into_iter().map(|balance| balance > 0).collect()
}

fn wrong_dependencies(draft: &PlanDraft, graph: &PipeGraph) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (generation, stated) in draft.generations.iter().enumerate() {
        let Some(stated_ids) = &stated.dependencies else { continue };
        let pipes = stated.pipes.iter().filter_map(|id| graph.index(id));
        let mut right: Vec<PipeIndex> = pipes.flat_map(|pipe| graph.dependencies(pipe)).copied().collect();
        right.sort_unstable();
        right.dedup();
        let ids: Vec<PipeId> = right.into_iter().map(|pipe| graph.pipe_id(pipe)).collect();
        if *stated_ids != ids {
            problems.push(Problem::WrongDependencies { generation, ids });
        }
    }
    problems
}
