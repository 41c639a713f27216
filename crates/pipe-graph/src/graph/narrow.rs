//! Parts of a graph: chosen pipes, and what lies behind or before them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Extras, Flow, NONE, PipeGraph};
use crate::csr::Csr;
use crate::names::Names;
use crate::pipe::{PipeId, PipeIndex};
use crate::problem::{Problem, Problems};

impl PipeGraph {
    /// Only these pipes, and the edges between them. What they read from others becomes an external input.
    ///
    /// # Errors
    /// The names the graph does not have.
    pub fn select<I: AsRef<str>>(&self, ids: impl IntoIterator<Item = I>) -> Result<Self, Problems> {
        let mut kept = vec![false; self.len()];
        self.named(ids)?.into_iter().for_each(|pipe| kept[pipe.get()] = true);
        Ok(self.keep(&kept))
    }

    /// These pipes and all that depend on them, directly or not.
    ///
    /// # Errors
    /// The names the graph does not have.
    pub fn from<I: AsRef<str>>(&self, ids: impl IntoIterator<Item = I>) -> Result<Self, Problems> {
        Ok(self.keep(&self.reached(self.named(ids)?, &self.dependents)))
    }

    /// These pipes and all that they depend on, directly or not.
    ///
    /// # Errors
    /// The names the graph does not have.
    pub fn until<I: AsRef<str>>(&self, ids: impl IntoIterator<Item = I>) -> Result<Self, Problems> {
        Ok(self.keep(&self.reached(self.named(ids)?, &self.dependencies)))
    }

    fn named<I: AsRef<str>>(&self, ids: impl IntoIterator<Item = I>) -> Result<Vec<PipeIndex>, Problems> {
        let mut found = Vec::new();
        let mut missing: Vec<PipeId> = Vec::new();
        for id in ids {
            match self.index(id.as_ref()) {
                Some(pipe) => found.push(pipe),
                None => missing.push(id.as_ref().into()),
            }
        }
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() { Ok(found) } else { Err(Problem::Missing { ids: missing }.into()) }
    }

    fn reached(&self, mut queue: Vec<PipeIndex>, next: &Csr<PipeIndex>) -> Vec<bool> {
        let mut reached = vec![false; self.len()];
        queue.iter().for_each(|pipe| reached[pipe.get()] = true);
        while let Some(pipe) = queue.pop() {
            for &near in next.row(pipe.get()) {
                if !std::mem::replace(&mut reached[near.get()], true) {
                    queue.push(near);
                }
            }
        }
        reached
    }

    /// The graph of the pipes marked in `kept`, numbered anew.
    fn keep(&self, kept: &[bool]) -> Self {
        let old: Vec<PipeIndex> = self.indices().filter(|pipe| kept[pipe.get()]).collect();
        let mut number = vec![NONE; self.len()];
        old.iter().enumerate().for_each(|(new, pipe)| number[pipe.get()] = new as u32);
        let renumbered = |pipe: &PipeIndex| Some(PipeIndex(number[pipe.get()])).filter(|new| new.0 != NONE);

        let mut ids = Names::default();
        let mut inputs = Csr::with_capacity(old.len(), 0);
        let mut dependencies = Csr::with_capacity(old.len(), 0);
        let mut producers = vec![NONE; self.entities.len()];
        for &pipe in &old {
            let new = ids.push(self.id(pipe));
            producers[self.outputs[pipe.get()] as usize] = new;
            self.inputs.row(pipe.get()).iter().for_each(|&entity| inputs.push(entity));
            inputs.end_row();
            self.dependencies(pipe).iter().filter_map(renumbered).for_each(|near| dependencies.push(near));
            dependencies.end_row();
        }
        let flow = match &self.flow {
            Flow::Ascending => Flow::Ascending,
            Flow::Listed(order) => Flow::Listed(order.iter().filter_map(renumbered).collect()),
        };
        let extra = |(pipe, extra): (&PipeIndex, _)| Some((renumbered(pipe)?, Clone::clone(extra)));
        let extras: Extras = self.extras.iter().filter_map(extra).collect::<BTreeMap<_, _>>();
        Self {
            outputs: old.iter().map(|pipe| self.outputs[pipe.get()]).collect(),
            dependents: dependencies.transposed(),
            entities: Arc::clone(&self.entities),
            rules: self.rules,
            ids,
            inputs,
            producers,
            dependencies,
            flow,
            extras,
        }
    }
}
