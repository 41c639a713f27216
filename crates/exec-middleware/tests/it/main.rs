//! What the guards promise, one module per guard.

#![expect(clippy::unwrap_used, reason = "what helps a test may fail as a test does")]

mod breaker;
mod catch_panic;
mod limit;
mod stress;
mod timeout;
mod trace;
mod validate;

use std::sync::Arc;

use exec_core::testing::Script;
use exec_core::{Chat, Middleware, Options, Pipeline, Request};

fn around(script: &Arc<Script>, middleware: impl Middleware) -> Pipeline {
    Pipeline::around(script.clone()).with(middleware)
}

fn unary() -> Request {
    Request::chat(Chat::user("x")).with_model("m")
}

fn streamed() -> Request {
    unary().with_options(Options { stream: true, ..Options::default() })
}
