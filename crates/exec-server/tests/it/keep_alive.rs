//! A stream that says nothing shows that it lives, and an answer that is slow to begin is still told its fate.

use exec_providers::http::sse::SseParser;
use xtask::upstream::text;

use crate::support::{House, chat, execution, message};

async fn house() -> House {
    House::with(|config| config["server"]["keep_alive"] = "30ms".into()).await
}

#[tokio::test]
async fn before_the_first_token_and_between_tokens() {
    let house = house().await;
    for (path, body) in [
        ("/v1/chat/completions", chat("fault:first=200ms,tokens=3,gap=100ms", true)),
        ("/v1/messages", message("claude/fault:first=200ms,tokens=3,gap=100ms", true)),
        ("/api/v2/execution", execution("fault:headers=200ms,tokens=3,gap=100ms", true)),
    ] {
        let answer = house.client.post(path, &body).await;
        let first = answer.body.find("tok0").unwrap();
        assert!(answer.body[..first].contains(": keep-alive\n\n"), "{path}: none before the first token");
        assert!(answer.body[first..].contains(": keep-alive\n\n"), "{path}: none between tokens");
        assert!(!answer.body.trim_end().ends_with("keep-alive"), "{path}: one after the end");
        assert!(answer.body.contains(text(3).rsplit(' ').next().unwrap()));
    }
}

#[tokio::test]
async fn never_inside_an_event() {
    let house = house().await;
    let answer =
        house.client.post("/v1/chat/completions", &chat("fault:tokens=5,gap=50ms,bytewise", true)).await;
    let mut parser = SseParser::new(1 << 20);
    parser.push(answer.body.clone().into());
    let events: Vec<_> = parser.by_ref().collect::<Result<_, _>>().unwrap();
    assert!(parser.comments_seen() > 2, "{}", answer.body);
    for event in events {
        assert!(event.text() == "[DONE]" || serde_json::from_str::<serde_json::Value>(event.text()).is_ok());
    }
}

#[tokio::test]
async fn a_failure_before_the_first_silence_has_its_status_and_one_after_it_is_an_event() {
    let house = house().await;
    let early =
        house.client.post("/v1/chat/completions", &chat("fault:status=429,retry-after=7", true)).await;
    assert_eq!((early.status, early.header("retry-after")), (429, Some("7")));
    let late = house.client.post("/v1/chat/completions", &chat("fault:headers=100ms,status=429", true)).await;
    assert_eq!(late.status, 200);
    assert!(late.body.starts_with(": keep-alive\n\n"), "{late:?}");
    assert!(late.events().pop().unwrap().contains("\"error\""), "{late:?}");
    assert!(!late.body.contains("[DONE]"));
}
