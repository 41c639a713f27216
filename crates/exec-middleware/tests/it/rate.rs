//! What a rate limit admits, what it says when it does not, and how it settles.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{
    Chat, Context, Cost, Error, ErrorKind, Event, Executor, Input, Money, Output, Pipeline, Remedy, Request,
    Response, Summary, Usage, Wire, executor_fn,
};
use exec_middleware::{Charge, Limit, Mode, Per, RateLimit, RateLimitConfig};
use tokio::task::JoinSet;

use crate::{around, unary};

const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn limiter(limits: Vec<Limit>) -> RateLimit {
    RateLimit::new(RateLimitConfig { limits, ..RateLimitConfig::default() }).unwrap()
}

fn requests(n: u64, per: Per) -> Limit {
    Limit { requests: Some(n), per, ..Limit::default() }
}

pub(crate) fn tokens(n: u64) -> Limit {
    Limit { tokens: Some(n), ..Limit::default() }
}

pub(crate) fn used(input: u64, output: u64) -> Summary {
    let usage = Some(Usage { input, output, ..Usage::default() });
    let cost = Some(Cost { input: Money::micros(input * 10), output: Money::micros(output * 20) });
    Summary { usage, cost, ..Summary::default() }
}

pub(crate) fn full(summary: Summary) -> Response {
    let mut output = Output::default();
    output.summary = summary;
    Response::full(output)
}

pub(crate) fn of(tenant: &str) -> Context {
    Context::new("1").with_tenant(tenant)
}

/// A request estimated at `tokens` tokens.
pub(crate) fn worth(tokens: u64) -> Request {
    let mut chat = Chat::user("x");
    chat.sampling.max_tokens = Some(tokens - 10);
    let bytes = vec![b' '; 40].into();
    Request { input: Input::received(Wire::new("w"), bytes, chat), ..unary() }
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
