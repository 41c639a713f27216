//! Laws that hold for everything.

use std::collections::VecDeque;

use bytes::Bytes;
use exec_core::chat::{Opaque, Part, Reasoning, ToolCall};
use exec_core::{Chunk, Finish, Operation, Output, Response, Usage};
use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::stream::Stream;
use super::super::{Anthropic, AnthropicFront, MESSAGES};
use super::{decode, encode, events, fold, read, render, reply};
use crate::format::{Decode, Format, Front};

fn words() -> impl Strategy<Value = String> {
    "[a-zäß\"\\\\\n🦀 ]{1,12}"
}

fn object() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("[a-z\"]{1,3}", words().prop_map(Value::from), 0..3)
        .prop_map(|map| json!(map))
}

fn user_block() -> impl Strategy<Value = Value> {
    prop_oneof![
        words().prop_map(|text| json!({"type": "text", "text": text})),
        (words(), object()).prop_map(|(text, x)| json!({"type": "text", "text": text, "cache_control": x})),
        words().prop_map(|url| json!({"type": "image", "source": {"type": "url", "url": url}})),
        object().prop_map(|x| json!({"type": "document", "source": x})),
    ]
}

fn result_block() -> impl Strategy<Value = Value> {
    let content = prop_oneof![
        words().prop_map(Value::from),
        proptest::collection::vec(user_block(), 1..3).prop_map(Value::from)
    ];
    (content, any::<bool>(), object()).prop_map(|(content, failed, x)| {
        json!({"type": "tool_result", "tool_use_id": "t", "content": content, "is_error": failed, "cache_control": x})
    })
}

fn model_block() -> impl Strategy<Value = Value> {
    prop_oneof![
        words().prop_map(|text| json!({"type": "text", "text": text})),
        (words(), words()).prop_map(|(t, s)| json!({"type": "thinking", "thinking": t, "signature": s})),
        object().prop_map(|x| json!({"type": "redacted_thinking", "data": x})),
        (object(), object()).prop_map(
            |(input, x)| json!({"type": "tool_use", "id": "t", "name": "f", "input": input, "caller": x})
        ),
    ]
}

fn turns() -> impl Strategy<Value = Vec<Value>> {
    let list = |count| proptest::collection::vec(user_block(), count);
    let user = (proptest::collection::vec(result_block(), 0..3), list(1..3)).prop_map(
        |(results, rest)| json!({"role": "user", "content": Value::from([results, rest].concat())}),
    );
    let model = proptest::collection::vec(model_block(), 1..4)
        .prop_map(|content| json!({"role": "assistant", "content": content}));
    proptest::collection::vec((user, model), 1..3)
        .prop_map(|pairs| pairs.into_iter().flat_map(|(user, model)| [user, model]).collect())
}

fn body() -> impl Strategy<Value = Value> {
    let system = prop_oneof![
        words().prop_map(Value::from),
        proptest::collection::vec(words(), 1..3).prop_map(|texts| {
            texts.iter().map(|text| json!({"type": "text", "text": text, "cache_control": {}})).collect()
        })
    ];
    let choice = prop_oneof![
        Just(json!({"type": "auto"})),
        Just(json!({"type": "any", "disable_parallel_tool_use": true})),
        Just(json!({"type": "tool", "name": "f", "future": [1]})),
        Just(json!({"type": "none"})),
    ];
    (turns(), system, choice, object(), 0.0..=1.0f64).prop_map(|(messages, system, choice, x, temperature)| {
        json!({
            "model": "claude", "max_tokens": 10, "messages": messages, "system": system, "tool_choice": choice,
            "temperature": temperature, "top_k": 3, "stop_sequences": ["END"], "metadata": x, "future_field": x,
            "tools": [{"name": "f", "input_schema": {"type": "object"}, "future": x}, {"type": "server_tool", "x": x}],
        })
    })
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        words().prop_map(Part::text),
        (words(), proptest::option::of(words())).prop_map(|(text, signature)| {
            let signature = signature.map(Into::into);
            Part::Reasoning(Reasoning { text: text.into(), signature, ..Reasoning::default() })
        }),
        (words(), object()).prop_map(|(name, input)| {
            let (id, arguments) = ("t".to_owned(), input.to_string().into());
            Part::ToolCall(ToolCall { id, name, arguments, ..ToolCall::default() })
        }),
        object().prop_map(|x| {
            let block = json!({"type": "server_tool_use", "input": x});
            Part::Opaque(Opaque::new(MESSAGES, "server_tool_use", block.into()))
        }),
    ]
}

