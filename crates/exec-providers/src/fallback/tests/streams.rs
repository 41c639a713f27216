//! A stream that breaks after its first content: for every place at which it may, and every policy.

use exec_core::{Chunk, Integrity, ToolDelta};
use futures_util::StreamExt;
use proptest::prelude::*;

use super::teller::Prefill;
use super::*;

/// What somebody saw of an answer: the words that count at the end, who said them, and how it ended.
#[derive(Debug, Default)]
struct Seen {
    text: String,
    integrity: Integrity,
    provider: Option<String>,
    anew: usize,
    error: Option<Error>,
}

async fn seen(either: &Fallback, restartable: bool) -> Seen {
    let options = Options { stream: true, restartable, ..Options::default() };
    let answer = either.execute(hello(true).with_options(options), &Context::new("1")).await.unwrap();
    let mut seen = Seen { provider: answer.report.provider.as_deref().map(str::to_owned), ..Seen::default() };
    let mut chunks = answer.into_chunks();
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(Chunk::Text(text)) => seen.text += &text,
            Ok(Chunk::Handover(handover)) => {
                seen.integrity = handover.report.integrity;
                seen.provider = handover.report.provider.as_deref().map(str::to_owned);
                if handover.anew {
                    seen.anew += 1;
                    seen.text.clear();
                }
            }
            Ok(_) => {}
            Err(error) => seen.error = Some(error),
        }
    }
    seen
}

const TEXT: &str =
    "The Zugspitze, at 2962 m \n above sea level, is the highest peak of the Wetterstein. 汉字 🦀 end";

fn policy(mid_stream: MidStream) -> FallbackConfig {
    FallbackConfig { mid_stream, ..FallbackConfig::default() }
}

/// One that breaks after `at` characters and one that takes over.
fn pair(at: usize, second: Teller, mid_stream: MidStream) -> (Arc<Teller>, Fallback) {
    let first = Arc::new(Teller::told("first", TEXT, Prefill::Unable, Some(at)));
    let second = Arc::new(second);
    (second.clone(), fallback(vec![first, second], policy(mid_stream)))
}

#[tokio::test]
async fn fail_ends_with_the_error_wherever_it_breaks() {
    for at in 1..TEXT.chars().count() {
        let (second, either) = pair(at, Teller::told("second", TEXT, Prefill::Exact, None), MidStream::Fail);
        let seen = seen(&either, true).await;
        assert_eq!(seen.text, TEXT.chars().take(at).collect::<String>());
        assert_eq!((seen.error.unwrap().kind(), second.calls()), (ErrorKind::Upstream, 0));
    }
}

#[tokio::test]
async fn restart_says_it_all_again_to_who_can_be_told_and_only_the_rest_to_who_cannot() {
    for at in 1..TEXT.chars().count() {
        for restartable in [true, false] {
            let (_, either) =
                pair(at, Teller::told("second", TEXT, Prefill::Unable, None), MidStream::Restart);
            let seen = seen(&either, restartable).await;
            assert_eq!(seen.text, TEXT, "after {at}");
            assert_eq!(seen.integrity, Integrity::Restarted { broken: "first".into(), at });
            assert_eq!((seen.provider.as_deref(), seen.anew), (Some("second"), usize::from(restartable)));
            assert!(seen.error.is_none());
        }
    }
}

#[tokio::test]
async fn another_answer_is_never_sewn_on() {
    let other = "The highest mountain of all.";
    for at in 1..TEXT.chars().count() {
        let (_, either) = pair(at, Teller::told("second", other, Prefill::Unable, None), MidStream::Restart);
        let blind = seen(&either, false).await;
        let said: String = TEXT.chars().take(at).collect();
        if !other.starts_with(&said) {
            assert_eq!(
                (blind.text.as_str(), blind.error.unwrap().code()),
                (said.as_str(), "restart_differs")
            );
        }
        let (_, either) = pair(at, Teller::told("second", other, Prefill::Unable, None), MidStream::Restart);
        assert_eq!(seen(&either, true).await.text, other);
    }
}

