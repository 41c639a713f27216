//! An answer that was cut never looks complete.

use serde_json::Value;
use xtask::upstream::text;

use crate::support::{Answer, Client, House, chat, execution, message};

const TOKENS: u64 = 60;

/// What the caller must see of an answer cut after `k` tokens: the text so far, an error as the last event, no end.
fn assert_cut(answer: &Answer, k: u64, what: &str) {
    if answer.status != 200 {
        assert_eq!(k, 0, "{what}: only an answer without any content may be refused as a whole: {answer:?}");
        return;
    }
    let events = answer.events();
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert!(last.get("error").is_some(), "{what}: the last event is no error: {last}");
    for sign in ["\"finish_reason\":\"stop\"", "[DONE]", "message_stop", "event: done", "end_turn"] {
        assert!(!answer.body.contains(sign), "{what}: {sign} in {}", answer.body);
    }
    let said: String = events.iter().filter_map(|event| words(&serde_json::from_str(event).ok()?)).collect();
    assert_eq!(said, text(k), "{what}: the text so far");
}

/// The words of one event of any format.
fn words(event: &Value) -> Option<String> {
    let places = ["/choices/0/delta/content", "/delta/text", "/content"];
    places.iter().find_map(|place| event.pointer(place)?.as_str().map(str::to_owned))
}

async fn cut_everywhere(fault: &str, provider: &str) {
    let house = House::new().await;
    for k in 0..TOKENS {
        let model = format!("{provider}/fault:tokens={TOKENS},{fault}={k}");
        for (path, body) in [
            ("/v1/chat/completions", chat(&model, true)),
            ("/v1/messages", message(&model, true)),
            ("/api/v2/execution", execution(&model, true)),
        ] {
            let answer = house.client.post(path, &body).await;
            assert_cut(&answer, k, &format!("{path} {model}"));
        }
    }
    house.quiet().await;
}

#[tokio::test]
async fn a_connection_closed_after_any_token_openai() {
    cut_everywhere("cut", "up").await;
}

#[tokio::test]
async fn a_connection_closed_after_any_token_anthropic() {
    cut_everywhere("cut", "claude").await;
}

#[tokio::test]
async fn a_body_ended_properly_without_its_end_openai() {
    cut_everywhere("cut-clean", "up").await;
}

#[tokio::test]
async fn a_body_ended_properly_without_its_end_anthropic() {
    cut_everywhere("cut-clean", "claude").await;
}

/// Cut at every byte of the body: complete answers say so, and nothing else does.
#[tokio::test]
async fn a_connection_closed_after_any_byte() {
    let house = House::new().await;
    for (provider, path, ends) in [
        ("up", "/v1/chat/completions", ["[DONE]", "\"stop\""]),
        ("claude", "/v1/messages", ["message_stop", "end_turn"]),
    ] {
        let ask = |spec: &str| {
            let model = format!("{provider}/fault:{spec}");
            if provider == "up" { chat(&model, true) } else { message(&model, true) }
        };
        // As long as the upstream's own answer: what is forwarded is shorter.
        let mut direct = ask("tokens=3");
        direct["model"] = "fault:tokens=3".into();
        direct["stream_options"] = serde_json::json!({"include_usage": true});
        let key = "authorization: Bearer k\r\nx-api-key: k\r\nanthropic-version: 2023-06-01\r\n";
        let upstream = Client::new(house.upstream.addr());
        let whole = upstream.post_with(path, key, direct.to_string().as_bytes()).await.body.len();
        for n in 0..whole {
            let answer = house.client.post(path, &ask(&format!("tokens=3,cut-bytes={n}"))).await;
            let failed =
                answer.status != 200 || answer.events().pop().is_some_and(|last| last.contains("\"error\""));
            assert!(failed, "cut after {n} of {whole}: {answer:?}");
            assert!(
                !ends.iter().any(|end| answer.body.contains(end)),
                "cut after {n} of {whole}: {}",
                answer.body
            );
        }
    }
}

#[tokio::test]
async fn a_connection_reset_after_any_token() {
    // A reset may throw away what was sent before it, so only the end can be told.
    let house = House::new().await;
    for k in (0..TOKENS).step_by(7) {
        for provider in ["up", "claude"] {
            let model = format!("{provider}/fault:gap=1ms,reset={k}");
            let answer = house.client.post("/v1/chat/completions", &chat(&model, true)).await;
            let last = answer.events().pop();
            assert!(
                answer.status != 200 || last.is_some_and(|last| last.contains("\"error\"")),
                "{answer:?}"
            );
            assert!(!answer.body.contains("[DONE]") && !answer.body.contains("\"stop\""), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn an_error_event_inside_the_stream_reaches_the_caller() {
    let house = House::new().await;
    for provider in ["up", "claude"] {
        let model = format!("{provider}/fault:stream-error=40");
        assert_cut(&house.client.post("/v1/chat/completions", &chat(&model, true)).await, 40, &model);
    }
}

#[tokio::test]
async fn a_missing_done_after_the_finish_is_a_complete_answer_and_without_the_finish_it_is_not() {
    let house = House::new().await;
    let finished = house.client.post("/v1/chat/completions", &chat("fault:no-done", true)).await;
    assert!(
        finished.body.contains("\"finish_reason\":\"stop\"") && finished.body.ends_with("data: [DONE]\n\n")
    );
    // Anthropic's finish is not its terminal event.
    let cut = house.client.post("/v1/messages", &message("claude/fault:no-done", true)).await;
    assert!(cut.events().pop().unwrap().contains("\"error\""), "{cut:?}");
}

#[tokio::test]
async fn a_complete_stream_says_everything_once() {
    let house = House::new().await;
    for (path, body, end) in [
        ("/v1/chat/completions", chat("up/m", true), "data: [DONE]\n\n"),
        ("/v1/chat/completions", chat("claude/m", true), "data: [DONE]\n\n"),
        ("/v1/messages", message("claude/m", true), "\"type\":\"message_stop\"}\n\n"),
        ("/v1/messages", message("up/m", true), "\"type\":\"message_stop\"}\n\n"),
    ] {
        let answer = house.client.post(path, &body).await;
        let said: String =
            answer.events().iter().filter_map(|event| words(&serde_json::from_str(event).ok()?)).collect();
        assert_eq!(said, text(TOKENS), "{path} {body}");
        assert!(
            answer.body.ends_with(end),
            "{path}: {}",
            &answer.body[answer.body.len().saturating_sub(200)..]
        );
    }
}
