//! Stopping a stream under way, or a branch of it, and undoing what it did.

use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};

use futures_util::FutureExt;

use super::{Desk, Stage};
use crate::pipe::PipeIndex;
use crate::runner::{Event, Failure};
use crate::stream::{OnStreamFailure, StreamRunner};

impl<R: StreamRunner> Desk<'_, R> {
    pub(super) fn fail(&mut self, pipe: PipeIndex, failure: Failure<R::Error>) {
        self.ledger.broken = true;
        self.drop_pipe(pipe);
        self.stages[pipe.get()] = Stage::Lost;
        self.log.failed(pipe, failure);
        let lost = match self.setup.on_failure {
            OnStreamFailure::StopRun => vec![true; self.stages.len()],
            OnStreamFailure::StopBranch => self.branch(pipe),
        };
        self.give_up(pipe, &lost);
    }

    /// All that read from a failed pipe, directly or not, and all that then feed nobody but lost pipes.
    fn branch(&self, failed: PipeIndex) -> Vec<bool> {
        let graph = self.plan.graph();
        let mut lost: Vec<bool> = self.stages.iter().map(|stage| *stage == Stage::Lost).collect();
        let mut readers = vec![failed];
        while let Some(pipe) = readers.pop() {
            let near =
                graph.dependents(pipe).iter().filter(|near| !std::mem::replace(&mut lost[near.get()], true));
            readers.extend(near);
        }
        // Downstream first, so that whoever feeds a pipe is looked at after it.
        for &pipe in self.plan.pipes() {
            let mut readers = graph.dependents(pipe).iter();
            lost[pipe.get()] |= readers.len() > 0 && readers.all(|near| lost[near.get()]);
        }
        lost
    }

    /// Stops the lost pipes in reverse order of their start, and has what they did undone in that order.
    fn give_up(&mut self, blamed: PipeIndex, lost: &[bool]) {
        for pipe in self.plan.pipes().iter().filter(|pipe| lost[pipe.get()]) {
            if self.stages[pipe.get()] == Stage::Waiting {
                self.stages[pipe.get()] = Stage::Lost;
                self.wiring.flows[pipe.get()] = None;
            }
        }
        for place in (0..self.started.len()).rev() {
            let pipe = self.started[place];
            if self.stages[pipe.get()] == Stage::Running && lost[pipe.get()] {
                self.drop_pipe(pipe);
                self.stages[pipe.get()] = Stage::Lost;
                self.log.cancelled(pipe, Some(blamed));
                self.undo.push_back(pipe);
            } else if pipe == blamed {
                self.undo.push_back(pipe);
            }
        }
        // Nobody waits for a lost pipe to be ready.
        let lost = self.plan.pipes().iter().filter(|pipe| lost[pipe.get()]);
        lost.for_each(|pipe| self.is_ready(*pipe));
    }

    /// Drops a pipe that runs.
    pub(super) fn drop_pipe(&mut self, pipe: PipeIndex) {
        if let Some(slot) = self.slots[pipe.get()].take() {
            slot.stop();
            self.alive -= 1;
        }
    }

    /// Sources are dropped, and all that has not started stays so; everything else runs dry.
    pub(crate) fn stop(&mut self) {
        for place in (0..self.started.len()).rev() {
            let pipe = self.started[place];
            let source = self.plan.graph().dependencies(pipe).is_empty();
            if source && self.stages[pipe.get()] == Stage::Running {
                self.drop_pipe(pipe);
                self.stages[pipe.get()] = Stage::Ended;
                self.log.cancelled(pipe, None);
                self.pass(pipe);
            }
        }
        for pipe in self.plan.graph().indices() {
            if self.stages[pipe.get()] == Stage::Waiting {
                self.stages[pipe.get()] = Stage::Ended;
                self.wiring.flows[pipe.get()] = None;
            }
        }
    }

    /// Whether there was something to do.
    pub(super) fn poll_undo(&mut self, context: &mut Context<'_>) -> bool {
        // What is being committed is not undone at the same time.
        if self.undoing.is_none()
            && self.commits.is_empty()
            && let Some(pipe) = self.undo.pop_front()
        {
            let (runner, task, last) = (self.runner, self.task(pipe), self.ledger.complete);
            let work = AssertUnwindSafe(async move { runner.rollback(task, last).await }).catch_unwind();
            // A rollback that panics has been tried; the others still are.
            self.undoing = Some(work.map(move |_| pipe).boxed());
        }
        let Some(undoing) = &mut self.undoing else { return false };
        let Poll::Ready(pipe) = undoing.poll_unpin(context) else { return false };
        self.undoing = None;
        let checkpoint = self.ledger.complete;
        self.log.emit(|run_id| Event::PipeRolledBack { run_id, pipe_id: self.log.id(pipe), checkpoint });
        true
    }
}
