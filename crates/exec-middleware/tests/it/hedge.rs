//! A slow call is made a second time, once, and only one answer comes of it.

mod simulation;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{
    Budget, Chunk, Context, Error, ErrorKind, Event, Executor, Money, Operation, Pipeline, Priority, Remedy,
    Request, Response, Verbatim, Wire, executor_fn,
};
use exec_middleware::{ConcurrencyConfig, ConcurrencyLimit, Hedge, HedgeConfig, Retry, RetryConfig};
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::{around, streamed, unary};

const SECOND: Duration = Duration::from_secs(1);

/// Waits a second, and is limited by nothing else than the number of hedges.
fn config() -> HedgeConfig {
    HedgeConfig { delay: SECOND, floor: 1000, ..HedgeConfig::default() }
}

fn hedge(change: impl FnOnce(&mut HedgeConfig)) -> Hedge {
    let mut config = config();
    change(&mut config);
    Hedge::new(config).unwrap()
}

fn late(text: &str) -> Answer {
    Answer::text(text).after(10 * SECOND)
}

async fn ask(pipeline: &Pipeline, request: Request) -> Result<(String, u32), Error> {
    let response = pipeline.execute(request, &Context::new("1")).await?;
    let attempts = response.report.attempts;
    Ok((response.collect().await?.text(), attempts))
}

#[tokio::test(start_paused = true)]
async fn a_slow_call_is_sent_again_and_the_loser_is_cancelled() {
    let script = Script::new("s", [late("first"), Answer::text("second")]);
    let limit =
        ConcurrencyLimit::new(ConcurrencyConfig { limit: 2, queue: 0, ..ConcurrencyConfig::default() })
            .unwrap();
    let pipeline = Pipeline::around(script.clone()).with(hedge(|_| {})).with(limit.clone());
    let events = Arc::new(Recorder::default());
    let (context, started) = (Context::new("1").with_events(events.clone()), Instant::now());
    let response = pipeline.execute(unary(), &context).await.unwrap();
    assert_eq!((response.report.attempts, started.elapsed()), (2, SECOND));
    assert_eq!(response.output().unwrap().text(), "second");
    assert_eq!((script.calls(), script.open(), limit.stats().in_flight), (2, 0, 0));
    assert_eq!(events.events(), [Event::Hedged { attempt: 2, after: None, elapsed: SECOND }]);
}

