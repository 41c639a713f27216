//! What callers get wrong: everything at once, in their own format, with what to do.

use serde_json::{Value, json};

use crate::support::{Answer, House, chat};

const DOORS: [&str; 4] = ["/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/api/v2/execution"];

/// The message and code of an error in the format of `path`; panics when it has another shape.
fn error(path: &str, answer: &Answer) -> (String, String) {
    let body = answer.json();
    let text = |pointer: &str| {
        body.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{pointer} in {body}"))
            .to_owned()
    };
    if path.starts_with("/v1/messages") {
        assert_eq!(body["type"], "error", "{body}");
        assert!(body["error"]["type"].is_string(), "{body}");
        (text("/error/message"), text("/error/code"))
    } else if path.starts_with("/v1/") {
        assert!(body["error"]["type"].is_string(), "{body}");
        (text("/error/message"), text("/error/code"))
    } else {
        assert_eq!(body["success"], false, "{body}");
        (body.to_string(), text("/code"))
    }
}

#[tokio::test]
async fn malformed_json_is_a_400_that_says_where() {
    let house = House::new().await;
    for path in DOORS {
        let answer = house.client.post_with(path, "", b"{\"model\": \"m\",\n  oops").await;
        assert_eq!(answer.status, 400, "{path} {answer:?}");
        let (message, _) = error(path, &answer);
        assert!(message.contains("line 2"), "{path}: {message}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_a_400_that_says_where() {
    let house = House::new().await;
    for path in DOORS {
        let answer = house.client.post_with(path, "", b"{\"model\": \"\xff\"}").await;
        assert_eq!(answer.status, 400, "{path} {answer:?}");
        assert!(error(path, &answer).0.to_lowercase().contains("utf-8"), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn everything_wrong_with_a_body_is_said_at_once() {
    let house = House::new().await;
    let openai = json!({"model": 5, "messages": [], "temperature": 2.1, "top_p": "high", "stream": "yes"});
    let anthropic = json!({"model": 5, "messages": [], "temperature": 2.1, "max_tokens": 0, "stream": "yes"});
    let native = json!({"prompt": "", "temperature": 2.1, "maxTokens": 9000, "stream": "yes"});
    for (path, body, fields) in [
        (DOORS[0], openai, ["model", "messages", "temperature", "top_p", "stream"].as_slice()),
        (DOORS[1], anthropic, &["model", "messages", "temperature", "max_tokens", "stream"]),
        (DOORS[3], native, &["prompt", "temperature", "maxTokens", "stream"]),
    ] {
        let answer = house.client.post(path, &body).await;
        assert_eq!(answer.status, 400, "{path} {answer:?}");
        let (message, _) = error(path, &answer);
        for field in fields {
            assert!(message.contains(field), "{path}: {field} is not in {message}");
        }
    }
    assert_eq!(house.upstream.stats().calls, 0, "a refused request costs nothing");
}

#[tokio::test]
async fn an_unknown_provider_is_a_404_with_its_code() {
    let house = House::new().await;
    let native = json!({"prompt": "x", "provider": "nowhere"});
    let answer = house.client.post("/api/v2/execution", &native).await;
    assert_eq!((answer.status, error("/api", &answer).1.as_str()), (404, "unknown_provider"));
    let body = chat("m", false).to_string();
    let answer = house.client.post_with(DOORS[0], "x-exec-provider: nowhere\r\n", body.as_bytes()).await;
    assert_eq!((answer.status, error(DOORS[0], &answer).1.as_str()), (404, "unknown_provider"));
    assert!(!answer.body.contains("good-key"));
}

#[tokio::test]
async fn a_strategy_that_is_not_built_is_a_422() {
    let house = House::new().await;
    for strategy in ["batch", "cache", "hybrid", "psychic"] {
        let answer =
            house.client.post("/api/v2/execution", &json!({"prompt": "x", "strategy": strategy})).await;
        assert_eq!((answer.status, error("/api", &answer).1.as_str()), (422, "unknown_strategy"));
    }
    for strategy in ["auto", "streaming"] {
        let answer = house
            .client
            .post("/api/v2/execution", &json!({"prompt": "x", "model": "m", "strategy": strategy}))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_too_large_is_a_413_whether_its_length_is_announced_or_not() {
    let house = House::with(|config| config["server"]["max_body_bytes"] = 1000.into()).await;
    for path in DOORS {
        let announced = house.client.post_with(path, "", &[b' '; 1001]).await;
        assert_eq!((announced.status, error(path, &announced).1.as_str()), (413, "body_too_large"), "{path}");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let mut body = b"3e9\r\n".to_vec();
        body.extend_from_slice(&[b' '; 1001]);
        body.extend_from_slice(b"\r\n0\r\n\r\n");
        let chunked = house.client.send(&head, &body).await;
        assert_eq!((chunked.status, error(path, &chunked).1.as_str()), (413, "body_too_large"), "{path}");
    }
}

#[tokio::test]
async fn a_caller_that_sends_all_of_a_body_too_large_still_hears_why() {
    let house = House::with(|config| config["server"]["max_body_bytes"] = (4 << 20).into()).await;
    let answer = house.client.post_with(DOORS[0], "", &vec![b' '; 6 << 20]).await;
    assert_eq!((answer.status, error(DOORS[0], &answer).1.as_str()), (413, "body_too_large"));
}

#[tokio::test]
async fn another_method_is_a_405_that_says_which_ones_there_are() {
    let house = House::new().await;
    for path in DOORS {
        let answer = house.client.get(path).await;
        assert_eq!((answer.status, error(path, &answer).1.as_str()), (405, "method_not_allowed"), "{path}");
        assert_eq!(answer.header("allow"), Some("post"), "{path} {answer:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_404_in_the_callers_format() {
    let house = House::new().await;
    for path in ["/v1/completions", "/v1/messages/batches", "/api/v3"] {
        let answer = house.client.get(path).await;
        assert_eq!((answer.status, error(path, &answer).1.as_str()), (404, "unknown_route"), "{path}");
    }
}

#[tokio::test]
async fn too_many_headers_are_a_431() {
    let house = House::new().await;
    let many: String = (0..150).map(|i| format!("x-h{i}: v\r\n")).collect();
    let large = format!("x-large: {}\r\n", "v".repeat(40_000));
    for headers in [many, large] {
        let answer = house.client.post_with(DOORS[0], &headers, b"{}").await;
        assert_eq!((answer.status, error(DOORS[0], &answer).1.as_str()), (431, "headers_too_large"));
    }
    // Beyond what the connection itself takes, the refusal has no words.
    let bomb = format!("x-bomb: {}\r\n", "v".repeat(1 << 20));
    let answer = house.client.post_with(DOORS[0], &bomb, b"{}").await;
    assert_eq!(answer.status, 431);
    assert_eq!(house.client.get("/livez").await.status, 200, "and the server lives");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let house = House::with(|config| config["server"]["body_timeout"] = "50ms".into()).await;
    let head =
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 10\r\n\r\n";
    let answer = house.client.send(head, b"{").await;
    assert_eq!((answer.status, error(DOORS[0], &answer).1.as_str()), (400, "body_timeout"));
}

#[tokio::test]
async fn request_identifiers_come_in_and_go_out() {
    let house = House::new().await;
    let body = chat("m", false).to_string();
    let given = house.client.post_with(DOORS[0], "x-request-id: mine-1\r\n", body.as_bytes()).await;
    assert_eq!(given.header("x-request-id"), Some("mine-1"));
    let made = house.client.get("/livez").await;
    assert!(made.header("x-request-id").is_some_and(|id| id.starts_with("req_")), "{made:?}");
    let odd = house
        .client
        .post_with(DOORS[0], &format!("x-request-id: {}\r\n", "x".repeat(200)), body.as_bytes())
        .await;
    assert!(odd.header("x-request-id").is_some_and(|id| id.starts_with("req_")), "{odd:?}");
}
