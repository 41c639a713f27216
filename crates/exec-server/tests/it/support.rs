//! A house for a test: an upstream, a server in front of it, and a client that sees every byte.

mod client;

use std::sync::Arc;
use std::time::Duration;

use exec_core::EventSink;
use exec_core::testing::Recorder;
use exec_server::shutdown::Drain;
use exec_server::{Config, Environment, Server};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use xtask::upstream::Upstream;

pub(crate) use self::client::{Answer, Client, read_until};

/// No wait of a test is longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct House {
    pub(crate) upstream: Upstream,
    pub(crate) client: Client,
    pub(crate) events: Arc<Recorder>,
    pub(crate) drain: Drain,
    pub(crate) server: JoinSet<usize>,
}

impl House {
    /// A house whose default provider is the upstream, spoken to in OpenAI's format. `claude` is the same upstream in
    /// Anthropic's.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, after `change` has changed its configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Value)) -> Self {
        let upstream = Upstream::start().await.unwrap();
        let mut tree = json!({
            "server": {"listen": "127.0.0.1:0", "default_provider": "up"},
            "providers": {
                "up": {"type": "openai", "base_url": format!("{}/v1", upstream.url()), "api_key": "good-key"},
                "claude": {"type": "anthropic", "base_url": upstream.url(), "api_key": "good-key"},
            },
        });
        change(&mut tree);
        let config = Config::from_tree(tree, &Environment::default()).unwrap();
        let events = Arc::new(Recorder::default());
        let sink: Arc<dyn EventSink> = events.clone();
        let server = Server::bind(&config).await.unwrap().with_events(sink);
        let (client, drain) = (Client::new(server.address()), server.drain());
        let mut tasks = JoinSet::new();
        let stopping = drain.clone();
        tasks.spawn(async move { server.run(async move { stopping.stopping().await }).await });
        Self { upstream, client, events, drain, server: tasks }
    }

    /// Waits until nothing is under way, here or upstream.
    pub(crate) async fn quiet(&self) {
        self.upstream.wait_for(|stats| stats.in_flight == 0, PATIENCE).await.unwrap();
        let idle = async {
            while self.drain.in_flight() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, idle).await.unwrap();
    }
}

/// A conversation for `model`.
pub(crate) fn chat(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello"}]})
}

/// The same in Anthropic's format.
pub(crate) fn message(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]})
}

/// The same in the native format.
pub(crate) fn execution(model: &str, stream: bool) -> Value {
    json!({"prompt": "hello", "model": model, "stream": stream})
}
