//! The scenarios of the public suite `failoverbench` (version 0.1 of its method): facts of its catalogue in our upstream's words.
//!
//! Its times are kept (the first token after 20 s, an outage of 60 s) and so are its bounds. A stall of ours never ends, where
//! its lasts 30 s.

use super::house::SECOND_MODEL;
use super::scenario::{Rule, Scenario, Wanted};
use std::time::Duration;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A scenario in which the second provider is well and the caller must get the whole answer.
fn answered(
    id: &'static str,
    title: &'static str,
    fault: &'static str,
    limit: u64,
    rules: Vec<Rule>,
) -> Scenario {
    let (whole, limit) = (Some(fault), seconds(limit));
    Scenario { id, title, fault, whole, second: SECOND_MODEL, wanted: Wanted::Answer, limit, rules }
}

/// All but the fifteenth.
pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all = before_the_answer();
    all.extend(inside_the_answer());
    all.extend(refusals());
    all
}

fn before_the_answer() -> Vec<Scenario> {
    use Rule::{AtMostWithin, First, FirstRather, Gap, NamesSecond, Rather, Second, Usage};
    vec![
        answered(
            "S01",
            "429 once, with `retry-after: 2`",
            "status=429,unlimited,retry-after=2,times=1",
            20,
            vec![FirstRather(2..=2), Gap(seconds(2))],
        ),
        answered(
            "S02",
            "429 always, without `retry-after`",
            "status=429,unlimited",
            40,
            vec![First(1..=6), AtMostWithin(4, seconds(3)), Second(1..=1)],
        ),
        answered("S03", "500 once, then healthy", "status=500,times=1", 20, vec![FirstRather(2..=2)]),
        answered("S04", "503 always", "status=503", 40, vec![First(1..=6), Second(1..=1)]),
        answered(
            "S05",
            "connection reset before any byte, once",
            "reset=before,times=1",
            20,
            vec![First(1..=2)],
        ),
        answered(
            "S06",
            "no response at all",
            "hang",
            100,
            vec![FirstRather(1..=1), Second(1..=1), Rather(seconds(15))],
        ),
        answered("S07", "first token after 20 s", "first=20s", 60, vec![First(1..=1), Rather(seconds(15))]),
        answered(
            "S16",
            "503 always: who is accounted for",
            "status=503",
            40,
            vec![First(1..=6), Second(1..=1), NamesSecond, Usage],
        ),
    ]
}

fn inside_the_answer() -> Vec<Scenario> {
    use Rule::{First, Rather, Second, Usage};
    let streamed = |scenario: Scenario| Scenario { whole: None, ..scenario };
    vec![
        answered("S08", "stream cut after 40 of 60 tokens", "cut=40", 40, vec![First(1..=3), Second(0..=1)]),
        answered("S09", "stream stalls after 20 tokens", "stall=20", 45, vec![First(1..=1), Second(1..=1)]),
        answered(
            "S10",
            "the tenth event is malformed",
            "malformed=10",
            30,
            vec![First(1..=3), Second(0..=1)],
        ),
        streamed(answered(
            "S11",
            "no terminal event after the finish",
            "no-done",
            30,
            vec![Rather(seconds(8)), Usage],
        )),
        streamed(Scenario {
            second: "fault:no-prefill",
            ..answered("S14", "cut after 40 tokens, and the second rejects a prefill", "cut=40", 40, vec![])
        }),
    ]
}

fn refusals() -> Vec<Scenario> {
    use Rule::{First, Second};
    vec![
        answered(
            "S12",
            "context length exceeded",
            "error=context_length",
            20,
            vec![First(1..=1), Second(1..=1)],
        ),
        Scenario {
            wanted: Wanted::Refusal("filter"),
            ..answered(
                "S13",
                "refused by a content filter",
                "error=content_filter",
                20,
                vec![First(1..=1), Second(0..=0)],
            )
        },
    ]
}