fn output() -> impl Strategy<Value = Output> {
    let finish = prop_oneof![
        Just(Finish::Stop),
        Just(Finish::Length),
        Just(Finish::ToolCalls),
        Just(Finish::Filtered),
        Just(Finish::Paused),
        Just(Finish::Other("compaction".into()))
    ];
    let usage = (0..1000u64, 0..1000u64, 0..1000u64, 0..1000u64).prop_map(|(fresh, output, read, write)| {
        Usage { input: fresh + read + write, output, cache_read: read, cache_write: write, reasoning: 0 }
    });
    (proptest::collection::vec(part(), 0..6), finish, usage, proptest::option::of(words())).prop_map(
        |(parts, finish, usage, stop)| {
            let mut output = Output::default();
            parts.into_iter().for_each(|part| output.push(part));
            output.summary.stop_sequence = stop.filter(|_| finish == Finish::Stop);
            output.summary.finish = finish;
            output.summary.usage = Some(usage);
            output
        },
    )
}

fn chunks(output: Output) -> Vec<Chunk> {
    let all = Response::full(output).into_chunks().map(Result::unwrap).collect::<Vec<_>>();
    all.now_or_never().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_from_what_was_read_reads_the_same(body in body()) {
        let first = read(&body).unwrap();
        let (written, dropped) = encode(&first).unwrap();
        prop_assert!(dropped.is_empty(), "{:?}", dropped);
        let second = read(&written).unwrap();
        prop_assert_eq!(first.input.chat().unwrap(), second.input.chat().unwrap());
    }

    #[test]
    fn a_rendered_stream_folds_to_what_was_rendered(output in output(), verbatim: bool) {
        let bytes = render(chunks(output.clone()));
        let again = decode(events(&bytes), verbatim).unwrap();
        let forwarded = if verbatim { render(again.clone()) } else { bytes.clone() };
        prop_assert_eq!(forwarded, bytes);
        prop_assert_eq!(fold(again), output);
    }

    #[test]
    fn a_complete_answer_reads_as_what_was_written(output in output()) {
        let bytes = AnthropicFront.answer(&output, &reply());
        let answer = Anthropic::new().decode(&Operation::CHAT, &bytes).unwrap();
        prop_assert_eq!(answer.output, output);
    }

    #[test]
    fn a_rendered_stream_cut_between_events_is_an_error(output in output(), at: prop::sample::Index) {
        let all = events(&render(chunks(output)));
        let cut = all[..at.index(all.len())].to_vec();
        prop_assert_eq!(decode(cut, false).unwrap_err().code().to_owned(), "stream_cut");
    }

    #[test]
    fn damaged_requests_and_answers_break_nothing(
        body in body(), output in output(), at: prop::sample::Index, byte: u8, cut: bool,
    ) {
        let damage = |bytes: Vec<u8>| {
            let mut bytes = bytes;
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if cut { bytes.truncate(at) }
            Bytes::from(bytes)
        };
        if let Ok(request) = AnthropicFront.read(&damage(body.to_string().into_bytes())) {
            let _: exec_core::Result<_> = encode(&request);
        }
        let answer = damage(AnthropicFront.answer(&output, &reply()).to_vec());
        let _: exec_core::Result<_> = Anthropic::new().decode(&Operation::CHAT, &answer);
        let stream = damage(render(chunks(output)).to_vec());
        let mut parser = crate::http::sse::SseParser::new(1 << 20);
        parser.push(stream);
        let mut reader = Stream::new(true, Default::default());
        for event in parser.map_while(Result::ok) {
            let _: exec_core::Result<_> = reader.event(event, &mut VecDeque::new());
        }
    }

    #[test]
    fn arbitrary_bytes_break_nothing(bytes: Vec<u8>, status in 100..600u16) {
        let bytes = Bytes::from(bytes);
        prop_assert!(AnthropicFront.read(&bytes).is_err());
        prop_assert!(Anthropic::new().decode(&Operation::CHAT, &bytes).is_err());
        let error = Anthropic::new().error(status, &http::HeaderMap::new(), &bytes);
        prop_assert!(!error.message().is_empty());
    }
}
