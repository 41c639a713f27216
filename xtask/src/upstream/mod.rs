//! The fault-injecting upstream: an API server for tests and benches that speaks OpenAI and Anthropic, and fails on request.
//!
//! It writes HTTP/1.1 by hand over TCP, so every fault is exact to the byte. Without faults it is fast: a small answer costs
//! one read and one write. It serves
//! `POST /v1/chat/completions`, `POST /v1/embeddings`, `POST /v1/messages`, `GET /v1/models` (in Anthropic's shape if the
//! `anthropic-version` header is there) and `GET /v1/models/{id}`. Any key is good but none and `bad-key`; any model
//! is known but `missing…`. Limits such as `max_tokens` are not applied: an answer is always [`text`] of 60 tokens unless the
//! scenario says otherwise. A conversation that ends with a turn of the assistant is continued: if the answer begins with what
//! that turn says, only the rest of it is said. As with the real API, Anthropic's may not end with white space.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! use xtask::upstream::Upstream;
//! let upstream = Upstream::start().await?;
//! assert!(upstream.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(upstream.stats().calls, 0);
//! # Ok(()) }
//! ```
//!
//! # Scenarios
//!
//! A request chooses what goes wrong with the header `x-fault: SPEC` or, without it, the model `fault:SPEC`. A SPEC is a list
//! of `name` or `name=value` with commas. An unknown name or a bad value is a 400 that says which. Durations are written `20ms`,
//! `2s`; sizes `500`, `64k`, `10M`; K counts content tokens (pieces of tool calls count too), and a K the answer never
//! reaches does nothing. If several of `reset=K`, `cut`, `cut-clean`, `stall`, `stream-error` are given the last one counts.
//!
//! | SPEC | what happens |
//! |---|---|
//! | `tokens=N` | the answer has N tokens |
//! | `bytes=N` | the answer has N bytes, in tokens of 1 KiB, as fast as the client reads |
//! | `tools=N` | N parallel tool calls, if the request has tools; no text unless `tokens` is given; the last of three or more has no arguments |
//! | `gap=DUR` | time between tokens; a complete answer is late by all gaps together |
//! | `first=DUR` | time between the head and the first token (or the complete body) |
//! | `headers=DUR` | time before the head |
//! | `status=CODE` | a failure with this status, in the format's shape |
//! | `error=NAME` | a typed failure: `context_length`, `content_filter`, `insufficient_quota`, `rate_limit`, `overloaded`, `model_not_found`, `bad_json` (HTML), `billing`, `prefill_rejected`; with `status` that status, with `stream-error` inside the stream |
//! | `retry-after=TEXT`, `retry-after-ms=N` | these headers on failures; an HTTP date may have its comma |
//! | `unlimited` | no word about limits, also on a 429: neither headers nor when to come back |
//! | `flap=N` | the first N requests with exactly this SPEC get 503; forgotten by a reset |
//! | `times=N` · `for=DUR` | the SPEC holds for the first N requests with exactly it · until so long after the first; later ones are answered faithfully; forgotten by a reset |
//! | `no-prefill` | a conversation that ends with a turn of the assistant is refused as `prefill_rejected` |
//! | `hang` | the request is read and never answered |
//! | `reset=before` · `reset=headers` · `reset=K` | RST before any byte, after the head, after K tokens |
//! | `cut=K` | the connection is closed after K tokens, the body not ended |
//! | `cut-clean=K` | the body is ended after K tokens, the answer is not |
//! | `cut-bytes=N` | the connection is closed after N bytes of the body |
//! | `stall=K` | nothing more comes after K tokens, the connection stays |
//! | `stream-error=K` | an error event after K tokens (streams only) |
//! | `malformed=K` | the K-th event (from 1) lacks its closing bracket; so does a complete answer, for any K |
//! | `no-done` | no `[DONE]`, no `message_stop` |
//! | `bytewise` | one byte per HTTP chunk and write |
//! | `utf8split` | chunks and writes end inside characters |
//! | `crlf` · `comments` | lines end with CRLF · a comment before each event |
//! | `ping` | `ping` events (Anthropic) or empty role chunks (OpenAI) between tokens |
//! | `usage=none` · `each` · `nonempty` | no usage at all · in each chunk · in a chunk with choices (the last two OpenAI only, even if not asked for) |
//! | `toolindex=zero` · `missing` · `one` | OpenAI tool calls all have index 0 · none · count from 1 |
//! | `echo` | the text is a JSON document about the request: method, path, query, headers, `body_len`, `body_fnv` (FNV-1a 64) |
//! | `finish=stop` · `length` · `content_filter` | the reason it ends |
//! | `refuse` | a refusal instead of text, ending with `content_filter` or `refusal` |
//! | `no-content` | an empty answer |
//! | `reasoning` | `reasoning_content` or a signed thinking block before the text |
//!
//! # Accounting
//!
//! [`Upstream::stats`], [`Upstream::last`] and [`Upstream::reset`], or `GET /__stats`, `GET /__last`, `POST /__reset`. A client that closes while
//! it is answered counts as left at once, also while we wait, stall or hang; closing only the sending side counts as leaving.
mod anthropic;
mod ask;
pub mod cli;
mod connection;
mod control;
mod embeddings;
mod error;
mod fault;
mod json;
mod models;
mod openai;
mod play;
mod prefill;
mod request;
mod serve;
mod stats;
mod text;
mod wire;

pub use ask::PROMPT_TOKENS;
pub use embeddings::embedding;
pub use stats::{Departure, Seen, Stats};
pub use text::{DEFAULT_TOKENS, arguments, text};

use stats::Ledger;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::task::JoinSet;

/// A running upstream. Dropping it stops it: the port and all connections close as soon as the runtime gets to it.
///
/// It runs on the caller's runtime and clock; under a paused clock its waits pass at once.
#[derive(Debug)]
pub struct Upstream {
    addr: SocketAddr,
    ledger: Arc<Ledger>,
    tasks: JoinSet<()>,
}

impl Upstream {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start() -> io::Result<Self> {
        Self::bind("127.0.0.1:0").await
    }

    /// Starts on an address.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(addr: impl ToSocketAddrs) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let ledger = Arc::new(Ledger::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve::accept(listener, Arc::clone(&ledger)));
        Ok(Self { addr, ledger, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, without a slash or `/v1` at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The counters now. O(paths + models).
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.ledger.snapshot()
    }

    /// The last 64 requests, oldest first.
    #[must_use]
    pub fn last(&self) -> Vec<Seen> {
        self.ledger.last()
    }

    /// Forgets counters, requests and flapping; what is open or in flight stays counted.
    pub fn reset(&self) {
        self.ledger.reset();
    }

    /// Waits until the counters satisfy `predicate`, for `limit` at most. Cancel safe.
    ///
    /// # Errors
    /// The counters at the end of `limit`.
    pub async fn wait_for(
        &self,
        predicate: impl Fn(&Stats) -> bool,
        limit: Duration,
    ) -> Result<Stats, Stats> {
        let reached = tokio::time::timeout(limit, self.ledger.wait_for(predicate)).await;
        reached.map_err(|_| self.stats())
    }

    /// Stops and waits until the port is closed. Dropping this future stops it as well.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}
