//! What is known of every pipe of a stream, told to listeners as it changes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::PlanStreamer;
use crate::pipe::{PipeId, PipeIndex};
use crate::plan::Plan;
use crate::runner::{Event, Failure, PipeResult, Report, Status, Totals, failed, seconds};

pub(crate) struct Log<'a, E> {
    setup: &'a PlanStreamer,
    plan: &'a Plan,
    results: Vec<PipeResult<E>>,
    start: Duration,
}

impl<'a, E> Log<'a, E> {
    pub(crate) fn new(setup: &'a PlanStreamer, plan: &'a Plan) -> Self {
        let results = std::iter::repeat_with(PipeResult::not_run).take(plan.total_pipes()).collect();
        let log = Self { setup, plan, results, start: setup.now() };
        setup.sinks.emit(|| Event::plan_generated(plan));
        log.emit(|run_id| Event::ExecutionStarted {
            run_id,
            strategy: plan.strategy().to_owned(),
            mode: "streaming".to_owned(),
            pipe_count: plan.total_pipes(),
            generation_count: plan.total_generations(),
            parallel: true,
        });
        log
    }

    pub(crate) fn emit(&self, event: impl FnOnce(String) -> Event) {
        self.setup.sinks.emit(|| event(self.setup.run_id.to_string()));
    }

    pub(crate) fn id(&self, pipe: PipeIndex) -> PipeId {
        self.plan.graph().pipe_id(pipe)
    }

    fn elapsed(&self) -> Duration {
        self.setup.now().saturating_sub(self.start)
    }

    pub(crate) fn started(&mut self, pipe: PipeIndex) {
        let result = &mut self.results[pipe.get()];
        result.attempts = 1;
        result.started = Some(self.setup.now().saturating_sub(self.start));
        self.emit(|run_id| Event::PipeStarted { run_id, pipe_id: self.id(pipe), is_streaming: true });
    }

    fn settle(&mut self, pipe: PipeIndex, status: Status<E>) -> f64 {
        let now = self.elapsed();
        let result = &mut self.results[pipe.get()];
        result.status = status;
        result.elapsed = result.started.map_or(Duration::ZERO, |started| now.saturating_sub(started));
        seconds(result.elapsed)
    }

    pub(crate) fn completed(&mut self, pipe: PipeIndex) {
        let duration_seconds = self.settle(pipe, Status::Success);
        self.emit(|run_id| {
            let pipe_id = self.id(pipe);
            Event::PipeCompleted { run_id, pipe_id, is_streaming: true, duration_seconds, attempts: 1 }
        });
    }

    pub(crate) fn cancelled(&mut self, pipe: PipeIndex, blamed: Option<PipeIndex>) {
        self.settle(pipe, Status::Cancelled(blamed));
        self.emit(|run_id| Event::PipeCancelled {
            run_id,
            pipe_id: self.id(pipe),
            started: true,
            blamed_pipe: blamed.map(|pipe| self.id(pipe)),
        });
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.results.iter().for_each(|result| totals.add(&result.status));
        totals
    }

    pub(crate) fn dropped(&self) {
        self.emit(|run_id| Event::ExecutionFailed {
            run_id,
            error: "the run was dropped".to_owned(),
            error_type: "Cancelled".to_owned(),
            duration_seconds: seconds(self.elapsed()),
            failed_pipes: failed(self.plan, self.plan.pipes(), &self.results),
        });
    }

    /// The report, once.
    pub(crate) fn finish(&mut self) -> Report<(), E> {
        let (totals, elapsed) = (self.totals(), self.elapsed());
        self.emit(|run_id| Event::ExecutionCompleted {
            run_id,
            totals,
            duration_seconds: seconds(elapsed),
            all_succeeded: totals.all_succeeded(),
        });
        let results = std::mem::take(&mut self.results);
        Report {
            plan: self.plan.clone(),
            run_id: Arc::clone(&self.setup.run_id),
            outputs: std::iter::repeat_with(|| None).take(results.len()).collect(),
            results,
            elapsed,
        }
    }
}

impl<E: fmt::Display> Log<'_, E> {
    pub(crate) fn failed(&mut self, pipe: PipeIndex, failure: Failure<E>) {
        let (error, error_type) = (failure.to_string(), failure.kind().to_owned());
        self.settle(pipe, Status::Failed(failure));
        self.emit(|run_id| Event::PipeFailed {
            run_id,
            pipe_id: self.id(pipe),
            error,
            error_type,
            attempts: 1,
        });
    }
}
