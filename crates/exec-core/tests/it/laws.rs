//! The two laws of folding, and what a cut looks like.

use exec_core::chat::{Opaque, Reasoning, ToolCall};
use exec_core::{
    Chunk, Cost, Error, ErrorKind, Finish, Money, Output, Part, Raw, Response, Result, Summary, ToolDelta,
    Usage, Verbatim, Wire,
};
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use proptest::prelude::*;

const WIRE: Wire = Wire::new("test");

fn part() -> impl Strategy<Value = Part> {
    let reasoning = ("[a-zä]{0,6}", proptest::option::of("[a-z]{1,4}")).prop_map(|(text, signature)| {
        Part::Reasoning(Reasoning {
            text: text.into(),
            signature: signature.map(Into::into),
            ..Reasoning::default()
        })
    });
    let call = ("[a-z]{1,4}", "[a-z]{1,4}", ".{0,6}").prop_map(|(id, name, arguments)| {
        Part::ToolCall(ToolCall { id, name, arguments: arguments.into(), ..ToolCall::default() })
    });
    prop_oneof![
        "\\PC{0,8}".prop_map(Part::text),
        reasoning,
        call,
        any::<u8>().prop_map(|n| Part::Opaque(Opaque::new(WIRE, "k", Raw::from(serde_json::json!(n))))),
    ]
}

fn summary() -> impl Strategy<Value = Summary> {
    (any::<bool>(), any::<u32>(), any::<u32>()).prop_map(|(done, n, cost)| {
        let finish = if done { Finish::Stop } else { Finish::Length };
        let usage = done.then(|| Usage { input: n.into(), output: 1, ..Usage::default() });
        Summary {
            finish,
            usage,
            cost: Some(Cost { input: Money::micros(cost.into()), output: Money::ZERO }),
            stop_sequence: None,
        }
    })
}

fn output() -> impl Strategy<Value = Output> {
    (prop::collection::vec(part(), 0..6), prop::collection::vec(any::<i32>(), 0..3), summary()).prop_map(
        |(parts, data, summary)| {
            let mut output = Output::default();
            parts.into_iter().for_each(|part| output.push(part));
            output.data = data.into_iter().map(|n| Raw::from(serde_json::json!(n))).collect();
            output.summary = summary;
            output
        },
    )
}

/// Nothing here waits, so every future is ready at once.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn chunks_of(output: Output) -> Vec<Chunk> {
    block_on(Response::full(output).into_chunks().map(|chunk| chunk.unwrap()).collect())
}

fn collect(chunks: Vec<Chunk>) -> Result<Output> {
    block_on(Response::stream(stream::iter(chunks.into_iter().map(Ok))).collect())
}

/// Splits words and arguments at `at` characters, and hides every second piece in an event of a provider.
fn split(chunk: Chunk, at: usize) -> Vec<Chunk> {
    let halves = |text: &str| {
        let at = text.char_indices().nth(at).map_or(text.len(), |(i, _)| i);
        (text[..at].to_owned(), text[at..].to_owned())
    };
    let hide =
        |chunk| Chunk::Verbatim(Verbatim { wire: WIRE, event: None, data: "x".into(), means: vec![chunk] });
    match chunk {
        Chunk::Text(text) => {
            let (a, b) = halves(&text);
            vec![Chunk::Text(a), hide(Chunk::Text(b))]
        }
        Chunk::Reasoning(text) => {
            let (a, b) = halves(&text);
            vec![hide(Chunk::Reasoning(a)), Chunk::Reasoning(b)]
        }
        Chunk::ToolCall(delta) => {
            let (a, b) = halves(&delta.arguments);
            let index = delta.index;
            let rest = ToolDelta { index, arguments: b, ..ToolDelta::default() };
            vec![Chunk::ToolCall(ToolDelta { arguments: a, ..delta }), hide(Chunk::ToolCall(rest))]
        }
        chunk => vec![chunk],
    }
}

proptest! {
    #[test]
    fn an_answer_in_pieces_folds_to_itself(output in output()) {
        prop_assert_eq!(collect(chunks_of(output.clone())).unwrap(), output);
    }

    #[test]
    fn how_it_was_split_makes_no_difference(output in output(), at in 0usize..5) {
        let pieces = chunks_of(output.clone()).into_iter().flat_map(|chunk| split(chunk, at)).collect();
        prop_assert_eq!(collect(pieces).unwrap(), output);
    }

    #[test]
    fn a_cut_at_any_chunk_is_an_error(output in output(), cut in any::<prop::sample::Index>()) {
        let mut chunks = chunks_of(output);
        chunks.truncate(cut.index(chunks.len()));
        let error = collect(chunks).unwrap_err();
        prop_assert_eq!((error.kind(), error.code()), (ErrorKind::Upstream, "stream_cut"));
    }
}

#[test]
fn an_answer_with_endless_tool_calls_is_refused() {
    let calls = (0..2000).map(|index| Ok(Chunk::ToolCall(ToolDelta { index, ..ToolDelta::default() })));
    let error = block_on(Response::stream(stream::iter(calls.collect::<Vec<_>>())).collect()).unwrap_err();
    assert!(error.message().contains("tool calls"), "{error}");
}

#[test]
fn nothing_follows_the_first_error() {
    let broken = || Err(Error::new(ErrorKind::Upstream, "broken"));
    let chunks = vec![Ok(Chunk::Text("a".into())), broken(), Ok(Chunk::Text("b".into())), broken()];
    let seen: Vec<_> = block_on(Response::stream(stream::iter(chunks)).into_chunks().collect());
    assert_eq!(seen.len(), 2);
    assert!(seen[1].is_err());
}
