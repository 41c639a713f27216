//! No secret leaves the house: not in answers, logs at the finest level, errors or debug output.

use std::io::Write;
use std::sync::{Arc, Mutex};

use exec_server::{Config, Environment, Server, assemble};
use serde_json::json;
use tokio::task::JoinSet;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{Client, chat, message};

const CANARIES: [&str; 4] =
    ["sk-canary-openai", "sk-canary-anthropic", "sk-canary-caller", "sk-canary-variable"];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

fn assert_clean(what: &str, text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{canary} in {what}: {text}");
    }
}

fn tree(upstream: &str) -> serde_json::Value {
    json!({
        "server": {"listen": "127.0.0.1:0", "default_provider": "up"},
        "providers": {
            "up": {"type": "openai", "base_url": format!("{upstream}/v1"), "api_key": CANARIES[0]},
            "claude": {"type": "anthropic", "base_url": upstream, "api_key": CANARIES[1]},
            "gone": {"type": "openai", "base_url": "http://127.0.0.1:1/v1", "api_key": CANARIES[0]},
        },
    })
}

/// Runs everything that can fail under a log at the finest level.
#[tokio::test]
async fn in_no_answer_and_no_log_whatever_fails() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    // Only this thread: everything of this test runs on it.
    let _guard = tracing::subscriber::set_default(subscriber);
    let upstream = xtask::upstream::Upstream::start().await.unwrap();
    let config = Config::from_tree(tree(&upstream.url()), &Environment::default()).unwrap();
    let server = Server::bind(&config).await.unwrap();
    let client = Client::new(server.address());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { server.run(std::future::pending()).await });

    let headers = format!("authorization: Bearer {0}\r\nx-api-key: {0}\r\ncookie: {0}\r\n", CANARIES[2]);
    for fault in [
        "m",
        "fault:status=400",
        "fault:status=401",
        "fault:status=403",
        "fault:status=404",
        "fault:status=429",
        "fault:status=500",
        "fault:error=bad_json",
        "fault:error=insufficient_quota",
        "fault:reset=before",
        "fault:cut=5",
        "fault:malformed=3",
        "fault:stream-error=5",
        "missing-model",
        "fault:nonsense",
    ] {
        for provider in ["up", "claude", "gone", "nowhere"] {
            for stream in [false, true] {
                let model = format!("{provider}/{fault}");
                for (path, body) in [
                    ("/v1/chat/completions", chat(&model, stream)),
                    ("/v1/messages", message(&model, stream)),
                ] {
                    let answer = client.post_with(path, &headers, body.to_string().as_bytes()).await;
                    assert_clean(&format!("the answer to {model} at {path}"), &format!("{answer:?}"));
                }
            }
        }
    }
    // A provider that repeats what it was sent shows that the key was sent, and the caller's was not.
    let echo = client
        .post_with("/v1/chat/completions", &headers, chat("fault:echo", false).to_string().as_bytes())
        .await;
    assert_clean_of_callers(&upstream);
    assert_clean_but_for_the_echo(&echo.body);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("TRACE") && text.len() > 1000, "the log was on");
    assert_clean("the log", &text);
}

/// What the provider was sent: its own key, and nothing of the caller's.
fn assert_clean_of_callers(upstream: &xtask::upstream::Upstream) {
    let seen = upstream.last();
    assert!(seen.iter().any(|request| request.headers.iter().any(|(_, value)| value.contains(CANARIES[0]))));
    for request in seen {
        for (name, value) in &request.headers {
            assert!(!value.contains(CANARIES[2]), "the caller's credentials went to the provider in {name}");
        }
        assert!(!request.path.contains("canary") && !request.query.contains("canary"));
    }
}

/// An answer's content is the provider's word and is not searched for secrets.
fn assert_clean_but_for_the_echo(body: &str) {
    assert!(!body.contains(CANARIES[2]), "{body}");
}

#[test]
fn in_no_debug_output_and_no_configuration_error() {
    let config = Config::from_tree(tree("http://127.0.0.1:1"), &Environment::default()).unwrap();
    assert_clean("debug of the configuration", &format!("{config:?}"));
    let engine = assemble::engine(&config).unwrap();
    assert_clean("debug of the engine", &format!("{engine:?}"));

    let environment = Environment::of([("KEY".to_owned(), CANARIES[3].to_owned())]);
    assert_clean("debug of the environment", &format!("{environment:?}"));
    for wrong in [
        json!({"providers": {"a": {"type": "openai", "base_url": "https://u:${KEY}@x/v1"}}}),
        json!({"providers": {"a": {"type": "${KEY}"}}}),
        json!({"providers": {"a": {"type": "openai", "api_key": "${KEY}\n"}}}),
        json!({"providers": {"a": {"type": "openai", "max_completion_tokens": "${KEY}"}}}),
        json!({"server": {"listen": "${KEY}"}}),
        json!({"server": "${KEY}"}),
    ] {
        let error = Config::from_tree(wrong.clone(), &environment).unwrap_err();
        assert_clean(&format!("the error for {wrong}"), &format!("{error} {error:?}"));
    }
}

#[test]
fn in_no_panic() {
    let config = Config::from_tree(tree("http://127.0.0.1:1"), &Environment::default()).unwrap();
    let panic = std::panic::catch_unwind(|| panic!("{config:?}")).unwrap_err();
    assert_clean("a panic", panic.downcast_ref::<String>().unwrap());
}
