//! How what was set aside becomes what was used.

use std::sync::Arc;
use std::time::Duration;

use exec_core::testing::{Answer, Script};
use exec_core::{
    Chat, Chunk, Error, ErrorKind, Executor, Money, Options, Output, Pipeline, Remedy, Report, Request,
    Response, executor_fn,
};
use exec_middleware::{Charge, Limit, Mode, Per, RateLimit, RateLimitConfig};

use crate::rate::{full, limiter, of, tokens, used, worth};
use crate::{around, streamed, unary};

const SECOND: Duration = Duration::from_secs(1);

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
async fn a_call_that_never_left_costs_nothing_also_where_only_calls_are_counted() {
    let limit = limiter(vec![Limit { requests: Some(2), per: Per::Global, ..Limit::default() }]);
    let refused = || Err(Error::new(ErrorKind::Overloaded, "full").with_unsent(true));
    for _ in 0..10 {
        let error = answering(refused, &limit).execute(unary(), &of("a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Overloaded);
    }
    assert_eq!((limit.stats().requests_left, limit.stats().refused), (Some(2), 0));
    let failed = || Err(Error::new(ErrorKind::Overloaded, "busy"));
    for _ in 0..3 {
        answering(failed, &limit).execute(unary(), &of("a")).await.unwrap_err();
    }
    let stats = limit.stats();
    assert_eq!((stats.keys, stats.requests_left, stats.tokens_left, stats.refused), (1, Some(0), None, 1));
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
