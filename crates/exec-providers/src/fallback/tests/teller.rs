//! Providers for the tests of a fallback: one that tells a text as it is told, one whose health can be set.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use exec_core::testing::Script;
use exec_core::{
    Capabilities, Chunk, Context, Error, ErrorKind, Executor, Finish, Health, Operation, Provider, Remedy,
    Report, Request, Response, Result, Role, Summary,
};
use futures_util::stream;

/// How a [`Teller`] takes a prefill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefill {
    /// Goes on exactly where it ends.
    Exact,
    /// Says so many characters of it again.
    Again(usize),
    /// Says all of it again.
    All,
    /// Refuses it.
    Refused,
    /// Cannot take one.
    Unable,
}

/// Tells one text, a few characters at a time, and breaks off where it is told to.
pub(super) struct Teller {
    name: &'static str,
    pub(super) text: String,
    pub(super) prefill: Prefill,
    /// It breaks off after so many characters of an answer.
    pub(super) breaks: Option<usize>,
    /// What comes before the words.
    pub(super) first: Vec<Chunk>,
    pub(super) size: usize,
    pub(super) asked: Mutex<Vec<Request>>,
    capabilities: Capabilities,
}

impl Teller {
    pub(super) fn new(name: &'static str, text: &str) -> Arc<Self> {
        Arc::new(Self::told(name, text, Prefill::Exact, None))
    }

    pub(super) fn told(name: &'static str, text: &str, prefill: Prefill, breaks: Option<usize>) -> Self {
        let capabilities = Capabilities {
            streaming: true,
            prefill: prefill != Prefill::Unable,
            ..Capabilities::of([Operation::CHAT])
        };
        let (text, first, asked) = (text.to_owned(), Vec::new(), Mutex::default());
        Self { name, text, prefill, breaks, first, size: 3, asked, capabilities }
    }

    pub(super) fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn answer(&self, request: &Request) -> Result<String> {
        let chat = request.input.chat()?;
        let Some(last) = chat.messages.last().filter(|last| last.role == Role::Assistant) else {
            return Ok(self.text.clone());
        };
        let said = last.text();
        assert_eq!(said, said.trim_end(), "white space at the end is refused");
        let rest = self.text.strip_prefix(&said).expect("the same text");
        let again = |count: usize| -> String {
            let count = count.min(said.chars().count());
            said.chars().skip(said.chars().count() - count).collect()
        };
        Ok(match self.prefill {
            Prefill::Exact => rest.to_owned(),
            // A short text that is said again may be meant.
            Prefill::Again(_) | Prefill::All if said.chars().count() < 16 => rest.to_owned(),
            Prefill::Again(count) => again(count) + rest,
            Prefill::All => self.text.clone(),
            Prefill::Refused | Prefill::Unable => {
                return Err(Error::new(ErrorKind::InvalidRequest, "must end with a user message"));
            }
        })
    }
}

#[async_trait]
impl Executor for Teller {
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        self.asked.lock().unwrap().push(request.clone());
        let attempts = context.budget().take_attempt()?;
        let text: Vec<char> = self.answer(&request)?.chars().collect();
        let told = &text[..self.breaks.unwrap_or(text.len()).min(text.len())];
        let pieces = told.chunks(self.size).map(|piece| Ok(Chunk::Text(piece.iter().collect())));
        let end = match self.breaks {
            Some(_) => Err(Error::new(ErrorKind::Upstream, "it broke").with_remedy(Remedy::Retry)),
            None => Ok(Chunk::End(Summary { finish: Finish::Stop, ..Summary::default() })),
        };
        let first = self.first.clone().into_iter().map(Ok);
        let chunks: Vec<_> = first.chain(pieces).chain([end]).collect();
        let report = Report { provider: Some(self.name.into()), attempts, ..Report::default() };
        Ok(Response::stream(stream::iter(chunks)).with_report(report))
    }
}

#[async_trait]
impl Provider for Teller {
    fn name(&self) -> &str {
        self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}

/// A script whose health can be set.
pub(super) struct Checked {
    script: Arc<Script>,
    health: Mutex<Health>,
    hangs: AtomicBool,
    checks: AtomicUsize,
    open: AtomicUsize,
}

impl Checked {
    pub(super) fn new(script: Arc<Script>) -> Arc<Self> {
        let (hangs, checks, open) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { script, health: Mutex::new(Health::Unhealthy), hangs, checks, open })
    }

    pub(super) fn set(&self, health: Health) {
        *self.health.lock().unwrap() = health;
    }

    pub(super) fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    pub(super) fn calls(&self) -> usize {
        self.script.calls()
    }

    pub(super) fn checks(&self) -> usize {
        self.checks.load(Ordering::SeqCst)
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Executor for Checked {
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        self.script.execute(request, context).await
    }
}

#[async_trait]
impl Provider for Checked {
    fn name(&self) -> &str {
        self.script.name()
    }

    fn capabilities(&self) -> &Capabilities {
        self.script.capabilities()
    }

    async fn check(&self) -> Health {
        self.checks.fetch_add(1, Ordering::SeqCst);
        assert_eq!(self.open.fetch_add(1, Ordering::SeqCst), 0, "two checks at once");
        let _open = Open(&self.open);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        *self.health.lock().unwrap()
    }
}