#[tokio::test]
async fn continue_goes_on_wherever_it_breaks_however_the_next_takes_it() {
    for at in 1..TEXT.chars().count() {
        let ways = [Prefill::Exact, Prefill::Refused, Prefill::Unable, Prefill::All];
        let again = [16, 20, 40].map(Prefill::Again);
        for way in ways.into_iter().chain(again) {
            let (second, either) = pair(at, Teller::told("second", TEXT, way, None), MidStream::Continue);
            let seen = seen(&either, false).await;
            assert_eq!(seen.text, TEXT, "after {at}, {way:?}");
            let broken: Arc<str> = "first".into();
            let (integrity, calls) = match way {
                Prefill::Refused => (Integrity::Restarted { broken, at }, 2),
                Prefill::Unable => (Integrity::Restarted { broken, at }, 1),
                _ => (Integrity::Continued { broken, at }, 1),
            };
            assert_eq!((seen.integrity, second.calls()), (integrity, calls), "after {at}, {way:?}");
        }
    }
}

#[tokio::test]
async fn who_can_go_on_is_asked_before_who_can_only_begin_anew() {
    let first = Arc::new(Teller::told("first", TEXT, Prefill::Unable, Some(20)));
    let second = Arc::new(Teller::told("second", TEXT, Prefill::Unable, None));
    let third = Arc::new(Teller::told("third", TEXT, Prefill::Exact, None));
    let any = fallback(vec![first, second.clone(), third], policy(MidStream::Continue));
    let seen = seen(&any, false).await;
    assert_eq!((seen.text.as_str(), seen.provider.as_deref(), second.calls()), (TEXT, Some("third"), 0));
}

#[tokio::test]
async fn a_second_break_is_taken_over_too_and_the_attempts_end_it() {
    let tellers = ["a", "b", "c", "d"].map(|name| -> Arc<dyn Provider> {
        Arc::new(Teller::told(name, TEXT, Prefill::Exact, (name != "d").then_some(10)))
    });
    let either = fallback(tellers.to_vec(), policy(MidStream::Continue));
    assert_eq!(seen(&either, false).await.text, TEXT);

    let context = Context::new("1").with_budget(Arc::new(exec_core::Budget::new(2, None)));
    let answer = either.execute(hello(true), &context).await.unwrap();
    let error = answer.collect().await.unwrap_err();
    assert_eq!(context.budget().attempts_taken(), 2);
    assert_eq!(error.kind(), ErrorKind::Upstream, "the real error, not that the budget is spent");
}

#[tokio::test]
async fn nothing_goes_on_inside_a_call_of_a_tool_or_after_a_proof() {
    let call = ToolDelta { id: Some("c".into()), name: Some("f".into()), arguments: "{\"a".into(), index: 0 };
    for chunk in [Chunk::ToolCall(call), Chunk::Signature("proof".into())] {
        let mut first = Teller::told("first", TEXT, Prefill::Unable, Some(9));
        first.first = vec![chunk.clone()];
        let second = Teller::new("second", TEXT);
        let either = fallback(vec![Arc::new(first), second.clone()], policy(MidStream::Continue));
        let blind = seen(&either, false).await;
        assert_eq!((blind.error.unwrap().kind(), second.calls()), (ErrorKind::Upstream, 0), "{chunk:?}");
        let told = seen(&either, true).await;
        assert_eq!((told.text.as_str(), told.anew), (TEXT, 1), "{chunk:?}");
    }
}

#[tokio::test]
async fn thinking_comes_once() {
    for mid_stream in [MidStream::Restart, MidStream::Continue] {
        let think = || vec![Chunk::Reasoning("hm".into())];
        let mut first = Teller::told("first", TEXT, Prefill::Unable, Some(9));
        let mut second = Teller::told("second", TEXT, Prefill::Exact, None);
        (first.first, second.first) = (think(), think());
        let either = fallback(vec![Arc::new(first), Arc::new(second)], policy(mid_stream));
        let answer = either.execute(hello(true), &Context::new("1")).await.unwrap();
        let chunks: Vec<_> = answer.into_chunks().map(Result::unwrap).collect().await;
        let thoughts = chunks.iter().filter(|chunk| matches!(chunk, Chunk::Reasoning(_))).count();
        assert_eq!(thoughts, 1, "{mid_stream:?}");
    }
}

