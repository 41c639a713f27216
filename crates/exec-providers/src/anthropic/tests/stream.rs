//! What streamed and complete answers of the provider mean.

use std::collections::VecDeque;

use bytes::Bytes;
use exec_core::chat::{Part, Reasoning};
use exec_core::{Chunk, ErrorKind, Finish, Operation, Usage};
use serde_json::{Value, json};

use super::super::stream::Stream;
use super::super::{Anthropic, MESSAGES};
use super::{decode, events, fold, sse};
use crate::format::{Decode, Format};

fn start(index: u64, block: &Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: &Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

/// One of everything, as it comes.
fn everything() -> Vec<Value> {
    vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "usage":
            {"input_tokens": 10, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 1}}}),
        start(0, &json!({"type": "thinking", "thinking": "", "signature": ""})),
        json!({"type": "ping"}),
        delta(0, &json!({"type": "thinking_delta", "thinking": "Let me"})),
        delta(0, &json!({"type": "thinking_delta", "thinking": " see"})),
        delta(0, &json!({"type": "signature_delta", "signature": "c2ln"})),
        stop(0),
        start(1, &json!({"type": "redacted_thinking", "data": "ab=="})),
        stop(1),
        start(2, &json!({"type": "text", "text": ""})),
        delta(2, &json!({"type": "text_delta", "text": "Grüß"})),
        delta(2, &json!({"type": "citations_delta", "citation": {"cited_text": "x"}})),
        delta(2, &json!({"type": "text_delta", "text": " Gott"})),
        stop(2),
        start(3, &json!({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}})),
        delta(3, &json!({"type": "input_json_delta", "partial_json": ""})),
        delta(3, &json!({"type": "input_json_delta", "partial_json": "{\"query\":"})),
        delta(3, &json!({"type": "input_json_delta", "partial_json": "\"a\"}"})),
        stop(3),
        start(4, &json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}})),
        delta(4, &json!({"type": "input_json_delta", "partial_json": ""})),
        stop(4),
        json!({"type": "brand_new_event", "x": 1}),
        start(5, &json!({"type": "tool_use", "id": "t2", "name": "g", "input": {}})),
        delta(5, &json!({"type": "input_json_delta", "partial_json": "{\"a\":\"\\"})),
        delta(5, &json!({"type": "input_json_delta", "partial_json": "n\"}"})),
        stop(5),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null},
               "usage": {"output_tokens": 20}}),
        json!({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 25}}),
        json!({"type": "message_stop"}),
    ]
}

#[test]
fn every_kind_of_block_arrives() {
    let output = fold(decode(sse(&everything()), false).unwrap());
    let kinds: Vec<String> = output
        .parts()
        .iter()
        .map(|part| match part {
            Part::Reasoning(Reasoning { text, signature, .. }) => {
                format!("{text}/{}", signature.clone().unwrap())
            }
            Part::Text { text, .. } => text.to_string(),
            Part::ToolCall(call) => format!("{} {} {}", call.id, call.name, call.arguments),
            Part::Opaque(opaque) => format!("{} {:?}", opaque.kind, opaque.value),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "Let me see/c2ln",
            r#"redacted_thinking {"data":"ab==","type":"redacted_thinking"}"#,
            "Grüß Gott",
            r#"server_tool_use {"id":"s1","input":{"query":"a"},"name":"web_search","type":"server_tool_use"}"#,
            "t1 f {}",
            r#"t2 g {"a":"\n"}"#,
        ]
    );
    assert_eq!(output.summary.finish, Finish::ToolCalls);
    let usage = Usage { input: 16, output: 25, cache_read: 4, cache_write: 2, reasoning: 0 };
    assert_eq!(output.summary.usage, Some(usage));
}

