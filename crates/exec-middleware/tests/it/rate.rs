//! What a rate limit admits, what it says when it does not, and how it settles.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{
    Chat, Chunk, Context, Cost, Error, ErrorKind, Event, Executor, Input, Money, Options, Output, Pipeline,
    Remedy, Report, Request, Response, Summary, Usage, Wire, executor_fn,
};
use exec_middleware::{Charge, Limit, Mode, Per, RateLimit, RateLimitConfig};
use tokio::task::JoinSet;

use crate::{around, streamed, unary};

const SECOND: Duration = Duration::from_secs(1);

fn limiter(limits: Vec<Limit>) -> RateLimit {
    RateLimit::new(RateLimitConfig { limits, ..RateLimitConfig::default() }).unwrap()
}

fn requests(n: u64, per: Per) -> Limit {
    Limit { requests: Some(n), per, ..Limit::default() }
}

fn tokens(n: u64) -> Limit {
    Limit { tokens: Some(n), ..Limit::default() }
}

fn used(input: u64, output: u64) -> Summary {
    let usage = Some(Usage { input, output, ..Usage::default() });
    let cost = Some(Cost { input: Money::micros(input * 10), output: Money::micros(output * 20) });
    Summary { usage, cost, ..Summary::default() }
}

fn full(summary: Summary) -> Response {
    let mut output = Output::default();
    output.summary = summary;
    Response::full(output)
}

fn of(tenant: &str) -> Context {
    Context::new("1").with_tenant(tenant)
}

/// A request estimated at `tokens` tokens.
fn worth(tokens: u64) -> Request {
    let mut chat = Chat::user("x");
    chat.sampling.max_tokens = Some(tokens - 10);
    let bytes = vec![b' '; 40].into();
    Request { input: Input::received(Wire::new("w"), bytes, chat), ..unary() }
}

/// An upstream that answers what `make` says.
fn answering(
    make: impl Fn() -> exec_core::Result<Response> + Send + Sync + 'static,
    limit: &RateLimit,
) -> Pipeline {
    let make = Arc::new(make);
    let upstream = executor_fn(move |_, _| {
        let make = make.clone();
        Box::pin(async move { make() })
    });
    Pipeline::new(upstream).with(limit.clone())
}

