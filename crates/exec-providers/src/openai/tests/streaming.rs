//! Streams as servers really send them.

use super::*;
use exec_core::{Finish, Summary};

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"c1","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const CALLS: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;

fn calls(deltas: &[&str]) -> Vec<(String, String, String)> {
    let events: Vec<String> = deltas.iter().map(|d| delta(&format!(r#"{{"tool_calls":[{d}]}}"#))).collect();
    let mut events: Vec<&str> = events.iter().map(String::as_str).collect();
    events.extend([CALLS, "[DONE]"]);
    let output = read_events(&events).unwrap();
    assert_eq!(output.summary.finish, Finish::ToolCalls);
    output.tool_calls().map(|c| (c.id.clone(), c.name.clone(), c.arguments.to_str().into_owned())).collect()
}

fn call(id: &str, name: &str, arguments: &str) -> (String, String, String) {
    (id.into(), name.into(), arguments.into())
}

#[test]
fn text_thinking_and_refusal_are_words() {
    let output = read_events(&[
        &delta(r#"{"role":"assistant","content":""}"#),
        &delta(r#"{"reasoning_content":"hm"}"#),
        &delta(r#"{"reasoning":"m","content":null}"#),
        &delta(r#"{"content":"a"}"#),
        &delta(r#"{"content":[{"type":"text","text":"b"}]}"#),
        &delta(r#"{"refusal":"no"}"#),
        STOP,
        "[DONE]",
    ]);
    let output = output.unwrap();
    assert_eq!((output.text().as_str(), output.parts().len()), ("abno", 2));
}

#[test]
fn calls_are_told_apart_as_documented() {
    let expected = [call("a", "f", r#"{"x":1}"#), call("b", "g", "")];
    let deltas = [
        r#"{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}"#,
        r#"{"index":0,"function":{"arguments":"{\"x\""}}"#,
        r#"{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}"#,
        r#"{"index":0,"function":{"arguments":":1}"}}"#,
    ];
    assert_eq!(calls(&deltas), expected);
}

#[test]
fn calls_are_told_apart_whatever_the_index_says() {
    let whole = |index: &str, id: &str| {
        format!(r#"{{{index}{id}"function":{{"name":"f","arguments":"{{\"x\":1}}"}}}}"#)
    };
    let args = r#"{"x":1}"#;
    for index in ["", r#""index":0,"#, r#""index":null,"#, r#""index":"0","#] {
        let found = calls(&[&whole(index, r#""id":"a","#), &whole(index, r#""id":"b","#)]);
        assert_eq!(found, [call("a", "f", args), call("b", "f", args)], "{index}");
        let found = calls(&[&whole(index, ""), &whole(index, r#""id":"","#)]);
        assert_eq!(found, [call("call_c1_0", "f", args), call("call_c1_1", "f", args)], "{index}");
    }
    let one_based = [
        r#"{"index":1,"id":"a","function":{"name":"f","arguments":"{"}}"#,
        r#"{"index":2,"id":"b","function":{"name":"g","arguments":"["}}"#,
        r#"{"index":1,"function":{"arguments":"}"}}"#,
        r#"{"index":2,"id":"b","function":{"name":"g","arguments":"]"}}"#,
    ];
    assert_eq!(calls(&one_based), [call("a", "f", "{}"), call("b", "g", "[]")]);
}

#[test]
fn arguments_may_be_an_object_and_calls_of_the_old_kind() {
    let found = calls(&[r#"{"id":"a","function":{"name":"f","arguments":{"x": 1}}}"#]);
    assert_eq!(found, [call("a", "f", r#"{"x": 1}"#)]);
    let old = [
        &delta(r#"{"function_call":{"name":"f","arguments":"{"}}"#),
        &delta(r#"{"function_call":{"arguments":"}"}}"#),
        CALLS,
    ];
    let output = read_events(&[old[0], old[1], old[2]]).unwrap();
    let arguments: Vec<_> = output.tool_calls().map(|c| c.arguments.to_str().into_owned()).collect();
    assert_eq!(arguments, ["{}"]);
}

#[test]
fn arguments_may_be_cut_inside_an_escape() {
    let arguments = r#"{"text":"a\"b\\nü😀\u00e9"}"#;
    for at in arguments.char_indices().map(|(at, _)| at) {
        let (head, tail) = arguments.split_at(at);
        let (head, tail) = (serde_json::to_string(head).unwrap(), serde_json::to_string(tail).unwrap());
        let found = calls(&[
            &format!(r#"{{"index":0,"id":"a","function":{{"name":"f","arguments":{head}}}}}"#),
            &format!(r#"{{"index":0,"function":{{"arguments":{tail}}}}}"#),
        ]);
        assert_eq!(found, [call("a", "f", arguments)], "{at}");
    }
}

#[test]
fn usage_is_read_wherever_it_stands() {
    let usage = r#""usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}"#;
    let last = |choices: &str| format!(r#"{{"choices":{choices},{usage}}}"#);
    let early =
        r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#;
    for choices in ["[]", "null", r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#] {
        let output = read_events(&[early, STOP, &last(choices), "[DONE]"]).unwrap();
        let usage = output.summary.usage.unwrap();
        assert_eq!((usage.input, usage.output, usage.cache_read, usage.reasoning), (9, 4, 3, 1), "{choices}");
    }
    for none in ["null", "{}", r#"{"prompt_tokens":null}"#] {
        let event = format!(r#"{{"choices":[],"usage":{none}}}"#);
        assert_eq!(read_events(&[STOP, &event, "[DONE]"]).unwrap().summary.usage, None, "{none}");
    }
    let beside = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":8,"completion_tokens_details":{"reasoning_tokens":5}}}"#;
    assert_eq!(read_events(&[STOP, beside, "[DONE]"]).unwrap().summary.usage.unwrap().output, 7);
}

#[test]
fn a_missing_formality_is_forgiven_and_a_cut_is_not() {
    let word = delta(r#"{"content":"a"}"#);
    assert_eq!(read_events(&[&word, STOP]).unwrap().text(), "a");
    for cut in [vec![], vec![word.as_str()]] {
        let error = read_events(&cut).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Upstream, "stream_cut"));
    }
}

#[test]
fn errors_inside_a_stream_end_it() {
    let word = delta(r#"{"content":"a"}"#);
    let read = |event: &str| read_events(&[&word, event, STOP, "[DONE]"]).unwrap_err();
    assert_eq!(read(r#"{"error":{"code":429,"message":"slow"}}"#).kind(), ErrorKind::RateLimited);
    assert_eq!(read(r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#).kind(), ErrorKind::Upstream);
    assert_eq!(read(r#"{"object":"error","message":"x","code":400}"#).kind(), ErrorKind::InvalidRequest);
    for broken in [r#"{"choices":["#, "[]", "nonsense", r#"{"choices":7}"#] {
        let error = read(broken);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Upstream, "malformed_event"), "{broken}");
    }
    let named = b"event: error\ndata: {\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n";
    assert_eq!(read_stream(named, &encoded(false, false)).1.unwrap_err().kind(), ErrorKind::Overloaded);
}

#[test]
fn events_are_forwarded_as_they_came_without_usage_nobody_asked_for() {
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let word = delta(r#"{"content":"a"}"#);
    let stream = stream_of(&[&word, STOP, usage, "[DONE]"]);
    let (chunks, end) = read_stream(&stream, &encoded(true, false));
    end.unwrap();
    assert_eq!(rendered(chunks.clone(), Reply::default()), stream);
    assert!(
        matches!(&chunks[0], Chunk::Verbatim(v) if v.wire == CHAT && v.means == [Chunk::Text("a".into())])
    );
    let (chunks, end) = read_stream(&stream, &encoded(true, true));
    end.unwrap();
    assert_eq!(rendered(chunks.clone(), Reply::default()), stream_of(&[&word, STOP, "[DONE]"]));
    assert_eq!(fold(chunks).summary.usage.unwrap().input, 1);
}

#[test]
fn id_and_model_are_known_from_the_first_event() {
    let mut decoder = OpenAi::default().decoder(&encoded(false, false));
    let mut parser = SseParser::new(1 << 20);
    parser.push(stream_of(&[&delta("{}"), r#"{"id":"other","choices":[]}"#]).into());
    for event in parser {
        decoder.event(event.unwrap(), &mut VecDeque::new()).unwrap();
    }
    assert_eq!((decoder.id().as_deref(), decoder.model().as_deref()), (Some("c1"), Some("m")));
}

#[test]
fn nothing_follows_an_error() {
    let mut renderer = OpenAiFront.renderer(Reply { request_id: "r1".into(), ..Reply::default() });
    let mut out = BytesMut::new();
    renderer.chunk(Chunk::Text("a".into()), &mut out);
    out.clear();
    renderer.error(&Error::new(ErrorKind::Upstream, "it broke").with_code("stream_cut"), &mut out);
    renderer.chunk(Chunk::End(Summary::default()), &mut out);
    let expected = r#"data: {"error":{"message":"it broke","type":"server_error","param":null,"code":"stream_cut","request_id":"r1"}}"#;
    assert_eq!(std::str::from_utf8(&out).unwrap().trim_end(), expected);
}

#[test]
fn a_stream_is_written_as_documented() {
    let event = exec_core::Verbatim {
        wire: exec_core::Wire::new("other"),
        event: Some(Bytes::from_static(b"delta")),
        data: Bytes::from_static(b"{}"),
        means: vec![Chunk::Text("a".into())],
    };
    let call = exec_core::ToolDelta {
        index: 0,
        id: Some("i".into()),
        name: Some("f".into()),
        arguments: "{".into(),
    };
    let more = exec_core::ToolDelta { index: 0, arguments: "}".into(), ..Default::default() };
    let usage = Some(exec_core::Usage { input: 1, output: 2, ..Default::default() });
    let end = Summary { finish: Finish::ToolCalls, usage, ..Summary::default() };
    let chunks = vec![Chunk::Verbatim(event), Chunk::ToolCall(call), Chunk::ToolCall(more), Chunk::End(end)];
    let reply = Reply {
        request_id: "r".into(),
        model: Some("m".into()),
        created: 5,
        include_usage: true,
        ..Reply::default()
    };
    let piece = |delta: &str, finish: &str| {
        format!(
            r#"{{"id":"chatcmpl-r","object":"chat.completion.chunk","created":5,"model":"m","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}],"usage":null}}"#
        )
    };
    let expected = stream_of(&[
        &piece(r#"{"role":"assistant","content":""}"#, "null"),
        &piece(r#"{"content":"a"}"#, "null"),
        &piece(
            r#"{"tool_calls":[{"index":0,"id":"i","type":"function","function":{"name":"f","arguments":"{"}}]}"#,
            "null",
        ),
        &piece(r#"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#, "null"),
        &piece("{}", r#""tool_calls""#),
        r#"{"id":"chatcmpl-r","object":"chat.completion.chunk","created":5,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#,
        "[DONE]",
    ]);
    let written = rendered(chunks, reply);
    assert_eq!(std::str::from_utf8(&written).unwrap(), std::str::from_utf8(&expected).unwrap());
}
