//! What requests say, and what is wrong with them.

use bytes::Bytes;
use exec_core::chat::{Part, Role, Source, Tool, ToolChoice};
use exec_core::{Error, ErrorKind};
use serde_json::{Value, json};

use super::super::{AnthropicFront, MESSAGES};
use super::read;
use crate::format::Front;

fn faults(error: &Error) -> Vec<(&str, &str)> {
    error.fields().iter().map(|field| (field.path.as_str(), field.code)).collect()
}

fn with_content(content: &Value) -> Value {
    json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": content}]})
}

#[test]
fn a_request_is_read_with_everything_in_it() {
    let request = read(&json!({
        "model": "claude", "max_tokens": 100, "stream": true, "temperature": 0.5, "top_p": 0.9, "top_k": 4,
        "stop_sequences": ["END"], "thinking": {"type": "enabled"}, "metadata": {"user_id": "u"},
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        "tools": [
            {"name": "f", "description": "d", "input_schema": {"type": "object"}, "cache_control": {"x": 1}},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
        ],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1.50}}
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": "no"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "file", "file_id": "f1"}}
            ]}
        ]
    }))
    .unwrap();
    assert_eq!((request.model.as_deref(), request.options.stream), (Some("claude"), true));
    assert!(request.input.bytes_in(MESSAGES).is_some());
    let chat = request.input.chat().unwrap();
    let roles: Vec<_> = chat.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool, Role::User]);
    let sampling = &chat.sampling;
    assert_eq!((sampling.max_tokens, sampling.top_k, sampling.stop.len()), (Some(100), Some(4), 1));
    assert_eq!(
        (chat.tool_choice.clone(), chat.parallel_tool_calls),
        (Some(ToolChoice::Named("f".into())), Some(false))
    );
    assert!(chat.extra.get("thinking").is_some() && chat.extra.get("metadata").is_some());
    let [Part::Reasoning(thought), Part::Opaque(redacted), Part::ToolCall(call)] =
        &chat.messages[2].parts[..]
    else {
        panic!("{:?}", chat.messages[2])
    };
    assert_eq!(thought.signature.as_ref().unwrap(), "c2ln");
    assert_eq!(redacted.kind, "redacted_thinking");
    assert!(call.arguments.to_str().contains('1'));
    let Part::ToolResult(result) = &chat.messages[3].parts[0] else { panic!() };
    assert!(result.failed && result.parts[0] == Part::text("no"));
    assert!(matches!(&chat.messages[4].parts[0], Part::Image { source: Source::Base64 { .. }, .. }));
    assert!(matches!(&chat.messages[4].parts[1], Part::Opaque(image) if image.kind == "image"));
    assert!(matches!(&chat.tools[0], Tool::Function(f) if f.extra.get("cache_control").is_some()));
    assert!(matches!(&chat.tools[1], Tool::Opaque(t) if t.kind == "web_search_20250305"));
}

#[test]
fn everything_wrong_is_named_at_once() {
    let error = read(&json!({
        "max_tokens": 0, "temperature": 1.5, "top_p": "much", "top_k": -1, "stop_sequences": "END", "stream": "yes",
        "tools": [{"name": "f"}, {"input_schema": []}], "tool_choice": {"type": "maybe"},
        "messages": [
            {"role": "system", "content": "x"},
            {"role": "user"},
            {"role": "user", "content": 5},
            {"role": "user", "content": [{"text": "x"}, {"type": "text"}, 7]}
        ]
    }))
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(
        faults(&error),
        [
            ("model", "required"),
            ("stream", "invalid_type"),
            ("max_tokens", "out_of_range"),
            ("temperature", "out_of_range"),
            ("top_p", "invalid_type"),
            ("top_k", "invalid_type"),
            ("stop_sequences", "invalid_type"),
            ("messages[0].role", "invalid_value"),
            ("messages[1].content", "required"),
            ("messages[2].content", "invalid_type"),
            ("messages[3].content[0].type", "required"),
            ("messages[3].content[1].text", "required"),
            ("messages[3].content[2]", "invalid_type"),
            ("tools[0].input_schema", "required"),
            ("tools[1].name", "required"),
            ("tools[1].input_schema", "invalid_type"),
            ("tool_choice.type", "invalid_value"),
        ]
    );
}

