//! Requests as they are sent on, and answers as callers get them.

use super::*;
use exec_core::chat::{Reasoning, Source, ToolResult};
use exec_core::{Chat, Input, Message, Operation, Options, Part, Request, Role, Usage};
use serde_json::json;

fn received(body: &Value, stream: bool) -> Request {
    let mut request = OpenAiFront.read(&body.to_string().into()).unwrap();
    request.options = Options { stream, ..Options::default() }.into();
    request
}

fn json_of(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body.to_bytes()).unwrap()
}

fn sent(request: &Request) -> Value {
    json_of(&OpenAi::default().encode(request, "up").unwrap())
}

fn body() -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "future": {"a": 1}})
}

#[test]
fn received_bytes_are_sent_on_with_what_must_differ() {
    let mut expected = body();
    expected["model"] = "up".into();
    assert_eq!(sent(&received(&body(), false)), expected);
    let mut streamed = body();
    streamed["stream_options"] = json!({"include_obfuscation": false});
    let encoded = OpenAi::default().encode(&received(&streamed, true), "up").unwrap();
    assert!(encoded.verbatim && encoded.hide_usage);
    expected["stream"] = true.into();
    expected["stream_options"] = json!({"include_obfuscation": false, "include_usage": true});
    assert_eq!(json_of(&encoded), expected);
    streamed["stream_options"]["include_usage"] = true.into();
    let request = received(&streamed, true);
    assert!(OpenAiFront::include_usage(&request));
    assert!(!OpenAi::default().encode(&request, "up").unwrap().hide_usage);
    let mut no_longer = body();
    no_longer["stream"] = true.into();
    no_longer["stream_options"] = json!({});
    assert!(sent(&received(&no_longer, false)).get("stream").is_none());
}

#[test]
fn what_is_said_about_the_stream_survives_and_is_written_once() {
    let mut streamed = body();
    streamed["stream_options"] = json!({"include_usage": false, "include_obfuscation": false});
    let chat = received(&streamed, true).input.chat().unwrap().clone();
    assert!(chat.extra.get("stream_options").is_some());
    assert!(chat.inexpressible_in(exec_core::Wire::new("other")).iter().all(|name| name == "future"));
    let mut request = Request::chat(chat);
    let mut expected = body();
    expected["model"] = "up".into();
    assert_eq!(sent(&request), expected);
    request.options = Options { stream: true, ..Options::default() }.into();
    let bytes = OpenAi::default().encode(&request, "up").unwrap().body.to_bytes();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert_eq!(text.matches("stream_options").count(), 1, "{text}");
    let options = &serde_json::from_slice::<Value>(&bytes).unwrap()["stream_options"];
    assert_eq!(*options, json!({"include_usage": true, "include_obfuscation": false}));
}

#[test]
fn what_has_no_words_here_is_named() {
    let mut chat = Chat::user("x");
    chat.sampling.top_k = Some(3);
    chat.sampling.max_tokens = Some(5);
    let reasoning = Reasoning { text: "hm".into(), signature: Some("s".into()), ..Reasoning::default() };
    chat.messages.push(Message {
        role: Role::Assistant,
        parts: vec![Part::Reasoning(reasoning)],
        name: None,
        extra: Default::default(),
    });
    let request = Request::chat(chat);
    let encoded = OpenAi::default().encode(&request, "up").unwrap();
    assert_eq!(encoded.dropped, ["messages[].content[].reasoning", "top_k"]);
    assert!(!encoded.verbatim);
    let expected = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": null}]);
    assert_eq!(json_of(&encoded), json!({"model": "up", "messages": expected, "max_tokens": 5}));
    let newer = OpenAi::default().with_max_completion_tokens(true).encode(&request, "up").unwrap();
    assert_eq!(json_of(&newer)["max_completion_tokens"], 5);
}

