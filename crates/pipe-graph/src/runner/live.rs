//! A run under way: what is known of every pipe, told to listeners as it changes. Also when it is dropped.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::event::{Event, seconds};
use super::outputs::Outputs;
use super::report::{PipeResult, Report, failed};
use super::schedule::{Schedule, Stage};
use super::status::{Failure, Skip, Status, Totals};
use super::{OnFailure, PlanRunner};
use crate::pipe::{PipeId, PipeIndex};
use crate::plan::Plan;

pub(crate) struct Live<'a, O, E> {
    setup: &'a PlanRunner,
    pub(crate) plan: &'a Plan,
    pub(crate) schedule: Schedule<'a>,
    pub(crate) outputs: Outputs<O>,
    results: Vec<PipeResult<E>>,
    /// By generation: when its first pipe began or was skipped.
    begun: Vec<Option<Duration>>,
    /// By generation: pipes that have not been settled.
    unsettled: Vec<usize>,
    start: Duration,
    over: bool,
}

impl<'a, O, E> Live<'a, O, E> {
    pub(crate) fn new(setup: &'a PlanRunner, plan: &'a Plan) -> Self {
        let weight = |pipe| setup.weights.as_ref().map_or(1, |weigh| weigh(plan.graph(), pipe));
        let skip = setup.on_failure == OnFailure::SkipDependents;
        Self {
            setup,
            schedule: Schedule::new(plan, setup.mode, skip, weight),
            outputs: Outputs::new(plan, setup.keep),
            results: std::iter::repeat_with(PipeResult::not_run).take(plan.total_pipes()).collect(),
            begun: vec![None; plan.total_generations()],
            unsettled: plan.generations().map(|generation| generation.len()).collect(),
            start: setup.now(),
            over: false,
            plan,
        }
    }

    fn id(&self, pipe: PipeIndex) -> PipeId {
        self.plan.graph().pipe_id(pipe)
    }

    fn since_start(&self) -> Duration {
        self.setup.now().saturating_sub(self.start)
    }

    fn emit(&self, event: impl FnOnce(String) -> Event) {
        self.setup.sinks.emit(|| event(self.setup.run_id.to_string()));
    }

    /// The pipe begins an attempt.
    pub(crate) fn started(&mut self, pipe: PipeIndex) -> u32 {
        let now = self.since_start();
        let result = &mut self.results[pipe.get()];
        result.attempts += 1;
        let number = result.attempts;
        if number == 1 {
            result.started = Some(now);
            self.begin_generation(pipe);
            self.emit(|run_id| Event::PipeStarted { run_id, pipe_id: self.id(pipe), is_streaming: false });
        }
        number
    }

    fn begin_generation(&mut self, pipe: PipeIndex) {
        let number = self.plan.generation_of(pipe);
        if self.begun[number].is_some() || self.setup.sinks.is_empty() {
            return;
        }
        self.begun[number] = Some(self.since_start());
        let Some(generation) = self.plan.generation(number) else { return };
        let pipe_ids: Vec<PipeId> = generation.pipes().iter().map(|&pipe| self.id(pipe)).collect();
        let pipe_count = pipe_ids.len();
        self.emit(|run_id| Event::GenerationStarted { run_id, generation: number, pipe_ids, pipe_count });
    }

    /// The run is over, whatever has happened.
    pub(crate) fn finish(mut self) -> Report<O, E> {
        self.over = true;
        let elapsed = self.since_start();
        let mut totals = Totals::default();
        self.results.iter().for_each(|result| totals.add(&result.status));
        self.emit(|run_id| Event::ExecutionCompleted {
            run_id,
            totals,
            duration_seconds: seconds(elapsed),
            all_succeeded: totals.all_succeeded(),
        });
        let outputs = std::mem::replace(&mut self.outputs, Outputs::none());
        Report {
            plan: self.plan.clone(),
            run_id: Arc::clone(&self.setup.run_id),
            results: std::mem::take(&mut self.results),
            outputs: outputs.into_kept(),
            elapsed,
        }
    }