#[test]
fn tool_calls_are_counted_from_zero() {
    let chunks = decode(sse(&everything()), false).unwrap();
    let indices = chunks.iter().filter_map(|chunk| match chunk {
        Chunk::ToolCall(delta) if delta.id.is_some() => Some(delta.index),
        _ => None,
    });
    assert_eq!(indices.collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn kept_events_are_all_there_and_mean_the_same() {
    let list = sse(&everything());
    let chunks = decode(list.clone(), true).unwrap();
    assert_eq!(chunks.len(), list.len() + 1);
    for (event, chunk) in list.iter().zip(&chunks) {
        let Chunk::Verbatim(kept) = chunk else { panic!("{chunk:?}") };
        assert_eq!((kept.wire, &kept.data), (MESSAGES, &event.data));
        assert_eq!(kept.event.as_deref(), Some(event.name().as_bytes()));
    }
    assert!(matches!(chunks.last(), Some(Chunk::End(_))));
    assert_eq!(fold(chunks), fold(decode(list, false).unwrap()));
}

#[test]
fn a_cut_after_any_event_is_an_error() {
    let list = sse(&everything());
    for length in 0..list.len() {
        let error = decode(list[..length].to_vec(), length % 2 == 0).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Upstream, "stream_cut"), "{length}");
    }
}

#[test]
fn an_error_inside_a_stream_is_one() {
    let mut list = everything()[..5].to_vec();
    list.push(
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded sk-secret"}}),
    );
    let error = decode(sse(&list), true).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Overloaded, "overloaded_error"));
    assert!(!format!("{error:?}").contains("sk-secret"));
    // Without a name, without JSON, without anything.
    for text in ["data: {\"error\":{\"type\":\"overloaded_error\"}}\n\n", "event: error\ndata: oops\n\n"] {
        assert!(decode(events(&Bytes::from_static(text.as_bytes())), false).is_err());
    }
}

#[test]
fn broken_events_are_errors_and_unknown_ones_are_not() {
    for text in [
        "event: message_start\ndata: {\"type\":\"message_start\"}\n\n",
        "event: content_block_delta\ndata: {\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n",
        "event: content_block_start\ndata: {\"index\":0}\n\n",
        "event: content_block_start\ndata: nonsense\n\n",
        "data: nonsense\n\n",
    ] {
        let error = decode(events(&Bytes::from_static(text.as_bytes())), false).unwrap_err();
        assert_eq!(error.code(), "malformed_answer", "{text}");
    }
    let unknown = "event: new\ndata: nonsense\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    assert_eq!(decode(events(&Bytes::from_static(unknown.as_bytes())), false).unwrap().len(), 1);
}

#[test]
fn a_proof_without_words_stays_in_its_block() {
    let thought = |index: u64, signature: &str| {
        [
            start(index, &json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(index, &json!({"type": "signature_delta", "signature": signature})),
            stop(index),
        ]
    };
    let list =
        [thought(0, "A").to_vec(), thought(1, "B").to_vec(), vec![json!({"type": "message_stop"})]].concat();
    let streamed = fold(decode(sse(&list), false).unwrap());
    let body = json!({"content": [
        {"type": "thinking", "thinking": "", "signature": "A"},
        {"type": "thinking", "thinking": "", "signature": "B"}
    ]});
    let whole = Anthropic::new().decode(&Operation::CHAT, &Bytes::from(body.to_string())).unwrap().output;
    assert_eq!(streamed.parts(), whole.parts());
    assert_eq!(streamed.parts().len(), 2);
}

#[test]
fn a_complete_answer_is_read() {
    let body = json!({
        "id": "msg_1", "type": "message", "model": "claude-x", "role": "assistant", "stop_reason": "stop_sequence",
        "stop_sequence": "END", "usage": {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": null},
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "a", "citations": null},
            {"type": "text", "text": "b"},
            {"type": "text", "text": "c", "citations": [{"x": 1}]},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
        ]
    });
    let answer = Anthropic::new().decode(&Operation::CHAT, &Bytes::from(body.to_string())).unwrap();
    assert_eq!((answer.id.as_deref(), answer.model.as_deref()), (Some("msg_1"), Some("claude-x")));
    assert_eq!(answer.output.text(), "abc");
    assert_eq!(answer.output.parts().len(), 4);
    assert_eq!(answer.output.summary.stop_sequence.as_deref(), Some("END"));
    assert_eq!(answer.output.summary.usage.unwrap().input, 3);
    for body in ["", "{}", "[]", "{\"content\":[{}]}", "{\"content\":5}"] {
        let error =
            Anthropic::new().decode(&Operation::CHAT, &Bytes::from_static(body.as_bytes())).unwrap_err();
        assert_eq!(error.code(), "malformed_answer", "{body}");
    }
}

