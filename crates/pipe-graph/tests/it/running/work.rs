//! A runner whose pipes do what a test says, and that counts what is alive.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pipe_graph::{
    Clock, Event, EventSink, Events, Inputs, PlanRunner, Report, Runner, Status, Task, event_channel,
};

use super::clock::Virtual;

/// What a pipe does after its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Act {
    #[default]
    Make,
    NoData,
    Fail,
    /// Fails so many times, then makes.
    FailTimes(u32),
    Panic,
}

/// Something that is counted as long as it lives.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) text: String,
    alive: Arc<AtomicUsize>,
}

impl Drop for Made {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    pub(crate) clock: Virtual,
    pub(crate) acts: BTreeMap<String, Act>,
    pub(crate) times: BTreeMap<String, Duration>,
    /// Outputs that live.
    pub(crate) alive: Arc<AtomicUsize>,
    pub(crate) most_alive: Arc<AtomicUsize>,
    /// Pipes that run.
    pub(crate) busy: Arc<AtomicUsize>,
    pub(crate) most_busy: Arc<AtomicUsize>,
    /// Every attempt, in the order of their beginning.
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    /// Pipes that could own what they read.
    pub(crate) owned: Arc<Mutex<Vec<String>>>,
}

impl Work {
    pub(crate) fn act(mut self, id: &str, act: Act) -> Self {
        self.acts.insert(id.to_owned(), act);
        self
    }

    pub(crate) fn takes(mut self, id: &str, time: Duration) -> Self {
        self.times.insert(id.to_owned(), time);
        self
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn made(&self, text: String) -> Made {
        let alive = self.alive.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_alive.fetch_max(alive, Ordering::SeqCst);
        Made { text, alive: Arc::clone(&self.alive) }
    }
}

struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Runner for Work {
    type Output = Made;
    type Error = String;

    async fn run(&self, task: Task<'_>, inputs: Inputs<'_, Made>) -> Result<Option<Made>, String> {
        self.log.lock().unwrap().push(task.id().to_owned());
        let busy = self.busy.fetch_add(1, Ordering::SeqCst) + 1;
        let _busy = Busy(Arc::clone(&self.busy));
        self.most_busy.fetch_max(busy, Ordering::SeqCst);
        if let Some(time) = self.times.get(task.id()) {
            self.clock.sleep(*time).await;
        }
        let read: Vec<&str> =
            inputs.iter().map(|input| input.get().map_or("-", |made| &*made.text)).collect();
        let text = format!("{}({})", task.id(), read.join(" "));
        if !inputs.is_empty() && inputs.into_iter().all(|input| input.into_owned().is_ok()) {
            self.owned.lock().unwrap().push(task.id().to_owned());
        }
        match self.acts.get(task.id()).copied().unwrap_or_default() {
            Act::Make => Ok(Some(self.made(text))),
            Act::NoData => Ok(None),
            Act::FailTimes(times) if task.attempt() > times => Ok(Some(self.made(text))),
            Act::Fail | Act::FailTimes(_) => Err(format!("{} is broken", task.id())),
            Act::Panic => panic!("{} fell over", task.id()),
        }
    }
}

pub(crate) type Done = Report<Made, String>;

/// `id: status` of every pipe in the order of the plan; the blamed pipe behind an `@`.
pub(crate) fn statuses<O, E: std::fmt::Display>(report: &Report<O, E>) -> Vec<String> {
    let graph = report.plan().graph();
    let text = |status: &Status<E>| match (status, status.blamed()) {
        (Status::Failed(failure), _) => format!("failed ({failure})"),
        (status, Some(blamed)) => format!("{} @{}", status.name(), graph.id(blamed)),
        (status, None) => status.name().to_owned(),
    };
    report.results().map(|(pipe, result)| format!("{}: {}", graph.id(pipe), text(&result.status))).collect()
}

pub(crate) fn listen(runner: PlanRunner) -> (PlanRunner, Events) {
    listen_to(|sink| runner.listener(sink))
}

/// `name id` of every event.
pub(crate) fn told(events: &[Event]) -> Vec<String> {
    let line = |event: &Event| match event.pipe() {
        Some(pipe) => format!("{} {pipe}", event.name()),
        None => event.name().to_owned(),
    };
    events.iter().map(line).collect()
}

pub(crate) fn cap(cap: usize) -> NonZeroUsize {
    NonZeroUsize::new(cap).unwrap()
}

/// A runner of any kind that tells a listener.
pub(crate) fn listen_to<R>(runner: impl FnOnce(EventSink) -> R) -> (R, Events) {
    let (sink, events) = event_channel(NonZeroUsize::new(100_000).unwrap());
    (runner(sink), events)
}
