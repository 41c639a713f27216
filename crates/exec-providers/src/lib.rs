//! Where a call runs: providers that speak a wire format over a bounded HTTP transport.
//!
//! | what | where |
//! |---|---|
//! | OpenAI, and every server that speaks its format: chat, embeddings, models | [`openai`] |
//! | Anthropic, and every server that speaks its Messages | [`anthropic`] |
//! | a provider that is always there, with latency, faults and cost from a seed | [`simulator`] |
//! | several providers in order, until one answers, also in the middle of a stream | [`Fallback`] |
//! | a provider with middleware of its own around every try | [`Guarded`] |
//! | where a provider is, how it is reached and which models it has | [`Endpoint`], [`ModelMap`] |
//! | the transport: an exact cap on connections, HTTP/1 and HTTP/2, parsers for streams | [`http`] |
//! | the same formats for the other side, to answer callers as if one were the provider | [`format::Front`] |
//!
//! Each is a [`Provider`](exec_core::Provider), so they nest. When the first does not answer, the second does:
//!
//! ```
//! use std::sync::Arc;
//! use exec_core::{Chat, Context, Executor, Request};
//! use exec_providers::{Fallback, FallbackConfig};
//! use exec_providers::simulator::{Fault, Failure, Simulator, SimulatorConfig};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> exec_core::Result<()> {
//! let mut broken = SimulatorConfig::default();
//! broken.fault = Some(Fault::Error { kind: Failure::Unavailable, retry_after: None });
//! let first = Simulator::new("first", broken).unwrap();
//! let second = Simulator::new("second", SimulatorConfig::default()).unwrap();
//! let chat = Fallback::new("chat", vec![Arc::new(first), Arc::new(second)], FallbackConfig::default()).unwrap();
//!
//! let context = Context::new("call-1");
//! let answer = chat.execute(Request::chat(Chat::user("Hello")), &context).await?;
//! assert_eq!(answer.report.provider.as_deref(), Some("second (simulator)"));
//! assert_eq!(context.budget().attempts_taken(), 2);
//! # Ok(()) }
//! ```
//!
//! A real provider takes a key, an address and limits; it opens no connection until it is called:
//!
//! ```no_run
//! use exec_core::{Chat, Context, Executor, Request};
//! use exec_providers::http::TransportConfig;
//! use exec_providers::openai::OpenAi;
//! use exec_providers::Endpoint;
//! use futures_util::StreamExt;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let local = Endpoint {
//!     transport: TransportConfig::new("http://127.0.0.1:11434/v1"),
//!     default_model: Some("llama3.2".into()),
//!     ..Endpoint::default()
//! };
//! let provider = OpenAi::new(None).connect("local", local)?;
//! let answer = provider.execute(Request::chat(Chat::user("Hello")), &Context::new("call-1")).await?;
//! let mut chunks = answer.into_chunks();
//! while let Some(chunk) = chunks.next().await {
//!     println!("{:?}", chunk?.meaning());
//! }
//! # Ok(()) }
//! ```
//!
//! # Promises
//! - **Bounded.** Connections, callers who wait, events, answers and bodies of failures have a limit, and each says
//!   which it was.
//! - **Committed late.** A call answers `Ok` once its first content is there. Until then every failure can move on to
//!   another provider; afterwards it ends the stream.
//! - **Passed through.** Where the caller speaks the provider's format, bytes are sent on as they came, both ways.
//!   Elsewhere, what a format cannot say is left out and named in [`Report::dropped`](exec_core::Report).
//! - **Dropping is cancelling.** The connection is closed, or the HTTP/2 stream reset, when the answer is dropped.
//! - **No secret** is in an error, a log or debug output, even if the provider repeats it.

mod about;
pub mod anthropic;
mod fallback;
mod fault;
pub mod format;
mod guarded;
mod hold;
pub mod http;
mod key;
mod lines;
mod models;
mod object;
pub mod openai;
mod progress;
mod remote;
mod retry_after;
pub mod simulator;
mod stream;

pub use self::fallback::{
    DegradedConfig, Fallback, FallbackConfig, FallbackMode, HealthConfig, MidStream, PaceConfig,
};
pub use self::guarded::Guarded;
pub use self::models::ModelMap;
pub use self::remote::Endpoint;
