//! Pipes of streams: sources that count, sinks that keep, pipes between that add up; and items that are counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pipe_graph::{Checkpoint, Clock, Flow, Message, StreamRunner, Task};

use crate::running::clock::Virtual;

/// A number that is counted as long as it lives.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) number: u64,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) live: AtomicUsize,
    pub(crate) most: AtomicUsize,
}

impl Item {
    fn new(number: u64, counts: &Arc<Counts>) -> Self {
        let live = counts.live.fetch_add(1, Ordering::SeqCst) + 1;
        counts.most.fetch_max(live, Ordering::SeqCst);
        Self { number, counts: Arc::clone(counts) }
    }
}

impl Clone for Item {
    fn clone(&self) -> Self {
        Self::new(self.number, &self.counts)
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.counts.live.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a pipe does out of the ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Twist {
    /// Fails when it has received so many items.
    FailAt(u64),
    PanicAt(u64),
    /// Ends when it has received so many.
    EndAt(u64),
    /// Sleeps a millisecond after every so many items.
    Slow(u64),
    /// Says it is ready only after so many milliseconds.
    ReadyAfter(u64),
    FailCommit(u64),
}

/// Sources send the numbers from where they were to `items`; all others pass on what they receive, sinks keep it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams {
    pub(crate) clock: Virtual,
    pub(crate) items: u64,
    pub(crate) twists: BTreeMap<String, Twist>,
    pub(crate) counts: Arc<Counts>,
    /// By sink: what it has received.
    pub(crate) kept: Arc<Mutex<BTreeMap<String, Vec<u64>>>>,
    /// By source: where it goes on, that is what it committed last.
    pub(crate) positions: Arc<Mutex<BTreeMap<String, (u64, u64)>>>,
    /// By source and checkpoint: where it was.
    pub(crate) history: Arc<Mutex<BTreeMap<(String, u64), u64>>>,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
}

impl Streams {
    pub(crate) fn of(items: u64) -> Self {
        Self { items, ..Self::default() }
    }

    pub(crate) fn twist(mut self, id: &str, twist: Twist) -> Self {
        self.twists.insert(id.to_owned(), twist);
        self
    }

    pub(crate) fn note(&self, text: String) {
        self.log.lock().unwrap().push(text);
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn kept(&self, sink: &str) -> Vec<u64> {
        self.kept.lock().unwrap().get(sink).cloned().unwrap_or_default()
    }

    pub(crate) fn live(&self) -> usize {
        self.counts.live.load(Ordering::SeqCst)
    }

    async fn source(&self, id: &str, mut flow: Flow<Item>) -> Result<(), String> {
        let (start, _) = self.positions.lock().unwrap().get(id).copied().unwrap_or_default();
        for number in start..self.items {
            if flow.send(Item::new(number, &self.counts)).await.is_err() {
                self.note(format!("nobody reads {id}"));
                break;
            }
        }
        Ok(())
    }

    async fn pass_on(&self, id: &str, sink: bool, mut flow: Flow<Item>) -> Result<(), String> {
        let mut received = 0;
        while let Some(message) = flow.recv().await {
            let Message::Item(_, item) = message else {
                continue;
            };
            received += 1;
            match self.twists.get(id) {
                Some(Twist::FailAt(at)) if *at == received => return Err(format!("{id} is broken")),
                Some(Twist::PanicAt(at)) if *at == received => panic!("{id} fell over"),
                Some(Twist::EndAt(at)) if *at == received => return Ok(()),
                Some(Twist::Slow(every)) if received % every == 0 => {
                    self.clock.sleep(Duration::from_millis(1)).await;
                }
                _ => {}
            }
            if sink {
                self.kept.lock().unwrap().entry(id.to_owned()).or_default().push(item.number);
            } else if flow.send(item).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// Notes when a pipe is dropped.
struct Gone<'a>(&'a Streams, &'a str);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.note(format!("end {}", self.1));
    }
}

impl StreamRunner for Streams {
    type Item = Item;
    type Error = String;

    async fn run(&self, task: Task<'_>, mut flow: Flow<Item>) -> Result<(), String> {
        let _gone = Gone(self, task.id());
        self.note(format!("start {}", task.id()));
        if let Some(Twist::ReadyAfter(millis)) = self.twists.get(task.id()) {
            self.clock.sleep(Duration::from_millis(*millis)).await;
            self.note(format!("ready {}", task.id()));
            flow.ready();
        }
        if task.graph().dependencies(task.pipe()).is_empty() {
            return self.source(task.id(), flow).await;
        }
        self.pass_on(task.id(), task.graph().dependents(task.pipe()).is_empty(), flow).await
    }

    async fn commit(&self, task: Task<'_>, checkpoint: Checkpoint) -> Result<(), String> {
        self.note(format!("commit {} {}", task.id(), checkpoint.number));
        if self.twists.get(task.id()) == Some(&Twist::FailCommit(checkpoint.number)) {
            return Err(format!("{} cannot commit", task.id()));
        }
        let mut positions = self.positions.lock().unwrap();
        let (position, start) = positions.entry(task.id().to_owned()).or_default();
        *position = *start + checkpoint.sent;
        self.history.lock().unwrap().insert((task.id().to_owned(), checkpoint.number), *position);
        Ok(())
    }

    async fn rollback(&self, task: Task<'_>, checkpoint: u64) {
        self.note(format!("undo {} {checkpoint}", task.id()));
    }
}
