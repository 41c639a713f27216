//! Running a plan as streams: all pipes at once, items flow between them through bounded queues.
//!
//! [`PlanStreamer`] says how; a [`StreamRunner`] says what a pipe does with its [`Flow`]. The parts: `inbox` is the queues
//! in front of one pipe, `flow` the ends a pipe holds, `desk` the run, `ledger` who may commit a checkpoint.

mod desk;
mod flow;
mod inbox;
mod ledger;
mod log;
mod slot;

use std::fmt;
use std::future::poll_fn;
use std::num::{NonZeroU64, NonZeroUsize};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

pub use flow::{Closed, Flow};
pub use inbox::Message;

use crate::layers;
use crate::pipe::{Metadata, PipeIndex};
use crate::plan::{Order, Plan};
use crate::runner::{Clock, EventSink, Report, Sinks, Task};

/// What the pipes of a stream do.
pub trait StreamRunner: Sync {
    /// What flows. Cloned once for each reader but the last.
    type Item: Clone + Send;
    /// What pipes fail with. Its text goes into events.
    type Error: fmt::Display + Send;

    /// The whole life of a pipe: a source sends, the others receive until there is nothing more. Its dependencies start
    /// when it is [ready](Flow::ready). Dropped, at any await, when the run or its branch stops; a panic is a failure.
    fn run(
        &self,
        task: Task<'_>,
        flow: Flow<Self::Item>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Makes what the pipe did before a checkpoint last. Called when all its dependents have committed it, while the
    /// pipe may be running on; the last time after every pipe has ended.
    fn commit(
        &self,
        task: Task<'_>,
        checkpoint: Checkpoint,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        let _ = (task, checkpoint);
        std::future::ready(Ok(()))
    }

    /// Undoes what the pipe did after this checkpoint, the last that all have committed. Called for a pipe that failed
    /// or was stopped because of one, last started first, one at a time. Not called when the run is dropped.
    fn rollback(&self, task: Task<'_>, checkpoint: u64) -> impl Future<Output = ()> + Send {
        let _ = (task, checkpoint);
        std::future::ready(())
    }
}

/// A place in the stream that a pipe has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Its number: one more than that of the checkpoint before.
    pub number: u64,
    /// How many items the pipe has sent before it in this run: where a source goes on.
    pub sent: u64,
}

/// What a failed pipe means for a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnStreamFailure {
    /// Every pipe stops.
    #[default]
    StopRun,
    /// All that read from it stop, and all that then feed nobody. The rest goes on, without further checkpoints.
    StopBranch,
}

/// Runs plans as streams. Cheap to clone; holds nothing of a run.
#[must_use]
#[derive(Clone)]
pub struct PlanStreamer {
    capacity: NonZeroUsize,
    every: Option<NonZeroU64>,
    on_failure: OnStreamFailure,
    resume: u64,
    clock: Option<Arc<dyn Clock>>,
    sinks: Sinks,
    run_id: Arc<str>,
}

impl Default for PlanStreamer {
    fn default() -> Self {
        Self {
            capacity: NonZeroUsize::MIN.saturating_add(63),
            every: None,
            on_failure: OnStreamFailure::default(),
            resume: 0,
            clock: None,
            sinks: Sinks::default(),
            run_id: "run".into(),
        }
    }
}

impl PlanStreamer {
    /// 64 items between two pipes, one checkpoint at the end, stops at the first failure.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many items may wait between two pipes.
    pub fn capacity(mut self, items: NonZeroUsize) -> Self {
        self.capacity = items;
        self
    }

    /// Opens a checkpoint when a source has sent so many items since the last. While one is open the next waits.
    pub fn checkpoint_every(mut self, items: NonZeroU64) -> Self {
        self.every = Some(items);
        self
    }

    /// What a failed pipe means for the others.
    pub fn on_failure(mut self, policy: OnStreamFailure) -> Self {
        self.on_failure = policy;
        self
    }

    /// Goes on after this checkpoint, see [`StreamReport::checkpoint`]. Sources have to go on where they were.
    pub fn resume(mut self, checkpoint: u64) -> Self {
        self.resume = checkpoint;
        self
    }

    /// The clock all durations go by. Without one they are zero.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Hears what happens.
    pub fn listener(mut self, sink: EventSink) -> Self {
        self.sinks.0.push(sink);
        self
    }

    /// What the next runs are called.
    pub fn run_id(mut self, id: &str) -> Self {
        self.run_id = id.into();
        self
    }

    /// Runs the graph of this plan downstream first, whatever the order of the plan. All work happens in this one
    /// future; dropping it drops every pipe, last started first.
    pub async fn run<R: StreamRunner>(&self, plan: &Plan, runner: &R) -> StreamReport<R::Error> {
        self.run_until(plan, runner, std::future::pending()).await
    }

    /// Like [`run`](Self::run), but when `stop` ends sources are dropped, and what is on its way is still dealt with.
    pub async fn run_until<R: StreamRunner>(
        &self,
        plan: &Plan,
        runner: &R,
        stop: impl Future<Output = ()> + Send,
    ) -> StreamReport<R::Error> {
        let plan = downstream_first(plan);
        let mut desk = desk::Desk::new(self, &plan, runner);
        let mut stop = pin!(stop.fuse());
        desk.begin();
        poll_fn(|context| {
            if stop.poll_unpin(context).is_ready() {
                desk.stop();
            }
            desk.poll(context)
        })
        .await;
        desk.finish()
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.as_ref().map_or(Duration::ZERO, |clock| clock.now())
    }
}

/// The plan itself, or its graph planned for a stream.
fn downstream_first(plan: &Plan) -> Plan {
    if plan.order() == Order::Reverse {
        return plan.clone();
    }
    let (graph, facts) = (plan.graph(), Metadata::new());
    Plan::trusted(graph, plan.strategy(), Order::Reverse, layers::reverse(graph), facts, false)
}

impl fmt::Debug for PlanStreamer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PlanStreamer")
            .field("capacity", &self.capacity)
            .field("every", &self.every)
            .field("on_failure", &self.on_failure)
            .field("resume", &self.resume)
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}

/// How it went for every pipe of a stream.
#[derive(Debug)]
pub struct StreamReport<E> {
    pipes: Report<(), E>,
    checkpoint: u64,
    committed: Vec<u64>,
}

impl<E> StreamReport<E> {
    /// How it went, pipe by pipe. Pipes that were told to stop, or lost to a failed one, are cancelled.
    #[must_use]
    pub fn pipes(&self) -> &Report<(), E> {
        &self.pipes
    }

    /// The last checkpoint that every pipe has committed: where to [resume](PlanStreamer::resume).
    #[must_use]
    pub fn checkpoint(&self) -> u64 {
        self.checkpoint
    }

    /// The last checkpoint this pipe has committed: the last of all, or one more if the run ended in the middle of one.
    /// Then a resumed run brings the pipe items again that it has committed.
    #[must_use]
    pub fn committed(&self, pipe: PipeIndex) -> u64 {
        self.committed[pipe.get()]
    }
}