#[test]
fn what_a_stream_makes_us_keep_is_bounded() {
    let piece = "x".repeat(1 << 20);
    let mut list = vec![start(0, &json!({"type": "server_tool_use", "input": {}}))];
    list.extend((0..17).map(|_| delta(0, &json!({"type": "input_json_delta", "partial_json": piece}))));
    assert_eq!(decode(sse(&list), false).unwrap_err().code(), "malformed_answer");
    let open: Vec<_> = (0..65).map(|index| start(index, &json!({"type": "text", "text": ""}))).collect();
    assert_eq!(decode(sse(&open), false).unwrap_err().code(), "malformed_answer");
}

#[test]
fn blocks_that_nobody_ended_end_with_the_message() {
    let list = [
        start(0, &json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}})),
        start(1, &json!({"type": "redacted_thinking", "data": "x"})),
        json!({"type": "message_stop"}),
    ];
    for verbatim in [true, false] {
        let output = fold(decode(sse(&list), verbatim).unwrap());
        assert_eq!(&output.tool_calls().next().unwrap().arguments, "{\"a\":1}");
        assert_eq!(output.parts().len(), 2);
    }
}

#[test]
fn half_a_character_does_not_cost_the_text() {
    let text = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ab\ud83d"}}"#;
    let begin = start(0, &json!({"type": "text", "text": ""}));
    let bytes = format!("data: {begin}\n\ndata: {text}\n\ndata: {{\"type\":\"message_stop\"}}\n\n");
    let output = fold(decode(events(&Bytes::from(bytes)), false).unwrap());
    assert!(output.text().starts_with("ab\u{fffd}"));
    let body = r#"{"content":[{"type":"text","text":"ab\ud83d"}]}"#;
    let answer = Anthropic::new().decode(&Operation::CHAT, &Bytes::from(body)).unwrap();
    assert!(answer.output.text().starts_with("ab\u{fffd}"));
}

#[test]
fn an_error_with_a_good_status_is_one() {
    let body = json!({"type": "error", "error": {"type": "overloaded_error", "message": "sk-x busy"}});
    let format = Anthropic::new().with_key("sk-x".to_owned().into());
    let error = format.decode(&Operation::CHAT, &Bytes::from(body.to_string())).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Overloaded, "[redacted] busy"));
}

#[test]
fn models_are_listed() {
    let list = super::super::model_list(["a", "b"]);
    assert_eq!(Anthropic::new().models(&list).unwrap(), ["a", "b"].map(std::sync::Arc::<str>::from));
    assert!(Anthropic::new().models(&Bytes::from_static(b"{\"data\":[{}]}")).is_err());
    let value: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(
        (&value["first_id"], &value["last_id"], &value["has_more"]),
        (&json!("a"), &json!("b"), &json!(false))
    );
}

#[test]
fn unusual_pieces_mean_the_same_as_usual_ones() {
    let delta = |data: &str| {
        let start = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text"}}"#;
        let text = format!("data: {start}\n\nevent: content_block_delta\ndata: {data}\n\n");
        let mut stream = Stream::new(false, Default::default());
        let mut out = VecDeque::new();
        events(&text.into()).into_iter().try_for_each(|event| stream.event(event, &mut out)).map(|()| out)
    };
    let usual = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#;
    for unusual in [
        usual,
        r#" {"type":"content_block_delta","index":0,"delta":{"text":"hi"},"x":[{}]}"#,
        r#"{"type":"content\u005fblock_delta","index":0,"delta":{"text":"h\u0069"}}"#,
        r#"{"type":"content_block_delta","index":7,"index":0,"delta":{"text":"no","text":"hi","thinking":7}}"#,
    ] {
        assert_eq!(delta(unusual).unwrap(), [Chunk::Text("hi".into())], "{unusual}");
    }
    assert!(delta(r#"{"type":"ping","index":0,"delta":{"text":"hi"}}"#).unwrap().is_empty());
    assert!(delta(r#"{"type":"content_block_delta","index":0,"delta":{"text":null}}"#).unwrap().is_empty());
    let half = delta(r#"{"type":"content_block_delta","index":0,"delta":{"text":"a\ud800"}}"#).unwrap();
    assert!(matches!(&half[0], Chunk::Text(text) if text.starts_with("a\u{fffd}")), "{half:?}");
    for broken in
        [r#"["content_block_delta",0,{"text":"hi"}]"#, r#"{"type":"content_block_delta","index":0}"#]
    {
        assert_eq!(delta(broken).unwrap_err().code(), "malformed_answer", "{broken}");
    }
}
