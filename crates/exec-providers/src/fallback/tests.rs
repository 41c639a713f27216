//! What a fallback promises of modes, stand-ins and attempts. Streams that break are in `tests/streams.rs`.

mod streams;
mod teller;

use std::sync::Arc;
use std::time::Duration;

use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{Chat, Context, Error, ErrorKind, Executor, Options, Provider, Request, Response, Result};
use exec_middleware::breaker::State;
use exec_middleware::{BackoffConfig, BreakerConfig, Jitter, RetryConfig};
use tokio::time::{Instant, advance, sleep};

use self::teller::{Checked, Teller};
use super::*;
use crate::simulator::{Simulator, SimulatorConfig};

const SECOND: Duration = Duration::from_secs(1);

fn fallback(members: Vec<Arc<dyn Provider>>, config: FallbackConfig) -> Fallback {
    Fallback::new("f", members, config).unwrap()
}

fn hello(stream: bool) -> Request {
    let options = Options { stream, ..Options::default() };
    Request::chat(Chat::user("hello")).with_options(options)
}

async fn ask(fallback: &Fallback) -> Result<Response> {
    fallback.execute(hello(false), &Context::new("1")).await
}

async fn text(fallback: &Fallback) -> String {
    ask(fallback).await.unwrap().collect().await.unwrap().text()
}

fn dead(name: &str) -> Arc<Script> {
    Script::new(name, [Answer::error(ErrorKind::Unavailable)])
}

fn good(name: &str) -> Arc<Script> {
    Script::new(name, [Answer::text("good")])
}

#[tokio::test(start_paused = true)]
async fn retries_come_before_the_next_member_and_share_the_attempts() {
    let shaky = Script::new(
        "shaky",
        [
            Answer::error(ErrorKind::Overloaded),
            Answer::error(ErrorKind::Overloaded),
            Answer::text("third time"),
        ],
    );
    let backoff = BackoffConfig { jitter: Jitter::None, ..BackoffConfig::default() };
    let retry = RetryConfig { attempts: 3, backoff, ..RetryConfig::default() };
    let config = FallbackConfig {
        mode: FallbackMode::RetryThenFallback,
        retry: Some(retry),
        ..FallbackConfig::default()
    };
    let spare = good("spare");
    let either = fallback(vec![shaky.clone(), spare.clone()], config.clone());
    let begun = Instant::now();
    assert_eq!(text(&either).await, "third time");
    assert_eq!((begun.elapsed(), spare.calls()), (3 * SECOND, 0));

    let busy = Script::new("busy", [Answer::error(ErrorKind::Overloaded)]);
    let either = fallback(vec![busy.clone(), spare.clone()], config);
    assert_eq!(text(&either).await, "good");
    assert_eq!((busy.calls(), spare.calls()), (3, 1));
}