    /// No pipe runs any more, and none will.
    pub(crate) fn stop(&mut self, blamed: Option<PipeIndex>) {
        let now = self.since_start();
        let plan = self.plan;
        for &pipe in plan.pipes() {
            if matches!(self.schedule.stage(pipe), Stage::Ended | Stage::Waiting) {
                continue;
            }
            let started = self.results[pipe.get()].started;
            let result = &mut self.results[pipe.get()];
            result.status = Status::Cancelled(blamed);
            result.elapsed = started.map_or(Duration::ZERO, |started| now.saturating_sub(started));
            self.emit(|run_id| Event::PipeCancelled {
                run_id,
                pipe_id: self.id(pipe),
                started: started.is_some(),
                blamed_pipe: blamed.map(|pipe| self.id(pipe)),
            });
        }
    }
}

impl<O, E: fmt::Display> Live<'_, O, E> {
    /// The pipe will be tried again.
    pub(crate) fn retrying(&self, pipe: PipeIndex, failure: &Failure<E>, delay: Duration) {
        self.emit(|run_id| Event::PipeRetrying {
            run_id,
            pipe_id: self.id(pipe),
            attempt: self.results[pipe.get()].attempts,
            max_attempts: self.setup.timing.of(self.plan.graph(), pipe).retry.times.saturating_add(1),
            error: failure.to_string(),
            delay_seconds: seconds(delay),
        });
    }

    /// The pipe has ended for good. Its dependents may start now, or are skipped.
    pub(crate) fn ended(&mut self, pipe: PipeIndex, end: Result<Option<O>, Failure<E>>) {
        let (status, output) = match end {
            Ok(Some(output)) => (Status::Success, Some(output)),
            Ok(None) => (Status::Skipped(Skip::NoData), None),
            Err(failure) => (Status::Failed(failure), None),
        };
        if let Some(output) = output {
            self.outputs.put(pipe, output);
        }
        let failed = matches!(status, Status::Failed(_));
        self.settle(pipe, status);
        let mut skipped = Vec::new();
        self.schedule.end(pipe, failed, |pipe, blamed| skipped.push((pipe, blamed)));
        for (pipe, blamed) in skipped {
            // What it would have read has one reader less.
            drop(self.outputs.take_for(self.plan, pipe));
            self.begin_generation(pipe);
            self.settle(pipe, Status::Skipped(Skip::Upstream(blamed)));
        }
    }

    fn settle(&mut self, pipe: PipeIndex, status: Status<E>) {
        let now = self.since_start();
        let result = &mut self.results[pipe.get()];
        result.elapsed = result.started.map_or(Duration::ZERO, |started| now.saturating_sub(started));
        result.status = status;
        self.emit(|run_id| self.ending(run_id, pipe));
        self.end_generation(pipe);
    }

    fn ending(&self, run_id: String, pipe: PipeIndex) -> Event {
        let (pipe_id, result) = (self.id(pipe), &self.results[pipe.get()]);
        let attempts = result.attempts;
        match &result.status {
            Status::Failed(failure) => Event::PipeFailed {
                run_id,
                pipe_id,
                error: failure.to_string(),
                error_type: failure.kind().to_owned(),
                attempts,
            },
            Status::Skipped(skip) => {
                let upstream_pipe = result.status.blamed().map(|pipe| self.id(pipe));
                let reason = (*skip != Skip::NoData).then(|| "upstream_failed".to_owned());
                Event::PipeSkipped { run_id, pipe_id, reason, upstream_pipe }
            }
            _ => {
                let duration_seconds = seconds(result.elapsed);
                Event::PipeCompleted { run_id, pipe_id, is_streaming: false, duration_seconds, attempts }
            }
        }
    }

    fn end_generation(&mut self, pipe: PipeIndex) {
        let number = self.plan.generation_of(pipe);
        self.unsettled[number] -= 1;
        if self.setup.sinks.is_empty() || self.unsettled[number] > 0 {
            return;
        }
        let Some(generation) = self.plan.generation(number) else { return };
        let mut totals = Totals::default();
        generation.pipes().iter().for_each(|pipe| totals.add(&self.results[pipe.get()].status));
        let took = self.since_start().saturating_sub(self.begun[number].unwrap_or_default());
        let duration_seconds = seconds(took);
        self.emit(|run_id| Event::GenerationCompleted {
            run_id,
            generation: number,
            totals,
            duration_seconds,
        });
    }
}

impl<O, E> Drop for Live<'_, O, E> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.stop(None);
        let failed_pipes = failed(self.plan, self.plan.pipes(), &self.results);
        self.emit(|run_id| Event::ExecutionFailed {
            run_id,
            error: "the run was dropped".to_owned(),
            error_type: "Cancelled".to_owned(),
            duration_seconds: seconds(self.since_start()),
            failed_pipes,
        });
    }
}
