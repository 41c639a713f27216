//! Laws that hold for any input.

use super::*;
use exec_core::chat::{Reasoning, ToolCall};
use exec_core::{Finish, Operation, Part, Request, Summary, Usage};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z\"\\\\\n\u{0}é😀]{0,12}", "[a-z]{1,5}"]
}

fn unknown() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), text().prop_map(Value::from)];
    leaf.prop_recursive(3, 8, 3, |inner| vec(inner, 0..3).prop_map(Value::from))
}

/// An object with an unknown member more.
fn with_unknown(object: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (object, option::of(("x_[a-z]{1,6}", unknown()))).prop_map(|(mut object, more)| {
        if let Some((key, value)) = more {
            object[key] = value;
        }
        object
    })
}

fn part() -> impl Strategy<Value = Value> {
    let image = |url: String| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}});
    with_unknown(prop_oneof![
        text().prop_map(|text| json!({"type": "text", "text": text})),
        text().prop_map(image),
        "[A-Za-z0-9+/]{0,9}".prop_map(move |data| image(format!("data:image/png;base64,{data}"))),
        text().prop_map(|data| json!({"type": "input_audio", "input_audio": {"data": data}})),
    ])
}

fn content() -> impl Strategy<Value = Value> {
    prop_oneof![text().prop_map(Value::from), vec(part(), 0..4).prop_map(Value::from)]
}

fn call() -> impl Strategy<Value = Value> {
    with_unknown(prop_oneof![
        (text(), text(), text()).prop_map(|(id, name, arguments)| json!({"id": id, "type": "function",
            "function": {"name": name, "arguments": arguments, "y": 1}})),
        text().prop_map(|id| json!({"id": id, "type": "custom", "custom": {"name": "x", "input": id}})),
    ])
}

fn message() -> impl Strategy<Value = Value> {
    let said = ("system|developer|user", content())
        .prop_map(|(role, content)| json!({"role": role, "content": content, "name": "n"}));
    let tool = (text(), content())
        .prop_map(|(id, content)| json!({"role": "tool", "tool_call_id": id, "content": content}));
    let answered = (option::of(content()), vec(call(), 0..3))
        .prop_map(|(content, calls)| json!({"role": "assistant", "content": content, "tool_calls": calls}));
    with_unknown(prop_oneof![said, tool, answered])
}

fn request() -> impl Strategy<Value = Value> {
    let choice = prop_oneof![
        Just(json!("auto")),
        Just(json!("required")),
        text().prop_map(|name| json!({"type": "function", "function": {"name": name}})),
        Just(json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto"}})),
    ];
    let base = (vec(message(), 1..5), choice, vec(text(), 0..3), 0.0..2.0, 1_u64..9, any::<i64>());
    with_unknown(base.prop_map(|(messages, choice, stop, temperature, max, seed)| {
        json!({"model": "m", "messages": messages, "tool_choice": choice, "stop": stop, "temperature": temperature,
            "max_completion_tokens": max, "seed": seed, "parallel_tool_calls": false, "top_k": 4,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}, "z": 1},
                {"type": "web_search", "deep": [1]}]})
    }))
}

fn output() -> impl Strategy<Value = Output> {
    let call = (text(), text(), text()).prop_map(|(id, name, arguments)| (id, name, arguments.into()));
    let part = prop_oneof![
        text().prop_map(Part::text),
        text().prop_map(|text| Part::Reasoning(Reasoning { text: text.into(), ..Reasoning::default() })),
        call.prop_map(|(id, name, arguments)| {
            Part::ToolCall(ToolCall { id: format!("id_{id}"), name, arguments, ..ToolCall::default() })
        }),
    ];
    let finish = prop_oneof![
        Just(Finish::Stop),
        Just(Finish::Length),
        Just(Finish::ToolCalls),
        Just(Finish::Filtered),
        Just(Finish::Other("eos".into())),
    ];
    let usage = (0..u64::MAX, 0_u64..9, 0_u64..9, 0_u64..9, 0_u64..9).prop_map(
        |(input, output, cache_read, cache_write, reasoning)| Usage {
            input: input >> 12,
            output,
            cache_read,
            cache_write,
            reasoning,
        },
    );
    (vec(part, 0..6), finish, option::of(usage)).prop_map(|(parts, finish, usage)| {
        let mut output = Output::default();
        let mut seen = std::collections::HashSet::new();
        for (index, mut part) in parts.into_iter().enumerate() {
            if let Part::ToolCall(call) = &mut part
                && !seen.insert(call.id.clone())
            {
                call.id = format!("{}_{index}", call.id);
            }
            output.push(part);
        }
        output.summary = Summary { finish, usage, ..Summary::default() };
        output
    })
}