#[test]
fn results_of_tools_become_messages_of_their_own() {
    let result = |id: &str| {
        let parts = vec![Part::text("42")];
        Part::ToolResult(ToolResult { id: id.into(), parts, failed: true, extra: Default::default() })
    };
    let mut chat = Chat::user("x");
    chat.messages[0].parts.splice(0..0, [result("a"), result("b")]);
    let encoded = OpenAi::default().encode(&Request::chat(chat), "up").unwrap();
    assert_eq!(encoded.dropped, ["messages[].content[].failed"]);
    let expected = json!([
        {"role": "tool", "tool_call_id": "a", "content": "42"},
        {"role": "tool", "tool_call_id": "b", "content": "42"},
        {"role": "user", "content": "x"}
    ]);
    assert_eq!(json_of(&encoded)["messages"], expected);
    let alone = Chat::default().with_message(Message::new(Role::Tool, "x"));
    assert_eq!(
        OpenAi::default().encode(&Request::chat(alone), "up").unwrap_err().fields()[0].code,
        "required"
    );
}

#[test]
fn a_large_picture_is_sent_from_where_it_lies() {
    let data = "A".repeat(100_000);
    let text = "b".repeat(50_000);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{data}"), "detail": "low"}},
        {"type": "text", "text": text}
    ]}]});
    let bytes = Bytes::from(body.to_string());
    let chat = OpenAiFront.read(&bytes).unwrap().input.chat().unwrap().clone();
    let Part::Image { source: Source::Base64 { data: found, media_type }, extra } =
        &chat.messages[0].parts[0]
    else {
        panic!("no picture")
    };
    assert_eq!((media_type.as_str(), extra.get("image_url.detail").unwrap().get()), ("image/png", "\"low\""));
    assert!(bytes.as_ptr_range().contains(&found.to_str().as_ptr()), "copied");
    // Received in another format, so it is written anew.
    let input = Input::received(exec_core::Wire::new("other"), bytes.clone(), chat);
    let encoded = OpenAi::default().encode(&Request::new(Operation::CHAT, input), "m").unwrap();
    let shared = encoded.body.segments().iter().filter(|s| bytes.as_ptr_range().contains(&s.as_ptr()));
    assert_eq!(shared.map(Bytes::len).sum::<usize>(), 150_000);
    assert_eq!(json_of(&encoded), body);
}

#[test]
fn a_complete_answer_is_read_and_written() {
    let given = json!({
        "id": "c1", "object": "chat.completion", "created": 5, "model": "up",
        "choices": [{"index": 0, "logprobs": null, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "hi", "refusal": null, "reasoning_content": "hm",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
                {"id": "b", "type": "custom", "custom": {"name": "g", "input": "raw"}}
            ]
        }}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 1}}
    });
    let answer = OpenAi::default().decode(&Operation::CHAT, &given.to_string().into()).unwrap();
    let usage = Usage { input: 3, output: 4, cache_read: 2, cache_write: 0, reasoning: 1 };
    assert_eq!(answer.output.summary.usage, Some(usage));
    let mut reply = Reply { created: 5, ..Reply::default() };
    (reply.report.id, reply.report.model) = (answer.id, answer.model);
    let written: Value = serde_json::from_slice(&OpenAiFront.answer(&answer.output, &reply)).unwrap();
    assert_eq!(written, given);
}

#[test]
fn what_is_no_answer_is_an_error() {
    let read = |body: &'static str| {
        OpenAi::default().decode(&Operation::CHAT, &Bytes::from_static(body.as_bytes())).unwrap_err()
    };
    assert_eq!(read(r#"{"error":{"code":503,"message":"overloaded"}}"#).kind(), ErrorKind::Overloaded);
    for body in ["", "{}", r#"{"choices":[]}"#, "<html>", r#"{"choices":null}"#, "[1]"] {
        assert_eq!(read(body).code(), "malformed_answer", "{body}");
    }
    assert_eq!(read(r#"{"choices":[{"message":{},"finish_reason":"error"}]}"#).kind(), ErrorKind::Upstream);
}

#[test]
fn errors_name_every_wrong_field() {
    let error = OpenAiFront.read(&Bytes::from_static(br#"{"model":1,"messages":[]}"#)).unwrap_err();
    let json: Value = serde_json::from_slice(&OpenAiFront.error(&error, "r1")).unwrap();
    assert_eq!(json["error"]["param"], "model");
    assert_eq!(json["error"]["type"], "invalid_request_error");
    assert_eq!(json["error"]["code"], "invalid_request");
    assert_eq!(json["error"]["request_id"], "r1");
    assert_eq!(
        json["error"]["errors"][1],
        json!({"path": "messages", "code": "empty", "message": "must hold at least one message"})
    );
}
