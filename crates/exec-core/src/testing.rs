//! For tests: [`Script`], an executor that plays back what it is told, and [`Recorder`], a sink that remembers.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};

use crate::event::{Event, EventSink};
use crate::{
    Capabilities, Chunk, Context, Error, ErrorKind, Executor, Operation, Output, Provider, Request, Response,
    Result, Summary,
};

/// One thing a [`Script`] does.
#[derive(Clone, Debug)]
enum Step {
    Wait(Duration),
    Hang,
    Panic,
    Chunk(Chunk),
    Fail(ErrorKind),
}

/// One answer: what happens before it is there, and its body.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    before: Vec<Step>,
    body: Vec<Step>,
    full: Option<Output>,
}

impl Answer {
    /// A complete answer of one text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { full: Some(Output::text_of(text)), ..Self::default() }
    }

    /// A streamed answer, one text chunk for each of `texts`, complete.
    #[must_use]
    pub fn stream(texts: &[&str]) -> Self {
        Self::cut(texts).chunk(Chunk::End(Summary::default()))
    }

    /// A streamed answer that stops without its end.
    #[must_use]
    pub fn cut(texts: &[&str]) -> Self {
        let body = texts.iter().map(|text| Step::Chunk(Chunk::Text((*text).to_owned()))).collect();
        Self { body, ..Self::default() }
    }

    /// A failure before anything was answered.
    #[must_use]
    pub fn error(kind: ErrorKind) -> Self {
        Self { before: vec![Step::Fail(kind)], ..Self::default() }
    }

    /// No answer, ever.
    #[must_use]
    pub fn hang() -> Self {
        Self { before: vec![Step::Hang], ..Self::default() }
    }

    /// A panic instead of an answer.
    #[must_use]
    pub fn panic() -> Self {
        Self { before: vec![Step::Panic], ..Self::default() }
    }

    /// Waits before it answers.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.before.insert(0, Step::Wait(wait));
        self
    }

    /// Adds a chunk to the body.
    #[must_use]
    pub fn chunk(mut self, chunk: Chunk) -> Self {
        self.body.push(Step::Chunk(chunk));
        self
    }

    /// Adds a pause to the body.
    #[must_use]
    pub fn pause(mut self, wait: Duration) -> Self {
        self.body.push(Step::Wait(wait));
        self
    }

    /// Lets the body stand still for ever from here on.
    #[must_use]
    pub fn stall(mut self) -> Self {
        self.body.push(Step::Hang);
        self
    }

    /// Lets the body fail from here on.
    #[must_use]
    pub fn then_error(mut self, kind: ErrorKind) -> Self {
        self.body.push(Step::Fail(kind));
        self
    }

    /// Lets the body panic when it is read so far.
    #[must_use]
    pub fn then_panic(mut self) -> Self {
        self.body.push(Step::Panic);
        self
    }
}

/// A provider that plays back answers in order, the last one again and again.
#[derive(Debug)]
pub struct Script {
    name: String,
    answers: Mutex<VecDeque<Answer>>,
    capabilities: Capabilities,
    calls: AtomicUsize,
    open: Arc<AtomicUsize>,
}

impl Script {
    /// Plays back `answers`. With none, every call is an error of kind `Internal`.
    pub fn new(name: &str, answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let operations = BTreeSet::from([Operation::CHAT, Operation::EMBED]);
        Arc::new(Self {
            name: name.to_owned(),
            answers: Mutex::new(answers.into_iter().collect()),
            capabilities: Capabilities {
                operations,
                streaming: true,
                any_model: true,
                ..Capabilities::default()
            },
            calls: AtomicUsize::new(0),
            open: Arc::default(),
        })
    }

    /// How often it was called.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Acquire)
    }

    /// How many calls and bodies are alive now; 0 when everything was answered or dropped.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    fn next(&self) -> Option<Answer> {
        let mut answers = lock(&self.answers);
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
    }
}

#[async_trait]
impl Executor for Script {
    async fn execute(&self, _: Request, _: &Context) -> Result<Response> {
        self.calls.fetch_add(1, Ordering::AcqRel);
        let open = Open::new(&self.open);
        let answer =
            self.next().ok_or_else(|| Error::new(ErrorKind::Internal, "the script has no answer"))?;
        for step in answer.before {
            play(step).await?;
        }
        if let Some(output) = answer.full {
            return Ok(Response::full(output));
        }
        let chunks = stream::iter(answer.body).filter_map(move |step| {
            let _alive = &open;
            async { play(step).await.transpose() }
        });
        Ok(Response::stream(chunks))
    }
}

#[async_trait]
impl Provider for Script {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}

#[expect(clippy::panic, reason = "a script can be told to panic")]
async fn play(step: Step) -> Result<Option<Chunk>> {
    match step {
        Step::Wait(wait) => tokio::time::sleep(wait).await,
        Step::Hang => std::future::pending().await,
        Step::Panic => panic!("the script panics, as it was told"),
        Step::Chunk(chunk) => return Ok(Some(chunk)),
        Step::Fail(kind) => return Err(Error::new(kind, "the script fails, as it was told")),
    }
    Ok(None)
}

/// Counts one while it lives.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An event sink that remembers everything it is told. For tests: it has no bound.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Vec<Event>>);

impl Recorder {
    /// What it was told, in order.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        lock(&self.0).clone()
    }

    /// The names of what it was told, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        lock(&self.0).iter().map(Event::name).collect()
    }
}

impl EventSink for Recorder {
    fn emit(&self, _: &Context, event: &Event) {
        lock(&self.0).push(event.clone());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
