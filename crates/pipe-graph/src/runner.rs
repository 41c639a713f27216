//! Running a plan: every pipe once, as soon as what it waits for has ended.
//!
//! [`PlanRunner`] says how; a [`Runner`] says what a pipe does. The parts: `schedule` decides who is next, `drive` is the
//! loop, `attempt` is one try at one pipe, `outputs` holds what was made until its last reader has come.

mod attempt;
mod drive;
mod event;
mod inputs;
mod live;
mod outputs;
mod report;
mod schedule;
mod spawn;
mod status;
mod timing;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub use event::{Event, EventSink, Events, event_channel};
pub use inputs::{Input, Inputs};
pub use report::{GenerationReport, PipeResult, Report, RunSummary};
pub use spawn::Spawner;
pub use status::{Failure, Skip, Status, Totals};
pub use timing::{Clock, PipeTiming, Retry, Timing};

pub(crate) use attempt::message as panic_message;
pub(crate) use event::{Sinks, seconds};
pub(crate) use report::failed;

use attempt::attempt;

use crate::graph::PipeGraph;
use crate::pipe::PipeIndex;
use crate::plan::Plan;

/// What pipes do.
///
/// ```
/// use pipe_graph::{Inputs, Runner, Task};
///
/// /// Joins the names of all it reads.
/// struct Names;
///
/// impl Runner for Names {
///     type Output = String;
///     type Error = std::convert::Infallible;
///
///     async fn run(&self, task: Task<'_>, inputs: Inputs<'_, String>) -> Result<Option<String>, Self::Error> {
///         let read: Vec<&str> = inputs.iter().filter_map(|input| input.get()).map(String::as_str).collect();
///         Ok(Some(format!("{}({})", task.id(), read.join(","))))
///     }
/// }
/// ```
pub trait Runner: Sync {
    /// What pipes make.
    type Output: Send + Sync;
    /// What they fail with. Its text goes into events.
    type Error: fmt::Display + Send;

    /// One attempt at a pipe: its output, or `None` if there was nothing to do, which does not keep its dependents from
    /// running. It is dropped, at any await, when its time is up or the run stops; a panic is a failure.
    fn run(
        &self,
        task: Task<'_>,
        inputs: Inputs<'_, Self::Output>,
    ) -> impl Future<Output = Result<Option<Self::Output>, Self::Error>> + Send;

    /// Whether a failed attempt is followed by another, and after how long; asked only while there are retries left.
    /// The place for jitter, for a wait that was asked for, and for telling passing failures from lasting ones.
    fn retry(&self, task: Task<'_>, failure: &Failure<Self::Error>, delay: Duration) -> Option<Duration> {
        let _ = (task, failure);
        Some(delay)
    }
}

/// The pipe that is to run.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    plan: &'a Plan,
    pipe: PipeIndex,
    attempt: u32,
}

impl<'a> Task<'a> {
    /// A first attempt.
    pub(crate) fn new(plan: &'a Plan, pipe: PipeIndex) -> Self {
        Self { plan, pipe, attempt: 1 }
    }

    /// The name of the pipe.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.graph().id(self.pipe)
    }

    /// The pipe.
    #[must_use]
    pub fn pipe(&self) -> PipeIndex {
        self.pipe
    }

    /// The graph it is in.
    #[must_use]
    pub fn graph(&self) -> &'a PipeGraph {
        self.plan.graph()
    }

    /// The plan that runs.
    #[must_use]
    pub fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

/// What has to be over before a pipe starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// The pipes it waits for.
    #[default]
    Dataflow,
    /// All earlier generations.
    Barrier,
    /// All earlier pipes of the plan.
    Sequential,
}

impl Mode {
    /// `dataflow`, `barrier` or `sequential`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dataflow => "dataflow",
            Self::Barrier => "barrier",
            Self::Sequential => "sequential",
        }
    }
}

/// What a failed pipe means for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// The run stops: pipes that run are dropped, the rest does not start.
    #[default]
    FailFast,
    /// Nothing: its dependents run without its output.
    Continue,
    /// Whatever depends on it, directly or not, is skipped.
    SkipDependents,
}

/// Which outputs the report holds. The others are freed after their last reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Keep {
    /// None.
    Nothing,
    /// Those nobody reads.
    #[default]
    Leaves,
    /// All; then no reader can own what it reads.
    All,
}

