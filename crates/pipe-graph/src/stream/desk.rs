//! A stream under way: who runs, who may start, what is stopped and undone, and what is committed.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::flow::{Signal, Wiring, wire};
use super::inbox::lock;
use super::ledger::Ledger;
use super::log::Log;
use super::slot::Slot;
use super::{Checkpoint, OnStreamFailure, PlanStreamer, StreamReport, StreamRunner};
use crate::pipe::PipeIndex;
use crate::plan::Plan;
use crate::runner::{Event, Failure, Task, panic_message};

type End<E> = (PipeIndex, Result<(), Failure<E>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Running,
    /// Has ended in order, or was told to stop.
    Ended,
    /// Failed, or was dropped because another did.
    Lost,
}

pub(crate) struct Desk<'a, R: StreamRunner> {
    setup: &'a PlanStreamer,
    plan: &'a Plan,
    runner: &'a R,
    wiring: Wiring<R::Item>,
    stages: Vec<Stage>,
    /// By pipe: dependents that are not ready.
    unready: Vec<usize>,
    ready: Vec<bool>,
    began: Vec<bool>,
    /// In the order they were started.
    started: Vec<PipeIndex>,
    slots: Vec<Option<Slot<'a, End<R::Error>>>>,
    running: FuturesUnordered<Slot<'a, End<R::Error>>>,
    alive: usize,
    commits: FuturesUnordered<BoxFuture<'a, End<R::Error>>>,
    undo: VecDeque<PipeIndex>,
    undoing: Option<BoxFuture<'a, PipeIndex>>,
    ledger: Ledger,
    sealed: bool,
    pub(crate) log: Log<'a, R::Error>,
    over: bool,
}

impl<'a, R: StreamRunner> Desk<'a, R> {
    pub(crate) fn new(setup: &'a PlanStreamer, plan: &'a Plan, runner: &'a R) -> Self {
        let graph = plan.graph();
        let count = graph.len();
        Self {
            setup,
            plan,
            runner,
            wiring: wire(
                graph,
                setup.capacity.get(),
                setup.every.map(std::num::NonZeroU64::get),
                setup.resume,
            ),
            stages: vec![Stage::Waiting; count],
            unready: graph.indices().map(|pipe| graph.dependents(pipe).len()).collect(),
            ready: vec![false; count],
            began: vec![false; count],
            started: Vec::with_capacity(count),
            slots: std::iter::repeat_with(|| None).take(count).collect(),
            running: FuturesUnordered::new(),
            alive: 0,
            commits: FuturesUnordered::new(),
            undo: VecDeque::new(),
            undoing: None,
            ledger: Ledger::new(count, setup.resume),
            sealed: false,
            log: Log::new(setup, plan),
            over: false,
        }
    }

    /// Starts the pipes that wait for nobody to be ready.
    pub(crate) fn begin(&mut self) {
        for &pipe in self.plan.pipes() {
            if self.unready[pipe.get()] == 0 {
                self.start(pipe);
            }
        }
    }

