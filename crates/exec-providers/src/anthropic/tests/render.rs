//! What callers are given.

use bytes::{Bytes, BytesMut};
use exec_core::chat::{Part, Reasoning, ToolCall};
use exec_core::{
    Chunk, Error, ErrorKind, FieldError, Finish, Output, Summary, ToolDelta, Usage, Verbatim, Wire,
};
use serde_json::{Value, json};

use super::super::render::Renderer;
use super::super::{AnthropicFront, MESSAGES};
use super::{decode, events, fold, render, reply};
use crate::format::{Front, Render};

fn call(index: u32, first: bool, arguments: &str) -> Chunk {
    let name = |text: String| first.then_some(text);
    let (id, name) = (name(format!("t{index}")), name(format!("f{index}")));
    Chunk::ToolCall(ToolDelta { index, id, name, arguments: arguments.into() })
}

fn names(bytes: &Bytes) -> Vec<String> {
    events(bytes).iter().map(|event| event.name().to_owned()).collect()
}

fn calls(bytes: &Bytes) -> Vec<(String, String)> {
    let output = fold(decode(events(bytes), false).unwrap());
    output.tool_calls().map(|call| (call.id.clone(), call.arguments.to_string())).collect()
}

#[test]
fn events_come_in_their_order() {
    let usage = Usage { input: 10, output: 5, cache_read: 3, cache_write: 1, reasoning: 0 };
    let summary = Summary { finish: Finish::Length, usage: Some(usage), ..Summary::default() };
    let bytes = render(vec![
        Chunk::Reasoning("hm".into()),
        Chunk::Signature("si".into()),
        Chunk::Signature("g".into()),
        Chunk::Text("a".into()),
        Chunk::Text("b".into()),
        Chunk::End(summary),
    ]);
    let expected = "message_start content_block_start content_block_delta content_block_delta content_block_stop \
        content_block_start content_block_delta content_block_delta content_block_stop message_delta message_stop";
    assert_eq!(names(&bytes).join(" "), expected);
    let data: Vec<Value> = events(&bytes).iter().map(|e| serde_json::from_slice(&e.data).unwrap()).collect();
    assert_eq!(data[0]["message"]["id"], "msg_r1");
    assert_eq!(data[0]["message"]["content"], json!([]));
    assert_eq!(data[3]["delta"], json!({"type": "signature_delta", "signature": "sig"}));
    assert_eq!((&data[5]["index"], &data[9]["delta"]["stop_reason"]), (&json!(1), &json!("max_tokens")));
    assert_eq!(
        data[9]["usage"],
        json!({"input_tokens": 6, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 3, "output_tokens": 5})
    );
}

#[test]
fn mixed_tool_calls_become_blocks_one_after_the_other() {
    let bytes = render(vec![
        call(0, true, "{\"a"),
        call(1, true, "{\"b\":"),
        Chunk::Text("said meanwhile".into()),
        call(0, false, "\":1}"),
        call(1, false, "2}"),
        call(2, true, ""),
        Chunk::End(Summary::default()),
    ]);
    let expected = [("t0", "{\"a\":1}"), ("t1", "{\"b\":2}"), ("t2", "{}")];
    assert_eq!(calls(&bytes), expected.map(|(id, text)| (id.to_owned(), text.to_owned())));
    assert!(fold(decode(events(&bytes), false).unwrap()).text() == "said meanwhile");
    let mut open = None;
    for event in events(&bytes) {
        let data: Value = serde_json::from_slice(&event.data).unwrap();
        match event.name() {
            "content_block_start" => assert!(open.replace(data["index"].clone()).is_none()),
            "content_block_delta" => assert_eq!(open.as_ref(), Some(&data["index"])),
            "content_block_stop" => assert_eq!(open.take(), Some(data["index"].clone())),
            _ => assert!(open.is_none()),
        }
    }
}