/// Runs plans. Cheap to clone; holds nothing of a run, so one can drive many at a time.
///
/// A forward plan runs sources first, and outputs go to their readers. In a reverse plan every pipe runs after its
/// dependents, and without inputs. See `docs/graphs.md` for what a run guarantees.
///
/// ```
/// # use std::sync::Arc;
/// use pipe_graph::{Forward, Inputs, Pipe, PipeGraph, PlanRunner, Planner, Runner, Task};
///
/// struct Count;
///
/// impl Runner for Count {
///     type Output = usize;
///     type Error = std::convert::Infallible;
///
///     async fn run(&self, _: Task<'_>, inputs: Inputs<'_, usize>) -> Result<Option<usize>, Self::Error> {
///         Ok(Some(1 + inputs.iter().filter_map(|input| input.get()).sum::<usize>()))
///     }
/// }
///
/// # futures_util::FutureExt::now_or_never(async {
/// let graph = Arc::new(PipeGraph::new([Pipe::new("a", ["raw"], "x"), Pipe::new("b", ["x"], "y")])?);
/// let report = PlanRunner::new().run(&Forward.plan(&graph)?, &Count).await;
/// assert!(report.totals().all_succeeded());
/// assert_eq!(report.output("b"), Some(&2));
/// # Ok::<(), pipe_graph::Problems>(())
/// # }).unwrap().unwrap();
/// ```
#[must_use]
#[derive(Clone)]
pub struct PlanRunner {
    pub(crate) mode: Mode,
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) on_failure: OnFailure,
    pub(crate) keep: Keep,
    pub(crate) timing: Arc<Timing>,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) sinks: Sinks,
    pub(crate) run_id: Arc<str>,
    pub(crate) weights: Option<Arc<Weigh>>,
}

type Weigh = dyn Fn(&PipeGraph, PipeIndex) -> u64 + Send + Sync;

impl Default for PlanRunner {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            concurrency: NonZeroUsize::MIN.saturating_add(15),
            on_failure: OnFailure::default(),
            keep: Keep::default(),
            timing: Arc::default(),
            clock: None,
            sinks: Sinks::default(),
            run_id: "run".into(),
            weights: None,
        }
    }
}

impl PlanRunner {
    /// Dataflow, at most 16 pipes at a time, stops at the first failure, keeps what leaves make, has no clock.
    pub fn new() -> Self {
        Self::default()
    }

    /// What has to be over before a pipe starts.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How many pipes may run at a time, in every mode but the sequential one.
    pub fn concurrency(mut self, most: NonZeroUsize) -> Self {
        self.concurrency = most;
        self
    }

    /// What a failed pipe means for the others.
    pub fn on_failure(mut self, policy: OnFailure) -> Self {
        self.on_failure = policy;
        self
    }

    /// Which outputs the report holds.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Timeouts, retries, and the clock that they and all durations go by. Without one, durations are zero.
    pub fn timing(mut self, clock: Arc<dyn Clock>, timing: Timing) -> Self {
        (self.clock, self.timing) = (Some(clock), Arc::new(timing));
        self
    }

    /// Hears what happens. Any number of listeners; none costs nothing.
    pub fn listener(mut self, sink: EventSink) -> Self {
        self.sinks.0.push(sink);
        self
    }

    /// What the next runs are called in events and reports: `run` unless told otherwise.
    pub fn run_id(mut self, id: &str) -> Self {
        self.run_id = id.into();
        self
    }

    /// How long pipes are thought to take, in any unit. Of the pipes that can start, the one with the heaviest way to an
    /// end goes first. Without it every pipe weighs 1.
    pub fn weights(mut self, weigh: impl Fn(&PipeGraph, PipeIndex) -> u64 + Send + Sync + 'static) -> Self {
        self.weights = Some(Arc::new(weigh));
        self
    }

    /// Runs the plan. All work happens in this one future; dropping it drops every pipe that runs, and listeners hear of
    /// each.
    pub async fn run<R: Runner>(&self, plan: &Plan, runner: &R) -> Report<R::Output, R::Error> {
        self.run_until(plan, runner, std::future::pending()).await
    }

    /// Like [`run`](Self::run), but stops when `stop` ends: then pipes that run are dropped, and the report says so.
    pub async fn run_until<R: Runner>(
        &self,
        plan: &Plan,
        runner: &R,
        stop: impl Future<Output = ()> + Send,
    ) -> Report<R::Output, R::Error> {
        let launch = |one| attempt(runner, plan, self.clock.as_deref(), one);
        drive::drive(self, plan, launch, stop).await
    }

    /// Like [`run_until`](Self::run_until), with every attempt on the spawner's threads. Dropping the run stops them as
    /// soon as their threads are free, so a pipe can outlive the drop by one poll.
    pub async fn run_on<R>(
        &self,
        spawner: &dyn Spawner,
        plan: &Plan,
        runner: Arc<R>,
        stop: impl Future<Output = ()> + Send,
    ) -> Report<R::Output, R::Error>
    where
        R: Runner + Send + 'static,
        R::Output: 'static,
        R::Error: 'static,
    {
        let launch = |one: attempt::Attempt<R::Output>| {
            let (runner, pipe) = (Arc::clone(&runner), one.pipe);
            let (plan, clock) = (plan.clone(), self.clock.clone());
            let work = async move { attempt(&*runner, &plan, clock.as_deref(), one).await };
            attempt::spawned(spawn::start(spawner, work), pipe)
        };
        drive::drive(self, plan, launch, stop).await
    }
}

impl PlanRunner {
    pub(crate) fn now(&self) -> Duration {
        self.clock.as_ref().map_or(Duration::ZERO, |clock| clock.now())
    }
}

impl fmt::Debug for PlanRunner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PlanRunner")
            .field("mode", &self.mode)
            .field("concurrency", &self.concurrency)
            .field("on_failure", &self.on_failure)
            .field("keep", &self.keep)
            .field("timing", &self.timing)
            .field("run_id", &self.run_id)
            .finish_non_exhaustive()
    }
}
