//! Requests as callers send them, right and wrong.

use super::*;
use exec_core::chat::{Tool, ToolChoice};
use exec_core::{Part, Role};
use serde_json::json;

fn errors(body: &Value) -> Vec<(String, &'static str)> {
    let error = OpenAiFront.read(&body.to_string().into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    error.fields().iter().map(|field| (field.path.clone(), field.code)).collect()
}

fn error_with(key: &str, value: Value) -> Vec<(String, &'static str)> {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    body[key] = value;
    errors(&body)
}

#[test]
fn everything_wrong_is_said_at_once() {
    let body = json!({
        "messages": [
            {"role": "wizard", "content": "x"},
            {"role": "user"},
            {"role": "user", "content": 7},
            {"role": "user", "content": [{"text": "x"}, {"type": "text"}, {"type": "image_url", "image_url": "u"}]},
            {"role": "tool", "content": "x"},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}}]},
            "hi"
        ],
        "temperature": 3, "top_p": "x", "max_tokens": 0, "stream": "yes", "n": 2, "stop": 5,
        "tools": [{"type": "function"}], "tool_choice": "maybe", "frequency_penalty": -3
    });
    let expected = [
        ("model", "required"),
        ("stream", "invalid_type"),
        ("n", "unsupported"),
        ("messages[0].role", "invalid_value"),
        ("messages[1].content", "required"),
        ("messages[2].content", "invalid_type"),
        ("messages[3].content[0].type", "required"),
        ("messages[3].content[1].text", "required"),
        ("messages[3].content[2].image_url", "invalid_type"),
        ("messages[4].tool_call_id", "required"),
        ("messages[5].tool_calls[0].function.arguments", "invalid_type"),
        ("messages[6]", "invalid_type"),
        ("tools[0].function", "required"),
        ("tool_choice", "invalid_value"),
        ("temperature", "out_of_range"),
        ("top_p", "invalid_type"),
        ("frequency_penalty", "out_of_range"),
        ("max_tokens", "out_of_range"),
        ("stop", "invalid_type"),
    ];
    assert_eq!(errors(&body), expected.map(|(path, code)| (path.to_owned(), code)));
}

