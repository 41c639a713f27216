//! Which way of running suits a plan, and why: from what pipes declare, and never from what they are called.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::plan::Plan;
use crate::runner::{Mode, PlanRunner};

/// What the plan does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hints {
    /// Whether pipes that do not wait for each other may run at the same time. `None` leaves it to what they declare.
    pub parallel: Option<bool>,
    /// Whether a generation has to be over before the next begins: pipes do more than they declare.
    pub generations: bool,
    /// The most that may run at a time.
    pub cap: Option<NonZeroUsize>,
    /// How many cores there are, for pipes that are busy and do not just wait.
    pub cores: Option<NonZeroUsize>,
}

impl Hints {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether pipes may run at the same time.
    #[must_use]
    pub fn parallel(mut self, parallel: bool) -> Self {
        self.parallel = Some(parallel);
        self
    }

    /// Generations have to be over one by one.
    #[must_use]
    pub fn generations(mut self) -> Self {
        self.generations = true;
        self
    }

    /// The most that may run at a time.
    #[must_use]
    pub fn cap(mut self, most: NonZeroUsize) -> Self {
        self.cap = Some(most);
        self
    }

    /// How many cores there are.
    #[must_use]
    pub fn cores(mut self, cores: NonZeroUsize) -> Self {
        self.cores = Some(cores);
        self
    }
}

/// A way of running, and why this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `sequential`, `parallel`, `barrier`, or what a custom one is called.
    pub executor: String,
    /// How it runs the plan.
    pub mode: Mode,
    /// How many pipes it is expected to run at a time.
    pub concurrency: NonZeroUsize,
    /// Why, for people.
    pub reason: String,
}

impl Choice {
    /// A runner set to this; anything else can still be set.
    pub fn runner(&self) -> PlanRunner {
        PlanRunner::new().mode(self.mode).concurrency(self.concurrency)
    }
}

/// A way of running from outside.
pub trait Candidate: Send + Sync + 'static {
    /// What it is called.
    fn name(&self) -> &str;

    /// How it would run this plan and why; `None` if it does not suit it.
    fn offer(&self, plan: &Plan, hints: &Hints) -> Option<(Mode, NonZeroUsize, String)>;
}

/// Why there is no choice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChooseError {
    /// Nothing is called so.
    #[error("unknown executor {name:?}, available: {available}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is, joined by commas.
        available: String,
    },
    /// Something is called so already.
    #[error("an executor called {0:?} is registered already")]
    Taken(String),
    /// It was asked for by name, and does not suit the plan.
    #[error("executor {0:?} does not suit this plan")]
    Unsuited(String),
}

const BUILT_IN: [&str; 4] = ["auto", "sequential", "parallel", "barrier"];

/// Chooses how to run a plan. Candidates are asked first, in the order of their registration.
///
/// ```
/// # use std::sync::Arc;
/// use pipe_graph::{Chooser, Forward, Hints, Mode, Pipe, PipeGraph, Planner};
///
/// let graph = Arc::new(PipeGraph::new([Pipe::new("a", ["raw"], "x"), Pipe::new("b", ["x"], "y")])?);
/// let choice = Chooser::new().choose(&Forward.plan(&graph)?, &Hints::new());
/// assert_eq!(choice.mode, Mode::Sequential);
/// assert_eq!(choice.reason, "no two pipes can run at the same time");
/// # Ok::<(), pipe_graph::Problems>(())
/// ```
#[derive(Clone, Default)]
pub struct Chooser {
    candidates: Vec<Arc<dyn Candidate>>,
}

impl Chooser {
    /// The built-in ways only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a way of running.
    ///
    /// # Errors
    /// [`ChooseError::Taken`], also for the names of the built-in ones.
    pub fn register(&mut self, candidate: impl Candidate) -> Result<(), ChooseError> {
        if self.names().any(|name| name == candidate.name()) {
            return Err(ChooseError::Taken(candidate.name().to_owned()));
        }
        self.candidates.push(Arc::new(candidate));
        Ok(())
    }

