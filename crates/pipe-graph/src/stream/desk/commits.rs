//! Checkpoints of a stream under way: when one opens, and who commits it next.

use super::{Desk, Stage, contain};
use crate::pipe::PipeIndex;
use crate::runner::{Event, Failure};
use crate::stream::inbox::lock;
use crate::stream::{Checkpoint, StreamRunner};

impl<R: StreamRunner> Desk<'_, R> {
    /// Marks go in behind what every source has sent; whoever has ended has passed already.
    pub(super) fn open_checkpoint(&mut self) {
        let graph = self.plan.graph();
        let checkpoint = self.ledger.open(graph);
        for pipe in graph.indices() {
            let sends = matches!(self.stages[pipe.get()], Stage::Waiting | Stage::Running);
            if sends && graph.dependencies(pipe).is_empty() {
                lock(&self.wiring.outboxes[pipe.get()]).mark(checkpoint);
                self.pass(pipe);
            } else if self.stages[pipe.get()] == Stage::Ended {
                self.pass(pipe);
            }
        }
    }

    /// When all have ended in order, one last checkpoint covers what came after the one before. Whether there is one.
    pub(super) fn seal(&mut self) -> bool {
        let done = self.stages.iter().all(|stage| *stage == Stage::Ended);
        if self.sealed || self.ledger.broken || !done {
            return false;
        }
        self.sealed = true;
        self.open_checkpoint();
        !self.commits.is_empty()
    }

    pub(super) fn pass(&mut self, pipe: PipeIndex) {
        let sent = lock(&self.wiring.outboxes[pipe.get()]).sent;
        if self.ledger.pass(pipe, sent) {
            self.commit(pipe);
        }
    }

    fn commit(&mut self, pipe: PipeIndex) {
        let Some((number, sent)) = self.ledger.checkpoint(pipe) else { return };
        let (runner, task) = (self.runner, self.task(pipe));
        let ran = self.began[pipe.get()];
        let work =
            async move { if ran { runner.commit(task, Checkpoint { number, sent }).await } else { Ok(()) } };
        self.commits.push(contain(pipe, work));
    }

    pub(super) fn committed(&mut self, pipe: PipeIndex, end: Result<(), Failure<R::Error>>) {
        if let Err(failure) = end {
            self.fail(pipe, failure);
            return;
        }
        let next = self.ledger.commit(self.plan.graph(), pipe);
        let checkpoint = self.ledger.committed[pipe.get()];
        self.log.emit(|run_id| Event::CheckpointCommitted { run_id, pipe_id: self.log.id(pipe), checkpoint });
        next.into_iter().for_each(|pipe| self.commit(pipe));
    }
}
