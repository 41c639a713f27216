//! A breaker around calls and their bodies.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{
    Chat, Context, Error, ErrorKind, Event, Executor, Operation, Output, Pipeline, Remedy, Request, Response,
};
use exec_middleware::breaker::{Classify, State, Verdict};
use exec_middleware::{BreakerConfig, Breakers, CatchPanic, CircuitBreaker};
use futures_util::{FutureExt, StreamExt};

use crate::{around, streamed, unary};

const SECOND: Duration = Duration::from_secs(1);

fn breaker(change: impl FnOnce(&mut BreakerConfig)) -> CircuitBreaker {
    let mut config = BreakerConfig { failures: Some(1), ..BreakerConfig::default() };
    change(&mut config);
    CircuitBreaker::new(config).unwrap().named("p")
}

fn context() -> Context {
    Context::new("1")
}

/// Opens `breaker` and lets its open time pass.
async fn ready_for_probes(breaker: &CircuitBreaker) {
    breaker.acquire().unwrap().failure();
    assert_eq!(breaker.state(), State::Open);
    tokio::time::advance(60 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn it_opens_by_failures_and_half_open_by_time_only() {
    let breaker = breaker(|c| c.failures = Some(3));
    let script = Script::new("s", [Answer::error(ErrorKind::Upstream)]);
    let pipeline = around(&script, breaker.clone());
    for _ in 0..10 {
        pipeline.execute(unary(), &context()).await.unwrap_err();
    }
    assert_eq!((script.calls(), breaker.state()), (3, State::Open));
    tokio::time::advance(60 * SECOND - Duration::from_nanos(1)).await;
    assert_eq!(pipeline.execute(unary(), &context()).await.unwrap_err().code(), "breaker_open");
    tokio::time::advance(Duration::from_nanos(1)).await;
    assert_eq!(breaker.state(), State::Open, "nobody called, nothing happened");
    assert_eq!(pipeline.execute(unary(), &context()).await.unwrap_err().code(), "upstream");
    assert_eq!(script.calls(), 4);
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_success_begins_the_row_anew_and_an_outdated_one_is_none() {
    let breaker = breaker(|c| c.failures = Some(3));
    let fail = || breaker.acquire().unwrap().failure();
    let old = breaker.acquire().unwrap();
    for streak in [1, 2] {
        fail();
        assert_eq!(breaker.stats().streak, streak);
    }
    breaker.acquire().unwrap().success();
    assert_eq!(breaker.stats().streak, 0);
    (0..3).for_each(|_| fail());
    assert_eq!(breaker.state(), State::Open);
    breaker.close();
    old.success();
    assert_eq!((breaker.stats().succeeded, breaker.stats().outdated), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_refusal_says_how_long_and_where_else() {
    let breaker = breaker(|_| {});
    let pipeline = around(&Script::new("s", [Answer::error(ErrorKind::Unavailable)]), breaker.clone());
    pipeline.execute(unary(), &context()).await.unwrap_err();
    tokio::time::advance(20 * SECOND).await;
    let error = pipeline.execute(unary(), &context()).await.unwrap_err();
    assert_eq!((error.kind(), error.remedy()), (ErrorKind::Unavailable, Remedy::Elsewhere));
    assert_eq!((error.code(), error.retry_after()), ("breaker_open", Some(40 * SECOND)));
    assert!(error.is_unsent());
    breaker.open();
    let error = pipeline.execute(unary(), &context()).await.unwrap_err();
    assert_eq!(error.retry_after(), None, "nobody knows when a person closes it");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_probe_neither_closes_nor_blocks() {
    let breaker = breaker(|_| {});
    ready_for_probes(&breaker).await;
    let pipeline = around(&Script::new("s", [Answer::hang()]), breaker.clone());
    for _ in 0..10_000 {
        assert!(pipeline.execute(unary(), &context()).now_or_never().is_none());
        assert_eq!(breaker.state(), State::HalfOpen);
    }
    assert_eq!((breaker.stats().unrecorded, breaker.stats().probes), (10_000, 0));
    breaker.acquire().unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_body_counts_when_it_ends() {
    let breaker = breaker(|c| c.failures = Some(2));
    let script = Script::new(
        "s",
        [
            Answer::stream(&["a"]),
            Answer::cut(&["a"]).then_error(ErrorKind::Upstream),
            Answer::cut(&["a", "b"]).stall(),
            Answer::cut(&["a"]),
        ],
    );
    let pipeline = around(&script, breaker.clone());
    let run = || async { pipeline.execute(streamed(), &context()).await.unwrap() };
    let figures = || (breaker.stats().succeeded, breaker.stats().failed, breaker.stats().unrecorded);

    let complete = run().await;
    assert_eq!(figures(), (0, 0, 0));
    complete.collect().await.unwrap();
    assert_eq!(figures(), (1, 0, 0));
    run().await.collect().await.unwrap_err();
    assert_eq!(figures(), (1, 1, 0));
    let mut left = run().await.into_chunks();
    left.next().await.unwrap().unwrap();
    drop(left);
    assert_eq!((figures(), breaker.state()), ((1, 1, 1), State::Closed));
    assert_eq!(run().await.collect().await.unwrap_err().code(), "stream_cut");
    assert_eq!((figures(), breaker.state()), ((1, 2, 1), State::Open));
}

#[tokio::test]
async fn a_callers_mistake_and_our_own_refusals_are_no_failures() {
    let breaker = breaker(|_| {});
    let refused = || Error::new(ErrorKind::Overloaded, "full").with_unsent(true);
    let late = || Error::new(ErrorKind::DeadlineExceeded, "the deadline of the execution passed");
    let open = || Error::new(ErrorKind::Unavailable, "open").with_code("breaker_open");
    let kinds = [
        ErrorKind::InvalidRequest,
        ErrorKind::Unauthenticated,
        ErrorKind::PermissionDenied,
        ErrorKind::NotFound,
        ErrorKind::Unsupported,
        ErrorKind::TooLarge,
        ErrorKind::ContextLength,
        ErrorKind::ContentFiltered,
        ErrorKind::RateLimited,
        ErrorKind::Cancelled,
        ErrorKind::Exhausted,
    ];
    let errors = kinds.map(|kind| Error::new(kind, "no")).into_iter().chain([refused(), late(), open()]);
    let errors = Arc::new(Mutex::new(errors.collect::<Vec<_>>()));
    let left = errors.clone();
    let failing = exec_core::executor_fn(move |_, _| {
        let error = left.lock().unwrap().pop().unwrap();
        Box::pin(async move { Err(error) })
    });
    let pipeline = Pipeline::new(failing).with(breaker.clone());
    while !errors.lock().unwrap().is_empty() {
        let error = pipeline.execute(unary(), &context()).await.unwrap_err();
        assert_eq!((breaker.state(), breaker.stats().failed), (State::Closed, 0), "{error:?}");
    }
    for kind in [ErrorKind::Unavailable, ErrorKind::Upstream, ErrorKind::Overloaded, ErrorKind::Internal] {
        breaker.reset();
        errors.lock().unwrap().push(Error::new(kind, "broken"));
        pipeline.execute(unary(), &context()).await.unwrap_err();
        assert_eq!(breaker.state(), State::Open, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_of_the_call_counts_and_the_callers_deadline_does_not() {
    let breaker = breaker(|_| {});
    let stalled = Script::new("s", [Answer::cut(&["a"]).stall()]);
    let limits = exec_middleware::TimeoutConfig { idle: Some(5 * SECOND), ..Default::default() };
    let pipeline = around(&stalled, breaker.clone()).with(exec_middleware::Timeout::new(limits));
    let answer = pipeline.execute(streamed(), &context().with_timeout(SECOND)).await.unwrap();
    assert_eq!(answer.collect().await.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
    assert_eq!(breaker.state(), State::Closed);
    let answer = pipeline.execute(streamed(), &context()).await.unwrap();
    assert_eq!(answer.collect().await.unwrap_err().code(), "idle_timeout");
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn slow_is_until_the_answer_begins() {
    let breaker = breaker(|c| {
        (c.failures, c.slow, c.slow_rate, c.volume) = (None, Some(5 * SECOND), Some(0.5), 1);
    });
    let long = Answer::cut(&["a"]).pause(60 * SECOND).chunk(exec_core::Chunk::End(Default::default()));
    let script = Script::new("s", [long, Answer::text("late").after(5 * SECOND)]);
    let pipeline = around(&script, breaker.clone());
    pipeline.execute(streamed(), &context()).await.unwrap().collect().await.unwrap();
    assert_eq!((breaker.stats().slow, breaker.state()), (0, State::Closed));
    pipeline.execute(unary(), &context()).await.unwrap().collect().await.unwrap();
    assert_eq!((breaker.stats().slow, breaker.state()), (1, State::Open));
}

#[tokio::test]
async fn a_panic_is_a_failure_in_the_call_and_in_the_body() {
    for answer in [Answer::panic(), Answer::cut(&["a"]).then_panic()] {
        let breaker = breaker(|c| c.half_open = SECOND);
        let pipeline = around(&Script::new("s", [answer.clone()]), CatchPanic).with(breaker.clone());
        if let Ok(response) = pipeline.execute(streamed(), &context()).await {
            response.collect().await.unwrap_err();
        }
        assert_eq!((breaker.stats().failed, breaker.state()), (1, State::Open), "{answer:?}");
    }
    // With nobody who catches it.
    let breaker = breaker(|c| c.failures = Some(2));
    let pipeline =
        around(&Script::new("s", [Answer::panic(), Answer::cut(&["a"]).then_panic()]), breaker.clone());
    for failed in 1..=2 {
        let run = async { pipeline.execute(streamed(), &context()).await?.collect().await };
        std::panic::AssertUnwindSafe(run).catch_unwind().await.unwrap_err();
        assert_eq!(breaker.stats().failed, failed);
    }
}

#[tokio::test(start_paused = true)]
async fn every_transition_is_told_once_and_in_order() {
    let events = Arc::new(Recorder::default());
    let context = context().with_events(events.clone());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = heard.clone();
    let breaker =
        breaker(|_| {}).with_listener(move |name, state| sink.lock().unwrap().push((name.to_owned(), state)));
    let failing = Answer::error(ErrorKind::Upstream);
    let script = Script::new("s", [failing.clone(), failing, Answer::text("ok")]);
    let pipeline = around(&script, breaker.clone());
    for wait in [0, 1, 60, 600] {
        tokio::time::advance(wait * SECOND).await;
        let _ = pipeline.execute(unary(), &context).await;
    }
    let told = |event| if let Event::BreakerChanged { state, .. } = event { Some(state) } else { None };
    let told: Vec<_> = events.events().into_iter().filter_map(told).collect();
    assert_eq!(told, ["open", "half_open", "open", "half_open", "closed"]);
    let heard: Vec<_> =
        heard.lock().unwrap().iter().map(|(name, state)| (name.clone(), state.as_str())).collect();
    assert_eq!(heard, told.iter().map(|state| ("p".to_owned(), *state)).collect::<Vec<_>>());
    assert!(events.events().contains(&Event::Shed { guard: "breaker" }));
}

#[tokio::test(start_paused = true)]
async fn by_hand_it_stays_as_it_was_told() {
    let breaker = breaker(|_| {});
    breaker.open();
    tokio::time::advance(1_000 * SECOND).await;
    assert!(breaker.acquire().is_err());
    breaker.close();
    tokio::time::advance(1_000 * SECOND).await;
    assert_eq!(breaker.state(), State::Closed);
    let old = breaker.acquire().unwrap();
    breaker.reset();
    old.failure();
    assert_eq!((breaker.state(), breaker.stats().opened), (State::Closed, 0));
    assert_eq!((breaker.stats().outdated, breaker.stats().streak), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_figures_are_true() {
    let breaker = breaker(|c| (c.failures, c.failure_rate, c.volume) = (None, Some(0.5), 4));
    for _ in 0..3 {
        breaker.acquire().unwrap().success();
    }
    breaker.acquire().unwrap().failure();
    let stats = breaker.stats();
    assert_eq!((stats.window_calls, stats.failure_rate, stats.streak), (4, 0.25, 1));
    breaker.acquire().unwrap().failure();
    breaker.acquire().unwrap().failure();
    tokio::time::advance(10 * SECOND).await;
    drop(breaker.acquire());
    let stats = breaker.stats();
    assert_eq!((stats.state, stats.succeeded, stats.failed, stats.rejected), (State::Open, 3, 3, 1));
    assert_eq!((stats.opened, stats.open_time, stats.open_for), (1, 10 * SECOND, Some(50 * SECOND)));
    assert_eq!(stats.last_failure, Some(10 * SECOND));
}

#[tokio::test]
async fn the_fallback_answers_while_it_is_open_and_for_the_call_that_opened_it() {
    let other =
        exec_core::executor_fn(|_, _| Box::pin(async { Ok(Response::full(Output::text_of("other"))) }));
    let script = Script::new(
        "s",
        [
            Answer::error(ErrorKind::Upstream),
            Answer::error(ErrorKind::InvalidRequest),
            Answer::error(ErrorKind::Upstream),
        ],
    );
    let breaker = breaker(|c| c.failures = Some(2)).with_fallback(other);
    let pipeline = around(&script, breaker.clone());
    let run = || async { pipeline.execute(unary(), &context()).await?.collect().await };
    assert_eq!(run().await.unwrap_err().kind(), ErrorKind::Upstream);
    assert_eq!(run().await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert_eq!(run().await.unwrap().text(), "other");
    assert_eq!(run().await.unwrap().text(), "other");
    assert_eq!(script.calls(), 3);
}

#[tokio::test]
async fn what_counts_can_be_said() {
    struct Quota;
    impl Classify for Quota {
        fn error(&self, error: &Error) -> Verdict {
            if error.kind() == ErrorKind::RateLimited { Verdict::Failure } else { Verdict::Ignored }
        }
    }
    let breaker = breaker(|_| {}).with_classifier(Quota);
    let script =
        Script::new("s", [Answer::error(ErrorKind::Upstream), Answer::error(ErrorKind::RateLimited)]);
    let pipeline = around(&script, breaker.clone());
    pipeline.execute(unary(), &context()).await.unwrap_err();
    assert_eq!(breaker.state(), State::Closed);
    pipeline.execute(unary(), &context()).await.unwrap_err();
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn there_is_one_for_each_key_and_never_more_than_allowed() {
    let breakers = Breakers::new(breaker(|_| {}), NonZeroUsize::new(3).unwrap());
    breakers.get("open").open();
    for i in 0..1_000 {
        breakers.get(&i.to_string()).acquire().unwrap().success();
        assert!(breakers.len() <= 3);
    }
    assert_eq!(breakers.get("open").state(), State::Open, "the closed ones went first");
    assert_eq!(breakers.stats().len(), 3);
    for i in 0..100 {
        breakers.get(&format!("open {i}")).open();
        assert!(breakers.len() <= 3);
    }

    let script = Script::new("s", [Answer::error(ErrorKind::Upstream)]);
    let breakers = Breakers::new(breaker(|_| {}), NonZeroUsize::new(3).unwrap());
    let pipeline = around(&script, breakers);
    let embed = || Request::new(Operation::EMBED, serde_json::json!({"input": "x"}));
    for request in [unary(), unary(), embed(), embed(), Request::chat(Chat::user("y"))] {
        pipeline.execute(request, &context()).await.unwrap_err();
    }
    assert_eq!(script.calls(), 2);
}

#[test]
fn configuration_is_read_strictly() {
    let config: BreakerConfig = serde_json::from_str(r#"{"failures": 5, "open": "60s"}"#).unwrap();
    assert_eq!(config, BreakerConfig::consecutive());
    assert!(serde_json::from_str::<BreakerConfig>(r#"{"failure": 5}"#).is_err());
    let back: BreakerConfig =
        serde_json::from_str(&serde_json::to_string(&BreakerConfig::rate()).unwrap()).unwrap();
    assert_eq!(back, BreakerConfig::rate());
}
