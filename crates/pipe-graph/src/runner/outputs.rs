//! Outputs between the pipe that made them and the last that reads them.

use std::sync::Arc;

use super::inputs::Input;
use super::{Keep, schedule};
use crate::pipe::PipeIndex;
use crate::plan::{Order, Plan};

/// Outputs by pipe. One is given up when its last reader has taken it or will never come.
pub(crate) struct Outputs<O> {
    made: Vec<Option<Arc<O>>>,
    /// By pipe: readers that have not come yet, and one for the report if it keeps the output.
    readers: Vec<u32>,
}

impl<O> Outputs<O> {
    pub(crate) fn new(plan: &Plan, keep: Keep) -> Self {
        let graph = plan.graph();
        let readers = graph.indices().map(|pipe| {
            let readers = graph.dependents(pipe);
            let kept = match keep {
                Keep::Nothing => false,
                Keep::Leaves => readers.is_empty(),
                Keep::All => true,
            };
            let reading = if schedule::direction(plan, pipe) == Order::Reverse { 0 } else { readers.len() };
            reading as u32 + u32::from(kept)
        });
        let readers = readers.collect();
        Self { made: std::iter::repeat_with(|| None).take(graph.len()).collect(), readers }
    }

    /// Keeps an output as long as anybody is still to read it.
    pub(crate) fn put(&mut self, pipe: PipeIndex, output: O) {
        if self.readers[pipe.get()] > 0 {
            self.made[pipe.get()] = Some(Arc::new(output));
        }
    }

    /// What this pipe reads. To be called once per pipe, also for one that will not run.
    pub(crate) fn take_for(&mut self, plan: &Plan, pipe: PipeIndex) -> Vec<Input<O>> {
        if schedule::direction(plan, pipe) == Order::Reverse {
            return Vec::new();
        }
        let before = schedule::before(plan, pipe);
        before.iter().map(|&from| Input::new(from, self.take(from))).collect()
    }

    fn take(&mut self, from: PipeIndex) -> Option<Arc<O>> {
        let (made, readers) = (&mut self.made[from.get()], &mut self.readers[from.get()]);
        *readers -= 1;
        if *readers == 0 { made.take() } else { made.clone() }
    }

    /// Of no pipes.
    pub(crate) fn none() -> Self {
        Self { made: Vec::new(), readers: Vec::new() }
    }

    /// What is left: the outputs to keep.
    pub(crate) fn into_kept(self) -> Vec<Option<Arc<O>>> {
        self.made
    }
}
