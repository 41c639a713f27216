//! What the guards promise, one module per guard.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod breaker;
mod cache;
mod catch_panic;
mod composition;
mod hedge;
mod key;
mod limit;
mod monitor;
mod rate;
mod retry;
mod settle;
mod share;
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
