//! What came of a run.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::status::{Status, Totals};
use crate::graph::two_decimals;
use crate::pipe::{PipeId, PipeIndex};
use crate::plan::Plan;
use crate::render::{Mark, Overlay};

/// How it went for one pipe.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PipeResult<E> {
    /// How it ended.
    pub status: Status<E>,
    /// How often it was tried; 0 if it never ran.
    pub attempts: u32,
    /// When it began, counted from the start of the run. `None` if it never ran.
    pub started: Option<Duration>,
    /// From its beginning to its end, waits between attempts included.
    pub elapsed: Duration,
}

impl<E> PipeResult<E> {
    pub(crate) fn not_run() -> Self {
        Self { status: Status::NotRun, attempts: 0, started: None, elapsed: Duration::ZERO }
    }
}

/// How it went for every pipe of a plan.
#[derive(Debug)]
pub struct Report<O, E> {
    pub(crate) plan: Plan,
    pub(crate) run_id: Arc<str>,
    /// By pipe.
    pub(crate) results: Vec<PipeResult<E>>,
    /// By pipe.
    pub(crate) outputs: Vec<Option<Arc<O>>>,
    pub(crate) elapsed: Duration,
}

impl<O, E> Report<O, E> {
    /// The plan that ran.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the run was called.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// How long the run took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// How it went, for every pipe in the order of the plan.
    pub fn results(&self) -> impl ExactSizeIterator<Item = (PipeIndex, &PipeResult<E>)> {
        self.plan.pipes().iter().map(|&pipe| (pipe, self.result(pipe)))
    }

    /// How it went for this pipe of the plan.
    #[must_use]
    pub fn result(&self, pipe: PipeIndex) -> &PipeResult<E> {
        &self.results[pipe.get()]
    }

    /// How it ended for the pipe of this name.
    #[must_use]
    pub fn status(&self, id: &str) -> Option<&Status<E>> {
        Some(&self.result(self.plan.graph().index(id)?).status)
    }

    /// What the pipe of this name made, if it was to be kept.
    #[must_use]
    pub fn output(&self, id: &str) -> Option<&O> {
        self.outputs[self.plan.graph().index(id)?.get()].as_deref()
    }

    /// Takes the kept outputs, in the order of the plan.
    pub fn take_outputs(&mut self) -> Vec<(PipeIndex, Arc<O>)> {
        let outputs = &mut self.outputs;
        let take = |&pipe: &PipeIndex| Some((pipe, outputs[pipe.get()].take()?));
        self.plan.pipes().iter().filter_map(take).collect()
    }

    /// How many pipes ended how.
    #[must_use]
    pub fn totals(&self) -> Totals {
        totals(self.results.iter())
    }

    /// The pipes that failed, in the order of the plan.
    #[must_use]
    pub fn failed_pipes(&self) -> Vec<PipeId> {
        failed(&self.plan, self.plan.pipes(), &self.results)
    }

    /// The run by generations, which in dataflow may overlap.
    pub fn generations(&self) -> impl ExactSizeIterator<Item = GenerationReport> {
        self.plan.generations().map(|generation| {
            let of = || generation.pipes().iter().map(|&pipe| self.result(pipe));
            let begin = of().filter_map(|result| result.started).min();
            let end = of().filter_map(|result| Some(result.started? + result.elapsed)).max();
            GenerationReport {
                generation: generation.number(),
                totals: totals(of()),
                failed_pipes: failed(&self.plan, generation.pipes(), &self.results),
                duration: begin.zip(end).map_or(Duration::ZERO, |(begin, end)| end.saturating_sub(begin)),
            }
        })
    }

    /// The run to lay over a drawing of the plan; a pipe's blame stands behind its status.
    #[must_use]
    pub fn overlay(&self) -> Overlay {
        let mark = |(pipe, result): (PipeIndex, &PipeResult<E>)| {
            let status = match result.status.blamed() {
                Some(blamed) => format!("{} ({})", result.status.name(), self.plan.graph().id(blamed)),
                None => result.status.name().to_owned(),
            };
            (
                self.plan.graph().pipe_id(pipe),
                Mark { status, duration: result.started.map(|_| result.elapsed) },
            )
        };
        self.results().map(mark).collect()
    }

    /// The run in numbers.
    #[must_use]
    pub fn summary(&self) -> RunSummary {
        let totals = self.totals();
        let begun = |totals: &Totals| totals.success + totals.failed + totals.skipped > 0;
        RunSummary {
            run_id: self.run_id.to_string(),
            strategy: self.plan.strategy().to_owned(),
            total_pipes: self.plan.total_pipes(),
            generations_executed: self.generations().filter(|generation| begun(&generation.totals)).count(),
            success_count: totals.success,
            failed_count: totals.failed,
            skipped_count: totals.skipped,
            cancelled_count: totals.cancelled,
            not_run_count: totals.not_run,
            duration_seconds: two_decimals(self.elapsed.as_millis() as usize, 1000),
            all_succeeded: totals.all_succeeded(),
            failed_pipes: self.failed_pipes(),
        }
    }
}

fn totals<'a, E: 'a>(results: impl Iterator<Item = &'a PipeResult<E>>) -> Totals {
    let mut totals = Totals::default();
    results.for_each(|result| totals.add(&result.status));
    totals
}

pub(crate) fn failed<E>(plan: &Plan, pipes: &[PipeIndex], results: &[PipeResult<E>]) -> Vec<PipeId> {
    let failed = |pipe: &&PipeIndex| matches!(results[pipe.get()].status, Status::Failed(_));
    pipes.iter().filter(failed).map(|&pipe| plan.graph().pipe_id(pipe)).collect()
}

/// How it went for one generation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GenerationReport {
    /// Its number.
    pub generation: usize,
    /// How many of its pipes ended how.
    pub totals: Totals,
    /// Its pipes that failed.
    pub failed_pipes: Vec<PipeId>,
    /// From the beginning of its first pipe to the end of its last.
    pub duration: Duration,
}

/// A run in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are named after what they hold")]
pub struct RunSummary {
    pub run_id: String,
    pub strategy: String,
    pub total_pipes: usize,
    pub generations_executed: usize,
    pub success_count: usize,
    pub failed_count: usize,
    pub skipped_count: usize,
    pub cancelled_count: usize,
    pub not_run_count: usize,
    pub duration_seconds: f64,
    pub all_succeeded: bool,
    pub failed_pipes: Vec<PipeId>,
}