    fn task(&self, pipe: PipeIndex) -> Task<'a> {
        Task::new(self.plan, pipe)
    }

    fn start(&mut self, pipe: PipeIndex) {
        if self.stages[pipe.get()] != Stage::Waiting {
            return;
        }
        let Some(flow) = self.wiring.flows[pipe.get()].take() else { return };
        let (runner, task) = (self.runner, self.task(pipe));
        let slot = Slot::new(contain(pipe, async move { runner.run(task, flow).await }));
        self.slots[pipe.get()] = Some(slot.share());
        self.running.push(slot);
        self.stages[pipe.get()] = Stage::Running;
        self.started.push(pipe);
        self.began[pipe.get()] = true;
        self.alive += 1;
        self.log.started(pipe);
    }

    /// Does what can be done. Ready when nothing is left to do.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            self.heed(context);
            if let Poll::Ready(Some(end)) = self.running.poll_next_unpin(context) {
                end.into_iter().for_each(|(pipe, end)| self.ended(pipe, end));
            } else if let Poll::Ready(Some((pipe, end))) = self.commits.poll_next_unpin(context) {
                self.committed(pipe, end);
            } else if self.poll_undo(context) {
                continue;
            } else if !self.is_idle() {
                return Poll::Pending;
            } else if !self.seal() {
                return Poll::Ready(());
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.alive == 0 && self.commits.is_empty() && self.undo.is_empty() && self.undoing.is_none()
    }

    /// Listens to the pipes: who is ready, who has passed the checkpoint, and whether it is time for one.
    fn heed(&mut self, context: &Context<'_>) {
        let mut signals = lock(&self.wiring.signals);
        signals.waker = Some(context.waker().clone());
        let (news, due) = (signals.take(), std::mem::take(&mut signals.due));
        drop(signals);
        for (pipe, signal) in news {
            match signal {
                Signal::Ready => self.is_ready(pipe),
                Signal::Passed(_) => self.pass(pipe),
            }
        }
        if due && !self.ledger.is_open() && !self.ledger.broken {
            self.open_checkpoint();
        }
    }

    fn is_ready(&mut self, pipe: PipeIndex) {
        if std::mem::replace(&mut self.ready[pipe.get()], true) {
            return;
        }
        for &producer in self.plan.graph().dependencies(pipe) {
            self.unready[producer.get()] -= 1;
            if self.unready[producer.get()] == 0 {
                self.start(producer);
            }
        }
    }

    /// Marks go in behind what every source has sent; whoever has ended has passed already.
    fn open_checkpoint(&mut self) {
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
    fn seal(&mut self) -> bool {
        let done = self.stages.iter().all(|stage| *stage == Stage::Ended);
        if self.sealed || self.ledger.broken || !done {
            return false;
        }
        self.sealed = true;
        self.open_checkpoint();
        !self.commits.is_empty()
    }

    fn pass(&mut self, pipe: PipeIndex) {
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

    fn committed(&mut self, pipe: PipeIndex, end: Result<(), Failure<R::Error>>) {
        if let Err(failure) = end {
            self.fail(pipe, failure);
            return;
        }
        let next = self.ledger.commit(self.plan.graph(), pipe);
        let checkpoint = self.ledger.committed[pipe.get()];
        self.log.emit(|run_id| Event::CheckpointCommitted { run_id, pipe_id: self.log.id(pipe), checkpoint });
        next.into_iter().for_each(|pipe| self.commit(pipe));
    }

    fn ended(&mut self, pipe: PipeIndex, end: Result<(), Failure<R::Error>>) {
        self.slots[pipe.get()] = None;
        self.alive -= 1;
        match end {
            Ok(()) => {
                self.stages[pipe.get()] = Stage::Ended;
                self.log.completed(pipe);
                self.is_ready(pipe);
                self.pass(pipe);
            }
            Err(failure) => self.fail(pipe, failure),
        }
    }

    fn fail(&mut self, pipe: PipeIndex, failure: Failure<R::Error>) {
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
    fn drop_pipe(&mut self, pipe: PipeIndex) {
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
    fn poll_undo(&mut self, context: &mut Context<'_>) -> bool {
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

    pub(crate) fn finish(mut self) -> StreamReport<R::Error> {
        self.over = true;
        let committed = std::mem::take(&mut self.ledger.committed);
        StreamReport { pipes: self.log.finish(), checkpoint: self.ledger.complete, committed }
    }
}

impl<R: StreamRunner> Drop for Desk<'_, R> {
    /// Drops what runs, last started first.
    fn drop(&mut self) {
        if self.over {
            return;
        }
        for place in (0..self.started.len()).rev() {
            let pipe = self.started[place];
            if self.stages[pipe.get()] == Stage::Running {
                self.drop_pipe(pipe);
                self.log.cancelled(pipe, None);
            }
        }
        self.log.dropped();
    }
}

/// Work of a pipe whose panic is a failure.
fn contain<'a, E: Send + 'a>(
    pipe: PipeIndex,
    work: impl Future<Output = Result<(), E>> + Send + 'a,
) -> BoxFuture<'a, End<E>> {
    let work = AssertUnwindSafe(work).catch_unwind();
    let end = work.map(move |end| match end {
        Ok(end) => (pipe, end.map_err(Failure::Error)),
        Err(panic) => (pipe, Err(Failure::Panic(panic_message(&*panic)))),
    });
    end.boxed()
}
