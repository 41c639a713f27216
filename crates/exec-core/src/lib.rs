//! The vocabulary of an execution engine: one call, its circumstances, its answer, and what wraps it.
//!
//! Everything that can be called is an [`Executor`]. A [`Middleware`] wraps a call, and a [`Pipeline`] is an executor
//! made of middleware around another one. A [`Strategy`] is an executor that knows how well it fits a request, a
//! [`Provider`] one that knows what it can do and how it is. A [`Response`] is a stream that may happen to be complete
//! already, so unary and streamed calls take one path.
//!
//! ```
//! use std::sync::Arc;
//! use exec_core::{Chat, Context, Executor, Output, Pipeline, Request, Response, executor_fn, from_fn};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> exec_core::Result<()> {
//! // Something that can be called …
//! let echo = executor_fn(|request: Request, _context: &Context| {
//!     Box::pin(async move {
//!         let prompt = request.input.chat()?.messages[0].text();
//!         Ok(Response::full(Output::text_of(format!("you said {prompt}"))))
//!     })
//! });
//!
//! // … wrapped by a middleware that stops a call for which no attempt is left …
//! let pipeline = Pipeline::new(echo).with(from_fn(|request, context, next| {
//!     Box::pin(async move {
//!         context.budget().take_attempt()?;
//!         next.run(request, context).await
//!     })
//! }));
//!
//! // … and called.
//! let context = Context::new("call-1");
//! let answer = pipeline.execute(Request::chat(Chat::user("hello")), &context).await?;
//! assert_eq!(answer.collect().await?.text(), "you said hello");
//! # Ok(()) }
//! ```
//!
//! # Promises
//! - **Dropping is cancelling.** Every future and every body can be dropped at any await; nothing is spawned.
//! - **One budget.** Attempts and money are counted once per execution, however deep retries and fallbacks nest.
//! - **A cut is an error.** A body that stops without [`Chunk::End`] ends with an error, never like a complete one.
//! - **[`Response::on_end`] fires exactly once**: complete, failed or dropped.
//!
//! # Features
//! `tower` adds adapters to and from `tower` services; `test-util` adds a scripted executor and a recording event sink.

mod budget;
mod catalogue;
pub mod chat;
mod chunk;
mod context;
pub mod duration;
mod error;
mod event;
mod executor;
mod fingerprint;
mod hint;
mod middleware;
mod operation;
mod pipeline;
mod provider;
mod raw;
mod request;
mod response;
mod selector;
mod strategy;
#[cfg(feature = "test-util")]
pub mod testing;
mod text;
#[cfg(feature = "tower")]
pub mod tower;
mod wire;

pub use self::budget::{Budget, Cost, Money, Reservation};
pub use self::catalogue::{Catalogue, Detail, Search};
pub use self::chat::{Chat, Extra, Message, Part, Role};
pub use self::chunk::{Chunk, Finish, Fold, Handover, Output, Summary, ToolDelta, Usage, Verbatim};
pub use self::context::Context;
pub use self::error::{Attempt, Error, ErrorKind, FieldError, Remedy, Result, UpstreamAnswer};
pub use self::event::{Event, EventSink, TracingSink};
pub use self::executor::{Executor, ExecutorFn, executor_fn};
pub use self::fingerprint::Fingerprint;
pub use self::hint::{Allowance, RateLimitHint};
pub use self::middleware::{Middleware, MiddlewareFn, Next, from_fn};
pub use self::operation::{Effect, Operation, OperationSpec, Scope};
pub use self::pipeline::Pipeline;
pub use self::provider::{Capabilities, Health, Provider};
pub use self::raw::Raw;
pub use self::request::{CachePolicy, Input, Options, Priority, Request};
pub use self::response::{Chunks, End, Integrity, Report, Response, Reuse};
pub use self::selector::{Ranking, Reason, Selector};
pub use self::strategy::{Fit, Strategy};
pub use self::text::Text;
pub use self::wire::Wire;
