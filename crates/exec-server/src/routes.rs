//! What is answered where. Handlers are thin: they read, call the engine, and write.

mod body;
mod execution;
mod guard;
mod health;
mod models;
mod openapi;
mod status;
mod tenant;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use exec_core::{EventSink, TracingSink};
use tokio::time::Instant;

use crate::config::{Config, ServerConfig};
use crate::engine::Engine;
use crate::shutdown::Drain;
use crate::status::{Status, millis};
use crate::wire::NativeFront;

pub use self::guard::RequestId;

/// Everything a handler needs.
#[derive(Debug)]
pub struct App {
    /// Runs the calls.
    pub engine: Engine,
    /// The limits of the door.
    pub settings: ServerConfig,
    /// What is under way.
    pub drain: Drain,
    /// The native format, with the limits of its documents.
    pub native: NativeFront,
    /// The most calls of providers one execution may make.
    pub attempts: u32,
    started: Instant,
    events: Events,
}

struct Events(Arc<dyn EventSink>);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl App {
    /// An application around `engine`.
    #[must_use]
    pub fn new(engine: Engine, config: &Config) -> Self {
        Self {
            engine,
            settings: config.server.clone(),
            drain: Drain::default(),
            native: NativeFront::new(config.limits),
            attempts: config.limits.attempts,
            started: Instant::now(),
            events: Events(Arc::new(TracingSink)),
        }
    }

    /// How it is. Asks nobody and waits for nobody.
    #[must_use]
    pub fn status(&self) -> Status {
        let (pipeline, providers, retry_budget) = self.engine.watches().look(self.engine.default_provider());
        Status {
            version: env!("CARGO_PKG_VERSION"),
            status: if self.drain.is_stopping() { "stopping" } else { "ready" },
            uptime_ms: millis(self.started.elapsed()),
            in_flight: self.drain.in_flight(),
            pipeline,
            providers,
            retry_budget,
        }
    }

    /// Tells the events of every execution to `events` instead of the log.
    #[must_use]
    pub fn with_events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = Events(events);
        self
    }
}

/// The most headers of a request, and the most bytes they may have together.
const MAX_HEADERS: usize = 100;
const MAX_HEADER_BYTES: usize = 32 << 10;

/// The router.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/api/v2/execution", post(execution::native))
        .route("/v1/chat/completions", post(execution::chat))
        .route("/v1/embeddings", post(execution::embeddings))
        .route("/v1/messages", post(execution::messages))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::one))
        .route("/api/v2/status", get(status::status))
        .route("/metrics", get(status::prometheus))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/openapi.json", get(openapi::document))
        .fallback(guard::not_found)
        .method_not_allowed_fallback(guard::method_not_allowed)
        // The limit is ours, so that the answer is in the caller's format.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(app.clone(), guard::door))
        .with_state(app)
}