#[tokio::test(start_paused = true)]
async fn a_denial_says_exactly_how_long_costs_no_call_and_is_told() {
    let script = Script::new("s", [Answer::text("x")]);
    let pipeline = around(&script, limiter(vec![requests(2, Per::Tenant)]));
    let recorder = Arc::new(Recorder::default());
    let context = of("a").with_events(recorder.clone());
    for _ in 0..2 {
        let _answer = pipeline.execute(unary(), &context).await.unwrap();
        tokio::time::advance(SECOND).await;
    }
    let error = pipeline.execute(unary(), &context).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.retry_after()),
        (ErrorKind::RateLimited, "rate_limited", Some(58 * SECOND))
    );
    assert!(error.is_unsent() && error.remedy() == Remedy::Retry);
    assert_eq!(error.message(), "2 requests in 60s are reached for this tenant: try again in 58s");
    assert_eq!((script.calls(), recorder.events()), (2, vec![Event::Shed { guard: "rate_limit" }]));

    tokio::time::advance(58 * SECOND - Duration::from_nanos(1)).await;
    assert_eq!(
        pipeline.execute(unary(), &context).await.unwrap_err().retry_after(),
        Some(Duration::from_nanos(1))
    );
    tokio::time::advance(Duration::from_nanos(1)).await;
    assert!(pipeline.execute(unary(), &context).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn tenants_models_and_everybody_are_counted_together_or_not_at_all() {
    let limit = limiter(vec![
        requests(3, Per::Tenant),
        requests(4, Per::Model),
        requests(9, Per::Global),
        requests(2, Per::TenantModel),
        requests(9, Per::Provider),
    ]);
    let ask = |tenant: &str, model: &str| limit.check(&unary().with_model(model), &of(tenant), Charge::CALL);
    assert!(ask("a", "m").is_ok() && ask("a", "m").is_ok());
    assert!(ask("a", "m").unwrap_err().message().contains("this tenant and model"));
    assert!(ask("a", "n").is_ok(), "the refusal charged nothing to the tenant");
    assert!(ask("a", "o").unwrap_err().message().contains("this tenant:"));
    assert!(ask("b", "m").is_ok() && ask("b", "m").is_ok());
    assert!(ask("c", "m").unwrap_err().message().contains("this model"));
    assert_eq!(limit.requests_left(&unary().with_model("n"), &of("c")), Some(2));
    assert!(["n", "n", "o", "p"].iter().enumerate().all(|(n, model)| ask(&format!("t{n}"), model).is_ok()));
    assert!(ask("z", "z").unwrap_err().message().contains("everybody together"));
}

#[tokio::test(start_paused = true)]
async fn the_smooth_mode_spreads_and_the_exact_mode_never_passes_the_limit() {
    for (mode, most) in [(Mode::Exact, 10), (Mode::Smooth, 19)] {
        let limit = limiter(vec![Limit { window: SECOND, mode, ..requests(10, Per::Tenant) }]);
        let mut admitted = Vec::new();
        for millis in 0..3000u64 {
            if limit.check(&unary(), &of("a"), Charge::CALL).is_ok() {
                admitted.push(millis);
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let inside = |start: &u64| admitted.iter().filter(|at| (*start..start + 1000).contains(*at)).count();
        assert_eq!(admitted.iter().map(inside).max(), Some(most), "{mode:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_estimate_is_bytes_and_the_longest_answer() {
    let limit = limiter(vec![tokens(100_000)]);
    assert_eq!(limit.estimate(&worth(100)).tokens, 100);
    let open = Request {
        input: Input::received(Wire::new("w"), vec![b' '; 4000].into(), Chat::user("x")),
        ..unary()
    };
    assert_eq!(limit.estimate(&open).tokens, 1000 + 1024);
    let written = limit.estimate(&Request::chat(Chat::user("y".repeat(4000)))).tokens;
    assert!((2024..2060).contains(&written), "{written}");
    let embed = Request::new(exec_core::Operation::EMBED, serde_json::json!({"input": "z".repeat(400)}));
    assert!((100..110).contains(&limit.estimate(&embed).tokens));
}

#[tokio::test(start_paused = true)]
async fn what_was_too_much_is_given_back_and_what_was_too_little_is_owed() {
    let limit = limiter(vec![tokens(1000)]);
    let left = |limit: &RateLimit| limit.tokens_left(&unary(), &of("a")).unwrap();

    answering(|| Ok(full(used(20, 30))), &limit)
        .execute(worth(900), &of("a"))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(left(&limit), 950);
    answering(|| Ok(full(used(20, 1180))), &limit)
        .execute(worth(100), &of("a"))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(left(&limit), 0);
    // The 1100 that nobody had set aside are more than one limit, so they count for two windows.
    let error = limit.reserve(&worth(100), &of("a")).unwrap_err();
    assert_eq!(error.retry_after(), Some(120 * SECOND));
    // An answer that does not say what it used is charged at the estimate.
    tokio::time::advance(120 * SECOND).await;
    answering(|| Ok(Response::full(Output::default())), &limit)
        .execute(worth(100), &of("a"))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(left(&limit), 900);
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_is_settled_when_it_ends() {
    let take = |limit: &RateLimit, tokens| {
        limit.reserve_as(&unary(), &of("a"), Charge { tokens, ..Charge::CALL }).unwrap()
    };
    let left = |limit: &RateLimit| limit.tokens_left(&unary(), &of("a")).unwrap();
    let used = |tokens| Charge { tokens, ..Charge::CALL };

    let exact = limiter(vec![tokens(1000)]);
    let long = take(&exact, 100);
    tokio::time::advance(30 * SECOND).await;
    long.settle(used(600));
    assert_eq!(left(&exact), 400);
    tokio::time::advance(30 * SECOND).await;
    assert_eq!(
        left(&exact),
        500,
        "what was set aside is over, what is owed counts from the end of the answer"
    );
    tokio::time::advance(30 * SECOND).await;
    assert_eq!(left(&exact), 1000);

    let smooth = limiter(vec![Limit { mode: Mode::Smooth, ..tokens(1000) }]);
    let (long, mut other) = (take(&smooth, 600), take(&smooth, 400));
    other.mark_sent();
    tokio::time::advance(30 * SECOND).await;
    long.settle(used(0));
    assert_eq!(left(&smooth), 600, "500 had run out by then, so 100 are left to give back");
}

#[tokio::test(start_paused = true)]
async fn money_is_set_aside_at_the_price_assumed_and_settled_at_the_cost() {
    let limit = Limit { money_micros: Some(Money::micros(5000)), ..Limit::default() };
    let config = RateLimitConfig {
        limits: vec![limit],
        price_micros: Money::micros(10_000_000),
        ..RateLimitConfig::default()
    };
    let limit = RateLimit::new(config).unwrap();
    assert_eq!(limit.estimate(&worth(100)).money, Money::micros(1000));
    let pipeline = answering(|| Ok(full(used(10, 20))), &limit);
    for _ in 0..9 {
        assert!(pipeline.execute(worth(100), &of("a")).await.is_ok());
    }
    let error = pipeline.execute(worth(100), &of("a")).await.unwrap_err();
    assert!(error.message().starts_with("5000 millionths of a dollar"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_is_dropped_depends_on_whether_the_call_was_sent() {
    let limit = limiter(vec![tokens(1000)]);
    let left = || limit.tokens_left(&unary(), &of("a")).unwrap();
    let reservation = limit.reserve(&worth(300), &of("a")).unwrap();
    assert_eq!((left(), reservation.held().tokens), (700, 300));
    drop(reservation);
    assert_eq!(left(), 1000);
    let mut reservation = limit.reserve(&worth(300), &of("a")).unwrap();
    reservation.mark_sent();
    drop(reservation);
    assert_eq!(left(), 700);

    let script = Script::new("s", [Answer::hang(), Answer::cut(&["a"]).stall()]);
    let pipeline = around(&script, limit.clone());
    assert!(tokio::time::timeout(SECOND, pipeline.execute(worth(100), &of("a"))).await.is_err());
    assert_eq!(left(), 600, "a call that is dropped on its way");
    let stream = worth(100).with_options(Options { stream: true, ..Options::default() });
    drop(pipeline.execute(stream, &of("a")).await.unwrap().into_chunks());
    assert_eq!(left(), 500, "a body that nobody read to its end");
    assert_eq!(script.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_settled_at_its_end() {
    let limit = limiter(vec![tokens(1000)]);
    let script = Script::new("s", [Answer::cut(&["a"]).chunk(Chunk::End(used(5, 7)))]);
    let answer = around(&script, limit.clone()).execute(streamed(), &of("a")).await;
    assert_eq!(
        answer.unwrap_err().remedy(),
        Remedy::Stop,
        "1024 for the answer alone are more than the limit"
    );
    let mut chat = Chat::user("x");
    chat.sampling.max_tokens = Some(500);
    let request = Request::chat(chat).with_options(Options { stream: true, ..Options::default() });
    let answer = around(&script, limit.clone()).execute(request, &of("a")).await.unwrap();
    assert!(limit.tokens_left(&unary(), &of("a")).unwrap() < 500);
    answer.collect().await.unwrap();
    assert_eq!(limit.tokens_left(&unary(), &of("a")), Some(988));
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_charged_for_what_it_may_have_used() {
    let both = Limit { requests: Some(10), tokens: Some(1000), ..Limit::default() };
    let after = async |make: fn() -> exec_core::Result<Response>| {
        let limit = limiter(vec![both]);
        let _answer = answering(make, &limit).execute(worth(100), &of("a")).await;
        (limit.requests_left(&unary(), &of("a")).unwrap(), limit.tokens_left(&unary(), &of("a")).unwrap())
    };
    assert_eq!(
        after(|| Err(Error::new(ErrorKind::Unavailable, "refused").with_unsent(true))).await,
        (10, 1000)
    );
    assert_eq!(after(|| Err(Error::new(ErrorKind::Overloaded, "busy"))).await, (9, 1000));
    assert_eq!(after(|| Err(Error::new(ErrorKind::DeadlineExceeded, "slow"))).await, (9, 900));
    let cached =
        || Ok(Response::full(Output::default()).with_report(Report { cached: true, ..Report::default() }));
    assert_eq!(after(cached).await, (9, 1000));
}

#[tokio::test(start_paused = true)]
async fn more_than_a_whole_limit_is_refused_for_good() {
    let limit = limiter(vec![
        tokens(1000),
        Limit { mode: Mode::Smooth, burst: Some(50), per: Per::Global, ..tokens(5000) },
    ]);
    let error = limit.reserve(&worth(60), &of("a")).unwrap_err();
    assert_eq!(
        (error.kind(), error.remedy(), error.retry_after()),
        (ErrorKind::RateLimited, Remedy::Stop, None)
    );
}

#[tokio::test(start_paused = true)]
async fn idle_tenants_are_forgotten_and_a_flood_of_names_is_refused() {
    let config =
        RateLimitConfig { limits: vec![requests(1, Per::Tenant)], keys: 1000, ..RateLimitConfig::default() };
    let limit = RateLimit::new(config).unwrap();
    let flood = (0..5000).map(|n| limit.check(&unary(), &of(&n.to_string()), Charge::CALL));
    let refused: Vec<Error> = flood.filter_map(Result::err).collect();
    assert_eq!((refused.len(), limit.keys()), (4000, 1000));
    assert_eq!((refused[0].kind(), refused[0].code()), (ErrorKind::Overloaded, "too_many_keys"));
    assert_eq!(refused[0].retry_after(), Some(60 * SECOND));
    tokio::time::advance(60 * SECOND).await;
    assert!(limit.check(&unary(), &of("new"), Charge::CALL).is_ok());
    assert_eq!(limit.keys(), 1);
}

/// The books against what upstream saw, with callers who leave at any moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_stress_with_cancellation_the_books_balance() {
    let limit = limiter(vec![
        Limit { requests: Some(5000), tokens: Some(1_000_000), window: 3600 * SECOND, ..Limit::default() },
        Limit { window: 3600 * SECOND, ..requests(1500, Per::Global) },
    ]);
    let (begun, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counts = (begun.clone(), ended.clone());
    let upstream = executor_fn(move |_, _| {
        let (begun, ended) = counts.clone();
        Box::pin(async move {
            let n = begun.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_micros(n * 7919 % 400)).await;
            ended.fetch_add(1, Ordering::Relaxed);
            Ok(full(used(3, 4)))
        })
    });
    let pipeline = Pipeline::new(upstream).with(limit.clone());
    let mut tasks = JoinSet::new();
    for n in 0..2000u64 {
        let pipeline = pipeline.clone();
        tasks.spawn(async move {
            let patience = if n % 10 == 0 { Duration::from_micros(n % 700) } else { 60 * SECOND };
            let call = async { pipeline.execute(worth(100), &of("a")).await.map(|answer| answer.is_full()) };
            tokio::time::timeout(patience, call).await.map_err(|_| ())
        });
    }
    let outcomes = tasks.join_all().await;
    let (begun, ended) = (begun.load(Ordering::Relaxed), ended.load(Ordering::Relaxed));
    assert_eq!(begun, 1500, "never more, and nothing is lost to a caller who left");
    let count =
        |f: fn(&Result<exec_core::Result<bool>, ()>) -> bool| outcomes.iter().filter(|o| f(o)).count() as u64;
    let (good, refused, gone) =
        (count(|o| matches!(o, Ok(Ok(_)))), count(|o| matches!(o, Ok(Err(_)))), count(Result::is_err));
    assert_eq!((good, good + refused + gone), (ended, 2000));
    let left = limit.tokens_left(&unary(), &of("a")).unwrap();
    assert_eq!(1_000_000 - left, ended * 7 + (begun - ended) * 100);
}

/// Two threads flood the limiter with names that become idle at once, around a tenant that owes for an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_flood_of_names_memory_is_bounded_and_a_debt_is_kept() {
    let brief = Limit { window: Duration::from_millis(1), ..requests(1, Per::Tenant) };
    let long = Limit { window: 3600 * SECOND, mode: Mode::Smooth, ..tokens(1000) };
    let config = RateLimitConfig { limits: vec![brief, long], keys: 500, ..RateLimitConfig::default() };
    let limit = RateLimit::new(config).unwrap();
    limit
        .reserve_as(&unary(), &of("debtor"), Charge { tokens: 10, ..Charge::CALL })
        .unwrap()
        .settle(Charge { tokens: 2000, ..Charge::CALL });
    let mut floods = JoinSet::new();
    for side in 0..2 {
        let limit = limit.clone();
        floods.spawn(async move {
            let mut most = 0;
            for n in 0..20_000 {
                let _outcome = limit.check(&unary(), &of(&format!("{side}-{n}")), Charge::CALL);
                if n % 100 == 0 {
                    most = limit.keys().max(most);
                    tokio::task::yield_now().await;
                }
            }
            most
        });
    }
    let most = floods.join_all().await.into_iter().max().unwrap();
    assert!(most <= 500, "{most}");
    let error = limit.reserve_as(&unary(), &of("debtor"), Charge { tokens: 1, ..Charge::CALL }).unwrap_err();
    assert!(error.retry_after().unwrap() > 3600 * SECOND, "{error}");
}

#[test]
fn configuration_is_read_strictly_and_refused_with_every_reason() {
    let read = serde_json::from_str::<RateLimitConfig>;
    let config = read(
        r#"{"limits": [{"requests": 5, "window": "1s", "per": "tenant_model", "mode": "smooth", "burst": 2}]}"#,
    );
    assert_eq!(config.unwrap().limits[0].per, Per::TenantModel);
    assert!(read(r#"{"limits": [{"request": 5}]}"#).is_err() && read(r#"{"limit": []}"#).is_err());
    assert_eq!(read("{}").unwrap().limits[0].requests, Some(60));
    let wrong = r#"{"keys": 0, "limits": [{}, {"requests": 0, "window": "0s"}, {"requests": 1, "burst": 1},
        {"requests": 1, "tokens": 1, "mode": "smooth", "burst": 1}, {"tokens": 1, "mode": "smooth", "burst": 0}]}"#;
    let errors = RateLimit::new(read(wrong).unwrap()).unwrap_err();
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    let expected =
        ["keys", "limits[0].requests", "limits[1].requests", "limits[1].window", "limits[2].burst"];
    assert_eq!(paths, [&expected[..], &["limits[3].burst", "limits[4].burst"]].concat());
    let none = RateLimitConfig { limits: Vec::new(), ..RateLimitConfig::default() };
    assert_eq!(RateLimit::new(none).unwrap_err()[0].path, "limits");
}