#[test]
fn missing_and_empty_are_told_apart_from_wrong() {
    assert_eq!(
        faults(&read(&json!({"model": "m"})).unwrap_err()),
        [("max_tokens", "required"), ("messages", "required")]
    );
    let error = read(&json!({"model": " ", "max_tokens": "5", "messages": []})).unwrap_err();
    assert_eq!(
        faults(&error),
        [("model", "required"), ("max_tokens", "invalid_type"), ("messages", "required")]
    );
}

#[test]
fn a_broken_body_is_shown_where_it_breaks() {
    let fail = |body: &'static [u8]| AnthropicFront.read(&Bytes::from_static(body)).unwrap_err();
    let error = fail(b"{\"model\": \"m\",\n  \"a\": }");
    assert_eq!(error.code(), "invalid_json");
    assert!(error.message().contains("line 2, column 8"), "{error}");
    let error = fail(b"{\"a\": \"\xff\"}");
    assert!(error.message().contains("byte 7"), "{error}");
    assert_eq!(faults(&fail(b"[]")), [("body", "invalid_type")]);
    assert_eq!(fail(b"").code(), "invalid_json");
    let error =
        fail(br#"{"model":"m","model":"n","max_tokens":1,"messages":[{"role":"user","content":"\ud800"}]}"#);
    assert_eq!(faults(&error), [("model", "duplicate"), ("messages[0].content", "invalid_value")]);
}

#[test]
fn large_texts_and_pictures_stay_in_the_body() {
    let large = "x".repeat(100_000);
    let body = Bytes::from(
        with_content(&json!([
            {"type": "text", "text": large},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": large}},
            {"type": "document", "source": {"data": large}},
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": large}]}
        ]))
        .to_string(),
    );
    let request = AnthropicFront.read(&body).unwrap();
    let chat = request.input.chat().unwrap();
    let inside = |at: *const u8| assert!(body.as_ptr_range().contains(&at), "copied");
    for part in chat.messages.iter().flat_map(|message| &message.parts) {
        match part {
            Part::Text { text, .. } => inside(text.to_str().as_ptr()),
            Part::Image { source: Source::Base64 { data, .. }, .. } => inside(data.to_str().as_ptr()),
            Part::Opaque(opaque) => inside(opaque.value.bytes().as_ptr()),
            Part::ToolResult(result) => match &result.parts[0] {
                Part::Text { text, .. } => inside(text.to_str().as_ptr()),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_depth_bomb_does_not_reach_the_stack() {
    let depth = 200_000;
    for content in [
        format!("{}{}", "[".repeat(depth), "]".repeat(depth)),
        format!("[{{\"type\":\"x\",\"a\":{}{}}}]", "[".repeat(depth), "]".repeat(depth)),
        format!(
            "{}1{}",
            "[{\"type\":\"tool_result\",\"tool_use_id\":\"a\",\"content\":".repeat(depth),
            "}]".repeat(depth)
        ),
    ] {
        let body =
            format!(r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":{content}}}]}}"#);
        assert_eq!(AnthropicFront.read(&body.into()).unwrap_err().code(), "too_deep");
    }
}

#[test]
fn a_conversation_has_what_another_format_needs() {
    let request = read(&json!({"model": "m", "max_tokens": 5, "system": "s", "messages": [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}},
                                          {"type": "tool_use", "id": "b", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"},
                                     {"type": "tool_result", "tool_use_id": "b", "content": []},
                                     {"type": "text", "text": "and?"}]}
    ]}))
    .unwrap();
    let messages = &request.input.chat().unwrap().messages;
    let shape: Vec<_> = messages.iter().map(|message| (message.role, message.parts.len())).collect();
    assert_eq!(
        shape,
        [(Role::System, 1), (Role::Assistant, 2), (Role::Tool, 1), (Role::Tool, 1), (Role::User, 1)]
    );
}

#[test]
fn wide_objects_and_many_errors_are_bounded() {
    let many: Vec<Value> = (0..5000).map(|_| json!({})).collect();
    let error = read(&json!({"model": "m", "max_tokens": 1, "messages": many})).unwrap_err();
    assert_eq!(error.fields().len(), 100);
}