#[test]
fn single_fields_are_checked() {
    for (key, value, code) in [
        ("messages", json!([]), "empty"),
        ("messages", json!({}), "invalid_type"),
        ("model", json!(""), "required"),
        ("model", json!(null), "required"),
        ("max_completion_tokens", json!(1.5), "invalid_type"),
        ("max_tokens", json!(-1), "out_of_range"),
        ("seed", json!("x"), "invalid_type"),
        ("tools", json!([{"type": "function", "function": {"name": "f", "parameters": 1}}]), "invalid_type"),
    ] {
        assert_eq!(error_with(key, value.clone())[0].1, code, "{key} {value}");
    }
    assert_eq!(
        error_with("stream_options", json!({"include_usage": 1}))[0].0,
        "stream_options.include_usage"
    );
    assert_eq!(error_with("stop", json!(["a", 1]))[0].0, "stop[1]");
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    let read = |body: &[u8]| OpenAiFront.read(&Bytes::copy_from_slice(body)).unwrap_err();
    assert!(
        read(b"{\n  \"model\": ").message().contains("line 2, column 11"),
        "{}",
        read(b"{\n  \"model\": ")
    );
    assert!(read(b"{\"model\": \"\xff\"}").message().contains("byte 11"));
    assert_eq!(read(b"{\"model\": \"\xff\"}").code(), "invalid_utf8");
    assert_eq!(read(b" ").code(), "invalid_json");
    assert_eq!(read(b"[1]").code(), "invalid_json");
    assert_eq!(read(b"{} {}").code(), "invalid_json");
    assert_eq!(read(&b"[".repeat(1_000_000)).code(), "too_deep");
    assert_eq!(read(&br#"{"a":"#.repeat(1_000_000)).code(), "too_deep");
    let twice = read(br#"{"model":"a","model":"b","messages":[{"role":"user","content":"[[{\"[["}]}"#);
    assert_eq!((twice.fields()[0].path.as_str(), twice.fields()[0].code), ("model", "duplicate"));
    let half = read(br#"{"model":"a","messages":[{"role":"user","content":"\ud800"}]}"#);
    assert_eq!(half.fields()[0].path, "messages[0].content");
}

#[test]
fn values_that_could_not_be_told_apart_later_are_refused() {
    for (value, ok) in [
        ("1e400", false),
        (r#"["\ud800"]"#, false),
        (r#"{"\ud800":1}"#, false),
        (r#"{"a":[null,-1.5e3,"\ud83d\ude00"]}"#, true),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"x":{value}}}"#);
        let read = OpenAiFront.read(&body.into());
        assert_eq!(read.err().map(|e| e.fields()[0].path.clone()), (!ok).then(|| "x".to_owned()), "{value}");
    }
}

#[test]
fn floods_are_bounded() {
    let many: String = (0..100_000).map(|i| format!(r#","k{i}":{i}"#)).collect();
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}]{many}}}"#);
    assert_eq!(OpenAiFront.read(&body.into()).unwrap_err().fields()[0].code, "too_many");
    let wrong = json!({"model": "m", "messages": vec![1; 100_000]});
    assert_eq!(errors(&wrong).len(), 100);
}

#[test]
fn a_rich_request_is_read() {
    let body = json!({
        "model": "m", "stream": true, "temperature": null, "n": 1, "max_completion_tokens": 7, "stop": "END",
        "messages": [
            {"role": "developer", "content": "d", "name": "ops"},
            {"role": "assistant", "content": null, "refusal": "no", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\":\"\\u00e9\"}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "r"}]},
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA"}}]}
        ],
        "tools": [{"type": "function", "function": {"name": "f", "strict": true}}, {"type": "web_search"}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "logit_bias": {"1": 2}
    });
    let request = OpenAiFront.read(&body.to_string().into()).unwrap();
    assert!(request.options.stream);
    assert_eq!(request.model.as_deref(), Some("m"));
    let chat = request.input.chat().unwrap();
    assert_eq!(chat.messages[0].role, Role::Developer);
    assert_eq!(chat.messages[0].name.as_deref(), Some("ops"));
    assert!(
        matches!(&chat.messages[1].parts[..], [Part::ToolCall(call)] if &call.arguments == r#"{"x":"\u00e9"}"#)
    );
    assert_eq!(chat.messages[1].extra.get("refusal").unwrap().get(), "\"no\"");
    assert!(matches!(&chat.messages[2].parts[..], [Part::ToolResult(result)] if result.id == "a"));
    assert!(matches!(&chat.messages[3].parts[..], [Part::Opaque(audio)] if audio.kind == "input_audio"));
    assert!(matches!(&chat.tools[1], Tool::Opaque(tool) if tool.kind == "web_search"));
    assert_eq!(chat.tool_choice, Some(ToolChoice::Named("f".into())));
    assert_eq!((chat.sampling.max_tokens, chat.sampling.temperature), (Some(7), None));
    assert_eq!(chat.sampling.stop, ["END"]);
    let foreign = chat.inexpressible_in(exec_core::Wire::new("other"));
    let expected =
        ["input_audio", "logit_bias", "messages[].refusal", "tools[].function.strict", "tools[].web_search"];
    assert_eq!(foreign, expected);
}

#[test]
fn large_texts_lie_where_they_were_received() {
    let prompt = "ü\\n".repeat(1 << 20);
    let body = Bytes::from(format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"{prompt}"}},{{"role":"user","content":"plain"}}],"blob":"{prompt}"}}"#
    ));
    let request = OpenAiFront.read(&body).unwrap();
    let chat = request.input.chat().unwrap();
    let inside = |part: &[u8]| body.as_ptr_range().contains(&part.as_ptr());
    assert!(inside(chat.extra.get("blob").unwrap().bytes()));
    let Part::Text { text, .. } = &chat.messages[1].parts[0] else { panic!("no text") };
    assert!(inside(text.to_str().as_bytes()));
    assert!(std::ptr::eq(request.input.bytes_in(CHAT).unwrap().as_ptr(), body.as_ptr()));
}