/// Fails with the error it is told.
struct Failing(&'static str, fn() -> Error);

#[async_trait]
impl Executor for Failing {
    async fn execute(&self, _: Request, _: &Context) -> Result<Response> {
        Err(self.1())
    }
}

impl Provider for Failing {
    fn name(&self) -> &str {
        self.0
    }

    fn capabilities(&self) -> &Capabilities {
        static CAN: std::sync::LazyLock<Capabilities> =
            std::sync::LazyLock::new(|| Capabilities::of([Operation::CHAT]));
        &CAN
    }
}

#[tokio::test]
async fn what_one_member_may_have_done_is_not_unsent_because_the_next_was_not_reached() {
    let cut = || Error::new(ErrorKind::Upstream, "cut");
    let refused = || Error::new(ErrorKind::Unavailable, "refused").with_unsent(true);
    let wrong = || Error::new(ErrorKind::InvalidRequest, "no").with_unsent(true);
    let unsent = async |first: fn() -> Error, second: fn() -> Error| {
        let members: Vec<Arc<dyn Provider>> =
            vec![Arc::new(Failing("first", first)), Arc::new(Failing("second", second))];
        ask(&fallback(members, FallbackConfig::default())).await.unwrap_err().is_unsent()
    };
    assert!(!unsent(cut, refused).await);
    assert!(!unsent(refused, cut).await);
    assert!(!unsent(cut, wrong).await, "a tour that is stopped");
    assert!(unsent(refused, refused).await);
    assert!(unsent(refused, wrong).await);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_fifteen_calls_makes_five_and_ends_by_itself() {
    let mut answers = vec![Answer::error(ErrorKind::Unavailable); 5];
    answers.push(Answer::text("back"));
    let primary = Script::new("primary", answers);
    let breaker = BreakerConfig { open: 30 * SECOND, ..BreakerConfig::consecutive() };
    let config = FallbackConfig {
        mode: FallbackMode::CircuitBreaker,
        breaker: Some(breaker),
        ..FallbackConfig::default()
    };
    let either = fallback(vec![primary.clone(), good("spare")], config);
    for _ in 0..15 {
        assert_eq!(text(&either).await, "good");
        advance(SECOND).await;
    }
    assert_eq!(primary.calls(), 5);
    advance(20 * SECOND).await;
    assert_eq!(text(&either).await, "back");
    assert!(either.breakers().all(|breaker| breaker.state() == State::Closed));
}

#[tokio::test(start_paused = true)]
async fn one_call_probes_while_the_others_pass_by() {
    let mut answers = vec![Answer::error(ErrorKind::Unavailable); 5];
    answers.push(Answer::text("back").after(SECOND));
    let primary = Script::new("primary", answers);
    let config = FallbackConfig { mode: FallbackMode::CircuitBreaker, ..FallbackConfig::default() };
    let either = Arc::new(fallback(vec![primary.clone(), good("spare")], config));
    for _ in 0..5 {
        text(&either).await;
    }
    advance(60 * SECOND).await;
    let answers = join_all((0..100).map(|_| text(&either))).await;
    assert_eq!(answers.iter().filter(|text| *text == "back").count(), 1);
    assert_eq!(primary.calls(), 6);
}

fn by_health() -> FallbackConfig {
    FallbackConfig { mode: FallbackMode::HealthBased, ..FallbackConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn who_is_ill_is_passed_over_until_two_checks_say_it_is_well() {
    let primary = Checked::new(dead("primary"));
    let either = fallback(vec![primary.clone(), good("spare")], by_health());
    for _ in 0..10 {
        assert_eq!(text(&either).await, "good");
    }
    assert_eq!((primary.calls(), primary.checks()), (3, 0), "three failures, and no check before its time");
    primary.set(Health::Healthy);
    for expected in [1, 2] {
        advance(31 * SECOND).await;
        text(&either).await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!(primary.checks(), expected);
    }
    text(&either).await;
    assert_eq!(primary.calls(), 4, "it is asked again");
}

#[tokio::test(start_paused = true)]
async fn checks_of_one_member_never_overlap_and_never_make_a_call_wait() {
    let primary = Checked::new(dead("primary"));
    let either = Arc::new(fallback(vec![primary.clone(), good("spare")], by_health()));
    for _ in 0..3 {
        text(&either).await;
    }
    primary.hang();
    advance(31 * SECOND).await;
    let begun = Instant::now();
    join_all((0..100).map(|_| text(&either))).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    sleep(Duration::from_millis(1)).await;
    assert_eq!((primary.checks(), primary.open()), (1, 1));
    // It takes too long, so it has failed, and the next is due after the interval.
    sleep(6 * SECOND).await;
    join_all((0..100).map(|_| text(&either))).await;
    assert_eq!(primary.checks(), 1);
    drop(either);
    sleep(SECOND).await;
    assert_eq!(primary.open(), 0, "nothing runs on");
}

#[tokio::test(start_paused = true)]
async fn a_flapping_member_does_not_flip_with_every_check() {
    let primary = Checked::new(dead("primary"));
    let either = fallback(vec![primary.clone(), good("spare")], by_health());
    for _ in 0..3 {
        text(&either).await;
    }
    for turn in 0..20 {
        primary.set(if turn % 2 == 0 { Health::Healthy } else { Health::Unhealthy });
        advance(40 * SECOND).await;
        text(&either).await;
        sleep(Duration::from_millis(1)).await;
    }
    assert!(primary.checks() > 10);
    assert_eq!(primary.calls(), 3, "it was never taken for well");
}

#[tokio::test(start_paused = true)]
async fn when_all_are_ill_all_are_asked_and_who_answers_is_well() {
    let mut answers = vec![Answer::error(ErrorKind::Unavailable); 4];
    answers.push(Answer::text("back"));
    let members: Vec<Arc<dyn Provider>> =
        vec![Checked::new(dead("one")), Checked::new(Script::new("two", answers))];
    let either = fallback(members, by_health());
    for _ in 0..4 {
        let error = ask(&either).await.unwrap_err();
        assert_eq!(error.attempts().len(), 2, "{error}");
    }
    assert_eq!(text(&either).await, "back");
    let states: Vec<State> = either.breakers().map(CircuitBreaker::state).collect();
    assert_eq!(states, [State::Open, State::Closed]);
}

#[tokio::test]
async fn a_stand_in_is_marked_costs_nothing_and_covers_outages_only() {
    let degraded = Some(DegradedConfig { text: "Please come back later.".into() });
    let config = FallbackConfig { degraded, ..FallbackConfig::default() };
    let either = fallback(vec![dead("one"), dead("two")], config.clone());
    for stream in [false, true] {
        let answer = either.execute(hello(stream), &Context::new("1")).await.unwrap();
        assert!(answer.report.degraded);
        assert_eq!(answer.report.provider.as_deref(), Some("f"));
        let output = answer.collect().await.unwrap();
        assert_eq!(output.text(), "Please come back later.");
        assert_eq!(output.summary.cost, Some(Cost::default()));
    }
    let alone = Options { no_fallback: true, ..Options::default() };
    let error = either.execute(hello(false).with_options(alone), &Context::new("1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    for kind in [
        ErrorKind::InvalidRequest,
        ErrorKind::ContentFiltered,
        ErrorKind::ContextLength,
        ErrorKind::Cancelled,
    ] {
        let wrong = Script::new("wrong", [Answer::error(kind)]);
        let either = fallback(vec![wrong, good("spare")], config.clone());
        assert_eq!(ask(&either).await.unwrap_err().kind(), kind, "it is not routed around");
    }
}

/// A provider that reads so many tokens. What [`hello`] says is one or two.
fn reader(name: &str, context_window: u64) -> Arc<dyn Provider> {
    Arc::new(Simulator::new(name, SimulatorConfig { context_window, ..SimulatorConfig::default() }).unwrap())
}

#[tokio::test]
async fn a_prompt_that_is_too_long_goes_to_who_is_known_to_read_more_and_to_nobody_else() {
    let long = || Request::chat(Chat::user("word ".repeat(100)));
    let unknown = good("unknown");
    let members = vec![reader("small", 10), unknown.clone(), reader("smaller", 5), reader("large", 1000)];
    let either = fallback(members, FallbackConfig::default());
    let answer = either.execute(long(), &Context::new("1")).await.unwrap();
    assert_eq!((answer.report.provider.as_deref(), unknown.calls()), (Some("large (simulator)"), 0));
    let members = vec![reader("small", 10), unknown.clone(), reader("smaller", 5)];
    let error = fallback(members, FallbackConfig::default()).execute(long(), &Context::new("1")).await;
    let error = error.unwrap_err();
    assert_eq!((error.kind(), error.remedy()), (ErrorKind::ContextLength, Remedy::Stop));
    assert_eq!(unknown.calls(), 0);
}

#[tokio::test]
async fn who_wants_no_fallback_gets_the_first_that_can() {
    let (one, two) = (dead("one"), good("two"));
    let either = fallback(vec![one.clone(), two.clone()], FallbackConfig::default());
    let options = Options { no_fallback: true, ..Options::default() };
    let error = either.execute(hello(false).with_options(options), &Context::new("1")).await.unwrap_err();
    assert_eq!((error.kind(), one.calls(), two.calls()), (ErrorKind::Unavailable, 1, 0));
}

#[tokio::test]
async fn every_attempt_of_a_nested_fallback_is_listed() {
    let inner = Fallback::new("inner", vec![dead("a"), dead("b")], FallbackConfig::default()).unwrap();
    let outer = fallback(vec![Arc::new(inner), dead("c")], FallbackConfig::default());
    let error = ask(&outer).await.unwrap_err();
    let names: Vec<&str> = error.attempts().iter().map(|attempt| &*attempt.provider).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_drips_is_left_before_anybody_sees_it() {
    let pace = Some(PaceConfig { characters: 10, within: 2 * SECOND });
    let config = FallbackConfig { pace, ..FallbackConfig::default() };
    let drip = || {
        (0..60).fold(Answer::default(), |answer, _| {
            answer.chunk(exec_core::Chunk::Text("x ".into())).pause(SECOND)
        })
    };
    let slow = Script::new("slow", [drip()]);
    let fast = Script::new("fast", [Answer::stream(&["all at ", "once"])]);
    let either = fallback(vec![slow.clone(), fast], config.clone());
    let begun = Instant::now();
    let answer = either.execute(hello(true), &Context::new("1")).await.unwrap();
    assert_eq!(answer.collect().await.unwrap().text(), "all at once");
    assert_eq!((begun.elapsed(), slow.open()), (2 * SECOND, 0));

    let broken = Script::new("broken", [Answer::cut(&["so "])]);
    let either = fallback(vec![broken, Script::new("slow", [drip()])], config);
    let answer = either.execute(hello(true), &Context::new("1")).await.unwrap();
    let error = answer.collect().await.unwrap_err();
    assert_eq!(
        error.code(),
        "stream_cut",
        "the last one is kept however slow it is, and broke at its own end"
    );
}

#[tokio::test]
async fn the_events_say_who_was_asked_next() {
    let recorder = Arc::new(Recorder::default());
    let either = fallback(vec![dead("one"), good("two")], FallbackConfig::default());
    let context = Context::new("1").with_events(recorder.clone());
    drop(either.execute(hello(false), &context).await.unwrap());
    assert_eq!(recorder.names(), ["fell_back"]);
}

#[test]
fn what_only_some_can_go_on_from_is_not_promised() {
    let one: Arc<dyn Provider> = Teller::new("one", "x");
    assert!(fallback(vec![one.clone()], FallbackConfig::default()).capabilities().prefill);
    assert!(!fallback(vec![one, good("two")], FallbackConfig::default()).capabilities().prefill);
}
