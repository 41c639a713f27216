//! What happens during a run, for whoever wants to hear it.

mod queue;

use std::time::Duration;

use serde::Serialize;

pub use queue::{EventSink, Events, event_channel};

use super::status::Totals;
use crate::pipe::{Metadata, PipeId};
use crate::plan::Plan;

/// Something that happened in a run. The first are `PlanGenerated` and `ExecutionStarted`, the last is
/// `ExecutionCompleted`, or `ExecutionFailed` if the run was dropped before its end.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are named after what they hold")]
pub enum Event {
    /// The plan that is going to run.
    PlanGenerated {
        strategy: String,
        pipe_ids: Vec<PipeId>,
        pipe_count: usize,
        generation_count: usize,
        max_parallelism: usize,
        metadata: Metadata,
    },
    /// The run begins.
    ExecutionStarted {
        run_id: String,
        strategy: String,
        mode: String,
        pipe_count: usize,
        generation_count: usize,
        parallel: bool,
    },
    /// The plan finds this entity worth keeping. Sorted by entity.
    CacheRecommended { run_id: String, entity_id: String, consumer_pipes: Vec<PipeId>, cache_level: String },
    /// The first pipe of this generation has begun or been skipped.
    GenerationStarted { run_id: String, generation: usize, pipe_ids: Vec<PipeId>, pipe_count: usize },
    /// The last pipe of this generation has ended.
    GenerationCompleted { run_id: String, generation: usize, totals: Totals, duration_seconds: f64 },
    /// A pipe begins; once, however often it is tried.
    PipeStarted { run_id: String, pipe_id: PipeId, is_streaming: bool },
    /// A pipe will be tried again after the delay.
    PipeRetrying {
        run_id: String,
        pipe_id: PipeId,
        attempt: u32,
        max_attempts: u32,
        error: String,
        delay_seconds: f64,
    },
    /// A pipe did its work.
    PipeCompleted {
        run_id: String,
        pipe_id: PipeId,
        is_streaming: bool,
        duration_seconds: f64,
        attempts: u32,
    },
    /// A pipe failed for good.
    PipeFailed { run_id: String, pipe_id: PipeId, error: String, error_type: String, attempts: u32 },
    /// A pipe was skipped: without a reason because it had no data, or because of a failed one.
    PipeSkipped { run_id: String, pipe_id: PipeId, reason: Option<String>, upstream_pipe: Option<PipeId> },
    /// A pipe was running, or ready to, when the run stopped.
    PipeCancelled { run_id: String, pipe_id: PipeId, started: bool, blamed_pipe: Option<PipeId> },
    /// A pipe of a stream has been told to undo what it did after the last checkpoint.
    PipeRolledBack { run_id: String, pipe_id: PipeId, checkpoint: u64 },
    /// A pipe of a stream has committed this checkpoint.
    CheckpointCommitted { run_id: String, pipe_id: PipeId, checkpoint: u64 },
    /// The run is over, with or without failures.
    ExecutionCompleted { run_id: String, totals: Totals, duration_seconds: f64, all_succeeded: bool },
    /// The run was dropped before its end.
    ExecutionFailed {
        run_id: String,
        error: String,
        error_type: String,
        duration_seconds: f64,
        failed_pipes: Vec<PipeId>,
    },
}

impl Event {
    pub(crate) fn plan_generated(plan: &Plan) -> Self {
        Self::PlanGenerated {
            strategy: plan.strategy().to_owned(),
            pipe_ids: plan.pipes().iter().map(|&pipe| plan.graph().pipe_id(pipe)).collect(),
            pipe_count: plan.total_pipes(),
            generation_count: plan.total_generations(),
            max_parallelism: plan.max_parallelism(),
            metadata: plan.metadata().clone(),
        }
    }

    /// Its name, such as `pipe_started`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::PlanGenerated { .. } => "plan_generated",
            Self::ExecutionStarted { .. } => "execution_started",
            Self::CacheRecommended { .. } => "cache_recommended",
            Self::GenerationStarted { .. } => "generation_started",
            Self::GenerationCompleted { .. } => "generation_completed",
            Self::PipeStarted { .. } => "pipe_started",
            Self::PipeRetrying { .. } => "pipe_retrying",
            Self::PipeCompleted { .. } => "pipe_completed",
            Self::PipeFailed { .. } => "pipe_failed",
            Self::PipeSkipped { .. } => "pipe_skipped",
            Self::PipeCancelled { .. } => "pipe_cancelled",
            Self::PipeRolledBack { .. } => "pipe_rolled_back",
            Self::CheckpointCommitted { .. } => "checkpoint_committed",
            Self::ExecutionCompleted { .. } => "execution_completed",
            Self::ExecutionFailed { .. } => "execution_failed",
        }
    }

    /// The pipe it is about, if it is about one.
    #[must_use]
    pub fn pipe(&self) -> Option<&PipeId> {
        match self {
            Self::PipeStarted { pipe_id, .. }
            | Self::PipeRetrying { pipe_id, .. }
            | Self::PipeCompleted { pipe_id, .. }
            | Self::PipeFailed { pipe_id, .. }
            | Self::PipeSkipped { pipe_id, .. }
            | Self::PipeCancelled { pipe_id, .. }
            | Self::PipeRolledBack { pipe_id, .. }
            | Self::CheckpointCommitted { pipe_id, .. } => Some(pipe_id),
            _ => None,
        }
    }
}

/// Those who listen. An event is only made if there is somebody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sinks(pub(crate) Vec<EventSink>);

impl Sinks {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        let Some((last, others)) = self.0.split_last() else { return };
        let event = event();
        others.iter().for_each(|sink| sink.push(event.clone()));
        last.push(event);
    }
}

/// Seconds, as events and summaries give them.
pub(crate) fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