#[tokio::test]
async fn what_both_have_used_is_added_up() {
    let used = |input, output| exec_core::Usage { input, output, ..exec_core::Usage::default() };
    let cost = Some(Cost::default());
    let summary = exec_core::Summary { usage: Some(used(7, 5)), cost, ..exec_core::Summary::default() };
    let first = Answer::cut(&["some "]).chunk(Chunk::Spent(used(3, 1))).then_error(ErrorKind::Upstream);
    let second = Answer::cut(&["some words"]).chunk(Chunk::End(summary));
    let both: Vec<Arc<dyn Provider>> =
        vec![Script::new("first", [first.clone()]), Script::new("second", [second])];
    let either = fallback(both, policy(MidStream::Restart));
    let answer = either.execute(hello(true), &Context::new("1")).await.unwrap();
    let output = answer.collect().await.unwrap();
    assert_eq!((output.text().as_str(), output.summary.usage), ("some words", Some(used(10, 6))));
    assert_eq!(output.summary.cost, None, "the price of what the first has said is not known");

    let either = fallback(vec![Script::new("first", [first]), dead("other")], policy(MidStream::Restart));
    let answer = either.execute(hello(true), &Context::new("1")).await.unwrap();
    let chunks: Vec<_> = answer.into_chunks().collect().await;
    assert!(matches!(chunks[..], [Ok(Chunk::Text(_)), Ok(Chunk::Spent(_)), Err(_)]), "{chunks:?}");
}

#[tokio::test]
async fn what_nobody_should_route_around_ends_it() {
    for kind in [ErrorKind::ContentFiltered, ErrorKind::Cancelled, ErrorKind::ContextLength] {
        let first = Script::new("first", [Answer::cut(&["some words"]).then_error(kind)]);
        let second = Teller::new("second", "some words and more");
        let either = fallback(vec![first, second.clone()], policy(MidStream::Continue));
        assert_eq!((seen(&either, true).await.error.unwrap().kind(), second.calls()), (kind, 0));
    }
}

#[tokio::test]
async fn a_restart_is_folded_into_the_last_answer() {
    let (_, either) = pair(30, Teller::told("second", "Another.", Prefill::Unable, None), MidStream::Restart);
    let options = Options { stream: true, restartable: true, ..Options::default() };
    let answer = either.execute(hello(true).with_options(options), &Context::new("1")).await.unwrap();
    assert_eq!(answer.collect().await.unwrap().text(), "Another.");
}

#[tokio::test]
async fn dropping_an_answer_that_is_being_taken_over_leaves_nothing() {
    let first = Script::new("first", [Answer::cut(&["some words"])]);
    let second = Script::new("second", [Answer::hang()]);
    let either = fallback(vec![first.clone(), second.clone()], policy(MidStream::Restart));
    let answer = either.execute(hello(true), &Context::new("1")).await.unwrap();
    let mut chunks = answer.into_chunks();
    chunks.next().await.unwrap().unwrap();
    assert!(futures_util::poll!(chunks.next()).is_pending());
    assert_eq!((first.open(), second.open()), (0, 1));
    drop(chunks);
    assert_eq!((first.open(), second.open()), (0, 0));
}

proptest! {
    #[test]
    fn no_span_is_lost_and_none_comes_twice(
        words in prop::collection::vec("[a-z汉🦀 \n]{0,5}", 1..40),
        breaks in prop::collection::vec(1usize..60, 0..3),
        again in 0usize..3,
        size in 1usize..9,
    ) {
        let text: String = words.iter().enumerate().map(|(n, word)| format!("w{n}{word}")).collect();
        let way = [Prefill::Exact, Prefill::Again(24), Prefill::Unable][again];
        let names = ["a", "b", "c"];
        let breaking = breaks.iter().zip(names).map(|(at, name)| (name, Some(*at)));
        let tellers = breaking.chain([("last", None)]).map(|(name, breaks)| -> Arc<dyn Provider> {
            let mut teller = Teller::told(name, &text, way, breaks);
            teller.size = size;
            Arc::new(teller)
        });
        let either = fallback(tellers.collect(), policy(if breaks.is_empty() { MidStream::Fail } else { MidStream::Continue }));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let seen = runtime.block_on(seen(&either, false));
        if seen.error.is_none() {
            prop_assert_eq!(seen.text, text);
        } else {
            prop_assert!(text.starts_with(&seen.text));
        }
    }
}