/// The pieces of an output, its texts cut in two.
fn pieces(output: &Output) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut index = 0;
    for part in output.parts() {
        match part {
            Part::Text { text, .. } => chunks.extend(halves(&text.to_str()).map(Chunk::Text)),
            Part::Reasoning(r) => chunks.extend(halves(&r.text.to_str()).map(Chunk::Reasoning)),
            Part::ToolCall(call) => {
                let [head, tail] = halves(&call.arguments.to_str());
                let (id, name) = (Some(call.id.clone()), Some(call.name.clone()));
                chunks.push(Chunk::ToolCall(exec_core::ToolDelta { index, id, name, arguments: head }));
                chunks.push(Chunk::ToolCall(exec_core::ToolDelta {
                    index,
                    arguments: tail,
                    ..Default::default()
                }));
                index += 1;
            }
            _ => {}
        }
    }
    chunks.push(Chunk::End(output.summary.clone()));
    chunks
}

fn halves(text: &str) -> [String; 2] {
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    [text[..middle].to_owned(), text[middle..].to_owned()]
}

fn usage_wanted() -> Reply {
    Reply { request_id: "r".into(), include_usage: true, ..Reply::default() }
}

proptest! {
    #[test]
    fn reading_what_was_written_anew_gives_the_same(body in request()) {
        let read = OpenAiFront.read(&body.to_string().into()).unwrap();
        let chat = read.input.chat().unwrap().clone();
        let again = OpenAi::default().encode(&Request::chat(chat.clone()), "m").unwrap();
        prop_assert_eq!(&again.dropped, &Vec::<String>::new());
        let read = OpenAiFront.read(&again.body.to_bytes()).unwrap();
        prop_assert_eq!(read.input.chat().unwrap(), &chat);
    }

    #[test]
    fn a_written_stream_is_read_as_the_same_answer(output in output()) {
        let stream = rendered(pieces(&output), usage_wanted());
        for verbatim in [false, true] {
            let (chunks, end) = read_stream(&stream, &encoded(verbatim, false));
            prop_assert!(end.is_ok());
            prop_assert_eq!(&fold(chunks), &output);
        }
    }

    #[test]
    fn a_written_answer_is_read_as_the_same_words(output in output()) {
        let written = OpenAiFront.answer(&output, &usage_wanted());
        let read = OpenAi::default().decode(&Operation::CHAT, &written).unwrap().output;
        prop_assert_eq!(read.text(), output.text());
        prop_assert_eq!(read.tool_calls().collect::<Vec<_>>(), output.tool_calls().collect::<Vec<_>>());
        prop_assert_eq!(read.summary, output.summary);
    }

    #[test]
    fn a_stream_cut_before_its_finish_is_an_error(output in output(), at: prop::sample::Index) {
        let stream = rendered(pieces(&output), usage_wanted());
        let text = std::str::from_utf8(&stream).unwrap();
        let finish = text.rfind("\"finish_reason\":\"").unwrap();
        let cut = at.index(finish);
        let (chunks, end) = read_stream(&stream[..cut], &encoded(false, false));
        let error = end.unwrap_err();
        prop_assert_eq!(error.code(), "stream_cut");
        prop_assert!(!chunks.iter().any(|chunk| matches!(chunk, Chunk::End(_))));
    }

    #[test]
    fn no_bytes_make_a_panic(body: Vec<u8>) {
        let body = Bytes::from(body);
        let _ = OpenAiFront.read(&body);
        let _ = crate::openai::EmbeddingsFront.read(&body);
        let _ = OpenAi::default().decode(&Operation::CHAT, &body);
        let _ = OpenAi::default().decode(&Operation::EMBED, &body);
        let _ = OpenAi::default().models(&body);
    }

    #[test]
    fn no_mutation_makes_a_panic(body in request(), output in output(), at: prop::sample::Index, byte: u8) {
        let mut request = body.to_string().into_bytes();
        let at_request = at.index(request.len());
        request[at_request] = byte;
        let _ = OpenAiFront.read(&request.into());
        let mut stream = rendered(pieces(&output), usage_wanted());
        let at_stream = at.index(stream.len());
        stream[at_stream] = byte & 0x7f;
        if std::str::from_utf8(&stream).is_ok() {
            let _ = read_stream(&stream, &encoded(true, true));
        }
        let mut answer = OpenAiFront.answer(&output, &usage_wanted()).to_vec();
        let at_answer = at.index(answer.len());
        answer[at_answer] = byte;
        let _ = OpenAi::default().decode(&Operation::CHAT, &answer.into());
    }
}
