//! A stream under way: who runs, who may start, what is stopped and undone, and what is committed.

mod commits;
mod stops;

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
use super::{PlanStreamer, StreamReport, StreamRunner};
use crate::pipe::PipeIndex;
use crate::plan::Plan;
use crate::runner::{Failure, Task, panic_message};

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