    /// What can be asked for by name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        BUILT_IN.into_iter().chain(self.candidates.iter().map(|candidate| candidate.name()))
    }

    /// The way that suits the plan.
    #[must_use]
    pub fn choose(&self, plan: &Plan, hints: &Hints) -> Choice {
        let offered = self.candidates.iter().find_map(|candidate| offer(&**candidate, plan, hints));
        offered.unwrap_or_else(|| detect(plan, hints))
    }

    /// The way of this name; `auto` is [`choose`](Self::choose).
    ///
    /// # Errors
    /// [`ChooseError::Unknown`], or [`ChooseError::Unsuited`] if a candidate makes no offer.
    pub fn named(&self, name: &str, plan: &Plan, hints: &Hints) -> Result<Choice, ChooseError> {
        let asked = |mode| choice(mode, estimate(plan, hints), "asked for by name");
        match name {
            "auto" => Ok(self.choose(plan, hints)),
            "sequential" => Ok(asked(Mode::Sequential)),
            "parallel" => Ok(asked(Mode::Dataflow)),
            "barrier" => Ok(asked(Mode::Barrier)),
            _ => self.candidate(name, plan, hints),
        }
    }

    fn candidate(&self, name: &str, plan: &Plan, hints: &Hints) -> Result<Choice, ChooseError> {
        let Some(candidate) = self.candidates.iter().find(|candidate| candidate.name() == name) else {
            let available = self.names().collect::<Vec<_>>().join(", ");
            return Err(ChooseError::Unknown { name: name.to_owned(), available });
        };
        offer(&**candidate, plan, hints).ok_or_else(|| ChooseError::Unsuited(name.to_owned()))
    }
}

impl std::fmt::Debug for Chooser {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.names()).finish()
    }
}

fn offer(candidate: &dyn Candidate, plan: &Plan, hints: &Hints) -> Option<Choice> {
    let (mode, concurrency, reason) = candidate.offer(plan, hints)?;
    Some(Choice { executor: candidate.name().to_owned(), mode, concurrency, reason })
}

fn choice(mode: Mode, most: NonZeroUsize, reason: impl Into<String>) -> Choice {
    let (executor, concurrency) = match mode {
        Mode::Sequential => ("sequential", NonZeroUsize::MIN),
        Mode::Barrier => ("barrier", most),
        Mode::Dataflow => ("parallel", most),
    };
    Choice { executor: executor.to_owned(), mode, concurrency, reason: reason.into() }
}

/// The least of: the widest generation, the cap, the cores.
fn estimate(plan: &Plan, hints: &Hints) -> NonZeroUsize {
    let widest = NonZeroUsize::new(plan.max_parallelism()).unwrap_or(NonZeroUsize::MIN);
    [hints.cap, hints.cores].into_iter().flatten().fold(widest, NonZeroUsize::min)
}

fn detect(plan: &Plan, hints: &Hints) -> Choice {
    let (most, widest) = (estimate(plan, hints), plan.max_parallelism());
    let graph = plan.graph();
    let undeclared = graph.len() > 1 && graph.indices().all(|pipe| graph.inputs(pipe).len() == 0);
    let sequential = |reason| choice(Mode::Sequential, most, reason);
    if hints.parallel == Some(false) {
        sequential("pipes may not run at the same time")
    } else if widest <= 1 {
        sequential("no two pipes can run at the same time")
    } else if most.get() == 1 {
        sequential("only one pipe may run at a time")
    } else if undeclared && hints.parallel.is_none() {
        sequential("no pipe declares what it reads, so nothing says that they are independent")
    } else if hints.generations {
        let reason = format!("generations have to be over one by one; the widest has {widest} pipes");
        choice(Mode::Barrier, most, reason)
    } else {
        let edges = graph.edge_count();
        let reason = format!("{edges} declared edges leave up to {widest} pipes independent of each other");
        choice(Mode::Dataflow, most, reason)
    }
}