#[tokio::test(start_paused = true)]
async fn the_first_may_still_win_and_no_more_are_sent_than_allowed() {
    let script = Script::new("s", [Answer::text("first").after(5 * SECOND), late("later")]);
    let hedge = hedge(|config| config.max_hedges = 3);
    assert_eq!(ask(&around(&script, hedge), unary()).await.unwrap(), ("first".to_owned(), 4));
    assert_eq!((script.calls(), script.open()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_win_nothing_and_what_came_before_content_is_kept() {
    let life = |data: &'static str| {
        let data = Bytes::from_static(data.as_bytes());
        Chunk::Verbatim(Verbatim { wire: Wire::new("w"), event: None, data, means: Vec::new() })
    };
    let stalls = Answer::cut(&[]).chunk(life("loser")).chunk(Chunk::Text(String::new())).stall();
    let wins = Answer::cut(&[]).chunk(life("winner")).chunk(Chunk::Text("words".into()));
    let wins = wins.pause(5 * SECOND).chunk(Chunk::End(Default::default()));
    let script = Script::new("s", [stalls, wins]);
    let pipeline = around(&script, hedge(|_| {}));
    let response = pipeline.execute(streamed(), &Context::new("1")).await.unwrap();
    assert_eq!((script.calls(), script.open()), (2, 1), "the loser's body is gone, the winner's is not");
    let chunks: Vec<_> = response.into_chunks().map(Result::unwrap).collect().await;
    assert_eq!(chunks, [life("winner"), Chunk::Text("words".into()), Chunk::End(Default::default())]);
    assert_eq!(script.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_content_is_never_hedged_however_long_it_takes() {
    let script =
        Script::new("s", [Answer::cut(&["a"]).pause(9 * SECOND).chunk(Chunk::End(Default::default()))]);
    assert_eq!(ask(&around(&script, hedge(|_| {})), streamed()).await.unwrap().0, "a");
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fatal_answer_cancels_the_others() {
    let script = Script::new("s", [Answer::hang(), Answer::error(ErrorKind::InvalidRequest)]);
    let started = Instant::now();
    let error = ask(&around(&script, hedge(|config| config.max_hedges = 5)), unary()).await.unwrap_err();
    assert_eq!((error.kind(), started.elapsed()), (ErrorKind::InvalidRequest, SECOND));
    assert_eq!((script.calls(), script.open()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_sends_the_next_at_once() {
    let script = Script::new("s", [Answer::error(ErrorKind::Upstream), Answer::text("b")]);
    let (events, started) = (Arc::new(Recorder::default()), Instant::now());
    let context = Context::new("1").with_events(events.clone());
    let pipeline = around(&script, hedge(|_| {}));
    assert!(pipeline.execute(unary(), &context).await.is_ok() && started.elapsed().is_zero());
    let after = Some(ErrorKind::Upstream);
    assert_eq!(events.events(), [Event::Hedged { attempt: 2, after, elapsed: Duration::ZERO }]);

    let script = Script::new("s", [Answer::hang(), Answer::error(ErrorKind::Upstream), Answer::text("c")]);
    let pipeline = around(&script, hedge(|config| config.max_hedges = 2));
    assert_eq!(ask(&pipeline, unary()).await.unwrap(), ("c".to_owned(), 3));
    assert_eq!((started.elapsed(), script.open()), (SECOND, 0));
}

#[tokio::test(start_paused = true)]
async fn if_all_fail_the_last_real_failure_lists_them() {
    let script =
        Script::new("s", [Answer::error(ErrorKind::Upstream), Answer::error(ErrorKind::RateLimited)]);
    let error = ask(&around(&script, hedge(|_| {})), unary()).await.unwrap_err();
    let kinds: Vec<_> = error.attempts().iter().map(|attempt| attempt.kind).collect();
    assert_eq!(kinds, [ErrorKind::Upstream, ErrorKind::RateLimited]);
    assert_eq!((error.kind(), script.calls()), (ErrorKind::RateLimited, 2));
}

/// Answers call after call with what `errors` says, and hangs then.
fn failing(errors: Vec<Error>) -> Arc<dyn Executor> {
    let errors = std::sync::Mutex::new(errors.into_iter());
    Arc::new(executor_fn(move |_, _| {
        let error = errors.lock().unwrap().next();
        Box::pin(async move {
            match error {
                Some(error) => Err(error),
                None => std::future::pending().await,
            }
        })
    }))
}

#[tokio::test(start_paused = true)]
async fn who_says_how_long_to_wait_is_not_asked_again() {
    for error in [
        Error::new(ErrorKind::RateLimited, "later").with_retry_after(SECOND),
        Error::new(ErrorKind::Upstream, "not here").with_remedy(Remedy::Elsewhere),
        Error::new(ErrorKind::Overloaded, "our own limit").with_unsent(true),
    ] {
        let kind = error.kind();
        let hedge = hedge(|config| config.max_hedges = 5);
        let pipeline = Pipeline::around(failing(vec![error])).with(hedge);
        let error = tokio::time::timeout(60 * SECOND, ask(&pipeline, unary())).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_refuses_a_hedge_leaves_the_call_alone() {
    let script = Script::new("s", [late("first")]);
    let limit = ConcurrencyConfig { limit: 1, queue: 0, ..ConcurrencyConfig::default() };
    let pipeline = Pipeline::around(script.clone())
        .with(hedge(|config| config.max_hedges = 5))
        .with(ConcurrencyLimit::new(limit).unwrap());
    assert_eq!(ask(&pipeline, unary()).await.unwrap().0, "first");
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_sent_twice_is_not() {
    let script = Script::new("s", [late("first")]);
    let order = Request::new(Operation::from("orders.create"), serde_json::json!({}));
    let guarded = hedge(|_| {});
    assert_eq!(ask(&around(&script, guarded), order.clone()).await.unwrap().0, "first");
    assert_eq!(script.calls(), 1);
    let named = hedge(|_| {}).hedging(|request| request.operation.as_str() == "orders.create");
    assert_eq!(ask(&around(&script, named), order).await.unwrap().1, 2);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_call_stops_every_attempt() {
    let script = Script::new("s", [Answer::hang()]);
    let pipeline = around(&script, hedge(|config| config.max_hedges = 2));
    let context = Context::new("1");
    let call = pipeline.execute(unary(), &context);
    assert!(tokio::time::timeout(5 * SECOND, call).await.is_err());
    assert_eq!((script.calls(), script.open()), (3, 0));
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    let started = Instant::now();
    tokio::time::sleep(SECOND).await;
    assert_eq!(started.elapsed(), SECOND, "no timer is left that would have rung before");
}

#[tokio::test(start_paused = true)]
async fn hedges_draw_from_the_one_budget_of_attempts() {
    let script = Script::new("s", [Answer::hang(), Answer::text("b")]);
    let backend = script.clone();
    let counted = executor_fn(move |request, context: &Context| {
        let (taken, backend, context) = (context.budget().take_attempt(), backend.clone(), context.clone());
        Box::pin(async move {
            taken?;
            backend.execute(request, &context).await
        })
    });
    let pipeline = Pipeline::new(counted).with(hedge(|_| {}));
    let one = Context::new("1").with_budget(Arc::new(Budget::new(1, None)));
    assert!(tokio::time::timeout(60 * SECOND, pipeline.execute(unary(), &one)).await.is_err());
    assert_eq!(script.calls(), 1);
    let two = Context::new("1").with_budget(Arc::new(Budget::new(2, None)));
    assert!(pipeline.execute(unary(), &two).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn hedges_cost_no_more_than_there_is() {
    // Two tokens of prompt at least, and a hundred of answer, at a dollar each.
    let priced = |most: Option<u64>| {
        hedge(|config| {
            config.price_micros = Money::micros(1_000_000_000_000);
            config.answer_tokens = 100;
            config.max_cost_micros = most.map(Money::micros);
        })
    };
    let dollars = |n| Arc::new(Budget::new(9, Some(Money::micros(n * 1_000_000))));
    let left = async |hedge: Hedge, had: u64, second: Answer| {
        let (script, budget) = (Script::new("s", [late("a"), second]), dollars(had));
        let context = Context::new("1").with_budget(budget.clone());
        let _ = around(&script, hedge).execute(unary(), &context).await;
        (script.calls(), budget.money_left().unwrap().as_micros() / 1_000_000)
    };
    assert_eq!(left(priced(None), 50, late("b")).await, (1, 50), "not enough");
    assert_eq!(left(priced(Some(1)), 5000, late("b")).await, (1, 5000), "too dear");
    let (calls, rest) = left(priced(None), 5000, late("b")).await;
    assert!(calls == 2 && (4800..4900).contains(&rest), "the loser was on its way: {rest}");
    let failed = Answer::error(ErrorKind::Upstream);
    assert_eq!(left(priced(None), 5000, failed).await, (2, 5000), "given back");
    let (calls, rest) = left(priced(None), 5000, Answer::error(ErrorKind::InvalidRequest)).await;
    // The failed one cost nothing, and nothing was set aside for the first.
    assert_eq!((calls, rest), (2, 5000));
}

#[tokio::test(start_paused = true)]
async fn the_delay_is_learned_from_calls_of_the_same_kind() {
    let hedge = Arc::new(hedge(|config| config.samples = 20));
    let script = Script::new("s", [Answer::text("a").after(Duration::from_millis(100))]);
    let pipeline = Pipeline::around(script.clone()).with_shared(hedge.clone());
    for _ in 0..20 {
        assert_eq!(hedge.delay(&unary()), SECOND);
        ask(&pipeline, unary()).await.unwrap();
    }
    let learned = hedge.delay(&unary());
    assert!((150..160).contains(&learned.as_millis()), "{learned:?}");
    assert_eq!((hedge.delay(&streamed()), hedge.delay(&unary().with_model("other"))), (SECOND, SECOND));
    let stats = hedge.stats();
    assert_eq!((stats.calls, stats.sent, stats.won, stats.refused), (20, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn retries_outside_and_hedges_inside_add_up_and_do_not_multiply() {
    let backend = executor_fn(|_, context: &Context| {
        let taken = context.budget().take_attempt();
        Box::pin(async move {
            taken?;
            Err::<Response, _>(Error::new(ErrorKind::Upstream, "down"))
        })
    });
    let retry = Retry::new(RetryConfig { attempts: 10, ..RetryConfig::default() }).unwrap();
    let pipeline = Pipeline::new(backend).with(retry).with(hedge(|config| config.max_hedges = 9));
    let budget = Arc::new(Budget::new(7, None));
    let context = Context::new("1").with_budget(budget.clone());
    let error = pipeline.execute(unary(), &context).await.unwrap_err();
    assert_eq!((error.kind(), budget.attempts_taken()), (ErrorKind::Upstream, 7));
}

#[test]
fn every_wrong_setting_is_named_at_once_and_reading_is_strict() {
    let config: HedgeConfig = serde_json::from_str(r#"{"delay": "3s", "max_hedges": 2}"#).unwrap();
    assert_eq!((config.delay, config.max_hedges, config.share), (3 * SECOND, 2, 0.05));
    assert!(serde_json::from_str::<HedgeConfig>(r#"{"hedges": 2}"#).is_err());
    let wrong = HedgeConfig {
        max_hedges: 0,
        quantile: f64::NAN,
        factor: 0.5,
        delay: Duration::ZERO,
        samples: 0,
        kinds: 0,
        share: 0.0,
        floor: 0,
        max_cost_micros: Some(Money::micros(1)),
        ..HedgeConfig::default()
    };
    let paths: Vec<_> = Hedge::new(wrong).unwrap_err().into_iter().map(|error| error.path).collect();
    let all = [
        "max_hedges",
        "quantile",
        "factor",
        "delay",
        "min_delay",
        "samples",
        "kinds",
        "floor",
        "max_cost_micros",
    ];
    assert_eq!(paths, all);
}

#[tokio::test(start_paused = true)]
async fn permits_of_losers_are_free_while_the_winner_is_read() {
    let limit =
        ConcurrencyLimit::new(ConcurrencyConfig { limit: 2, queue: 0, ..ConcurrencyConfig::default() });
    let limit = limit.unwrap();
    let body = Answer::cut(&["a"]).stall();
    let script = Script::new("s", [Answer::hang(), body]);
    let pipeline = Pipeline::around(script).with(hedge(|_| {})).with(limit.clone());
    let response = pipeline.execute(streamed(), &Context::new("1")).await.unwrap();
    assert_eq!(limit.stats().in_flight, 1);
    assert!(limit.acquire(Priority::Normal).now_or_never().is_some_and(|permit| permit.is_ok()));
    drop(response);
    assert_eq!(limit.stats().in_flight, 0);
}