#[test]
fn calls_one_after_the_other_do_not_wait() {
    let mut renderer = Renderer::new(reply());
    let mut out = BytesMut::new();
    renderer.chunk(call(0, true, "{}"), &mut out);
    renderer.chunk(call(1, true, "{\"x\":"), &mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    assert!(text.contains("t1") && text.contains("{\\\"x\\\":"), "{text}");
}

#[test]
fn what_waits_is_let_go_when_it_is_too_much() {
    let mut chunks = vec![call(0, true, "{")];
    chunks.extend((0..40).map(|_| Chunk::Text("x".repeat(64 << 10))));
    let mut renderer = Renderer::new(reply());
    let mut out = BytesMut::new();
    for chunk in chunks {
        renderer.chunk(chunk, &mut out);
    }
    assert!(out.len() > 2 << 20);
    renderer.chunk(call(0, false, "}"), &mut out);
    renderer.chunk(Chunk::End(Summary::default()), &mut out);
    assert!(
        String::from_utf8(out.to_vec())
            .unwrap()
            .ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
    );
}

fn verbatim(wire: Wire, name: &'static str, data: &'static str, means: Vec<Chunk>) -> Chunk {
    let event = Some(Bytes::from_static(name.as_bytes()));
    Chunk::Verbatim(Verbatim { wire, event, data: Bytes::from_static(data.as_bytes()), means })
}

#[test]
fn events_of_this_format_are_forwarded_as_they_came() {
    let bytes = render(vec![
        verbatim(MESSAGES, "message_start", "{ \"odd\":1.50 }", vec![]),
        verbatim(MESSAGES, "ping", "{}\n{}", vec![]),
        verbatim(MESSAGES, "message_stop", "{}", vec![]),
        Chunk::End(Summary::default()),
    ]);
    let expected = "event: message_start\ndata: { \"odd\":1.50 }\n\nevent: ping\ndata: {}\ndata: {}\n\n\
        event: message_stop\ndata: {}\n\n";
    assert_eq!(bytes, expected);
}

#[test]
fn events_of_other_formats_are_written_by_their_meaning() {
    let other = Wire::new("other");
    let bytes = render(vec![
        verbatim(other, "x", "secret", vec![]),
        verbatim(other, "x", "secret", vec![Chunk::Text("hi".into())]),
        // Too late to forward: the message has begun in our words.
        verbatim(MESSAGES, "message_start", "{}", vec![]),
        verbatim(MESSAGES, "content_block_delta", "{}", vec![Chunk::Text(" there".into())]),
        Chunk::End(Summary::default()),
    ]);
    assert_eq!(fold(decode(events(&bytes), false).unwrap()).text(), "hi there");
    assert_eq!(names(&bytes).iter().filter(|name| *name == "message_start").count(), 1);
}

#[test]
fn our_words_may_follow_forwarded_events() {
    let bytes = render(vec![
        verbatim(MESSAGES, "message_start", r#"{"type":"message_start","message":{}}"#, vec![]),
        verbatim(
            MESSAGES,
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}"#,
            vec![],
        ),
        Chunk::Reasoning("b".into()),
        Chunk::End(Summary::default()),
    ]);
    let output = fold(decode(events(&bytes), false).unwrap());
    assert_eq!((output.text().as_str(), output.parts().len()), ("a", 2));
    assert_eq!(names(&bytes).iter().filter(|name| *name == "content_block_stop").count(), 2);
}

#[test]
fn nothing_follows_an_error() {
    let mut renderer = Renderer::new(reply());
    let mut out = BytesMut::new();
    renderer.chunk(Chunk::Text("hal".into()), &mut out);
    renderer.error(&Error::new(ErrorKind::Overloaded, "too busy"), &mut out);
    let length = out.len();
    renderer.chunk(Chunk::Text("f".into()), &mut out);
    renderer.chunk(Chunk::End(Summary::default()), &mut out);
    renderer.error(&Error::new(ErrorKind::Upstream, "again"), &mut out);
    assert_eq!(out.len(), length);
    let last = events(&out.freeze()).pop().unwrap();
    assert_eq!(last.name(), "error");
    let data: Value = serde_json::from_slice(&last.data).unwrap();
    assert_eq!(
        data,
        json!({"type": "error", "request_id": "r1",
               "error": {"type": "overloaded_error", "message": "too busy", "code": "overloaded"}})
    );
}

#[test]
fn a_complete_answer_is_a_message() {
    let mut output = Output::default();
    output.push(Part::Reasoning(Reasoning {
        text: "hm".into(),
        signature: Some("s".into()),
        ..Reasoning::default()
    }));
    output.push(Part::text("hi"));
    let tool =
        |arguments: &str| ToolCall { name: "f".into(), arguments: arguments.into(), ..ToolCall::default() };
    output.push(Part::ToolCall(ToolCall { id: "t".into(), ..tool("{\"a\":1.50}") }));
    output.push(Part::ToolCall(tool("{\"broken")));
    output.summary.stop_sequence = Some("END".into());
    output.summary.usage = Some(Usage { input: 9, output: 2, cache_read: 4, cache_write: 1, reasoning: 0 });
    let bytes = AnthropicFront.answer(&output, &reply());
    assert!(String::from_utf8(bytes.to_vec()).unwrap().contains("{\"a\":1.50}"));
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        value,
        json!({
            "id": "msg_r1", "type": "message", "role": "assistant", "model": "claude",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "hi"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1.5}},
                {"type": "tool_use", "id": "toolu_3", "name": "f", "input": {"invalid_arguments": "{\"broken"}}
            ],
            "stop_reason": "stop_sequence", "stop_sequence": "END",
            "usage": {"input_tokens": 4, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 4, "output_tokens": 2}
        })
    );
}

#[test]
fn an_error_lists_every_wrong_field() {
    let error = Error::invalid(vec![FieldError::new("model", "required", "is required")]);
    let value: Value = serde_json::from_slice(&AnthropicFront.error(&error, "r9")).unwrap();
    assert_eq!(value["error"]["type"], "invalid_request_error");
    assert_eq!(
        value["error"]["errors"][0],
        json!({"path": "model", "code": "required", "message": "is required"})
    );
    assert_eq!(value["request_id"], "r9");
}
