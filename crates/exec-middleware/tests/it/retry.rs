//! What is made again, when, how often, and what never is.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{
    Budget, Catalogue, Context, Error, ErrorKind, Event, Executor, Operation, OperationSpec, Output,
    Pipeline, Remedy, Request, Response, executor_fn,
};
use exec_middleware::{BackoffConfig, Jitter, Retry, RetryBudget, RetryBudgetConfig, RetryConfig};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{around, streamed, unary};

const SECOND: Duration = Duration::from_secs(1);

/// Delays of 1, 2, 4 … seconds without jitter, and a budget that is never short.
fn plain(attempts: u32) -> RetryConfig {
    RetryConfig {
        attempts,
        backoff: BackoffConfig { jitter: Jitter::None, ..BackoffConfig::default() },
        budget: RetryBudgetConfig { floor: 1_000_000, ..RetryBudgetConfig::default() },
        ..RetryConfig::default()
    }
}

fn retry(attempts: u32) -> Retry {
    Retry::new(plain(attempts)).unwrap()
}

/// An upstream that takes an attempt for each call, as whoever calls out must, and fails with what `make` says.
fn failing(make: impl Fn(u32) -> Error + Send + Sync + 'static) -> (Pipeline, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let (count, make) = (calls.clone(), Arc::new(make));
    let upstream = executor_fn(move |_, context| {
        let (count, make) = (count.clone(), make.clone());
        Box::pin(async move {
            context.budget().take_attempt()?;
            Err(make(count.fetch_add(1, Ordering::Relaxed) + 1))
        })
    });
    (Pipeline::new(upstream), calls)
}

fn overloaded(n: u32) -> Error {
    Error::new(ErrorKind::Overloaded, format!("busy {n}")).with_provider("p")
}

#[tokio::test(start_paused = true)]
async fn attempts_count_the_first_and_the_last_real_error_comes_back_with_all_of_them() {
    let (upstream, calls) = failing(overloaded);
    let started = Instant::now();
    let error = upstream.with(retry(3)).execute(unary(), &Context::new("1")).await.unwrap_err();
    assert_eq!((calls.load(Ordering::Relaxed), started.elapsed()), (3, 3 * SECOND));
    assert_eq!(
        (error.message(), error.kind(), error.remedy()),
        ("busy 3", ErrorKind::Overloaded, Remedy::Elsewhere)
    );
    let said: Vec<&str> = error.attempts().iter().map(|attempt| attempt.message.as_str()).collect();
    assert_eq!(said, ["busy 1", "busy 2", "busy 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_told_and_the_answer_says_how_many_attempts_it_took() {
    let script = Script::new(
        "s",
        [Answer::error(ErrorKind::Overloaded), Answer::error(ErrorKind::Upstream), Answer::text("x")],
    );
    let recorder = Arc::new(Recorder::default());
    let context = Context::new("1").with_events(recorder.clone());
    let answer = around(&script, retry(4)).execute(unary(), &context).await.unwrap();
    assert_eq!(answer.report.attempts, 3);
    let told = [(ErrorKind::Overloaded, SECOND), (ErrorKind::Upstream, 2 * SECOND)];
    assert_eq!(recorder.events(), told.map(|(kind, wait)| Event::Retried { kind, wait }));
}

#[tokio::test(start_paused = true)]
async fn only_the_remedy_decides() {
    for kind in [
        ErrorKind::InvalidRequest,
        ErrorKind::Unavailable,
        ErrorKind::DeadlineExceeded,
        ErrorKind::ContextLength,
    ] {
        let script = Script::new("s", [Answer::error(kind)]);
        let error = around(&script, retry(3)).execute(unary(), &Context::new("1")).await.unwrap_err();
        assert_eq!((script.calls(), error.kind(), error.remedy()), (1, kind, kind.remedy()));
        assert!(error.attempts().is_empty());
    }
    let (upstream, calls) = failing(|n| overloaded(n).with_remedy(Remedy::Stop));
    assert!(upstream.with(retry(3)).execute(unary(), &Context::new("1")).await.is_err());
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_end_after_the_deadline_is_not_begun() {
    let (upstream, calls) = failing(overloaded);
    let pipeline = upstream.with(retry(9));
    let started = Instant::now();
    let context = Context::new("1").with_timeout(SECOND * 13 / 2);
    let error = pipeline.execute(unary(), &context).await.unwrap_err();
    assert_eq!(
        (calls.load(Ordering::Relaxed), started.elapsed()),
        (3, 3 * SECOND),
        "4 s more would be too late"
    );
    assert_eq!((error.message(), error.attempts().len()), ("busy 3", 3));
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_its_own_covers_attempts_and_waits() {
    let script = Script::new("s", [Answer::error(ErrorKind::Overloaded), Answer::hang()]);
    let config = RetryConfig { total: Some(5 * SECOND), ..plain(9) };
    let started = Instant::now();
    let error =
        around(&script, Retry::new(config).unwrap()).execute(unary(), &Context::new("1")).await.unwrap_err();
    assert_eq!((script.calls(), script.open(), started.elapsed()), (2, 0, 5 * SECOND));
    assert_eq!(error.kind(), ErrorKind::Overloaded, "the last real error, not our own deadline");

    let pipeline = around(&Script::new("s", [Answer::hang()]), Retry::new(config).unwrap());
    let first = pipeline.execute(unary(), &Context::new("2")).await.unwrap_err();
    assert_eq!((first.code(), first.remedy()), ("total_timeout", Remedy::Elsewhere));
    let first = pipeline.execute(unary(), &Context::new("3").with_timeout(SECOND)).await.unwrap_err();
    assert_eq!((first.code(), first.remedy()), ("deadline_exceeded", Remedy::Stop));
}

#[tokio::test(start_paused = true)]
async fn a_pushback_is_obeyed_exactly_and_the_schedule_begins_anew() {
    let waits = [Some(Duration::from_nanos(1_234_567_890)), None, Some(Duration::ZERO), None];
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = times.clone();
    let (upstream, _) = failing(move |n| {
        seen.lock().unwrap().push(Instant::now());
        match waits.get(n as usize - 1).copied().flatten() {
            Some(wait) => overloaded(n).with_retry_after(wait),
            None => overloaded(n),
        }
    });
    let config = RetryConfig { backoff: BackoffConfig { base: 2 * SECOND, ..plain(1).backoff }, ..plain(5) };
    let _error =
        upstream.with(Retry::new(config).unwrap()).execute(unary(), &Context::new("1")).await.unwrap_err();
    let times = times.lock().unwrap();
    let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The timer counts in milliseconds and never rings early.
    assert!(
        gaps[0] >= Duration::from_nanos(1_234_567_890) && gaps[0] < Duration::from_millis(1236),
        "{gaps:?}"
    );
    assert!(gaps[1].abs_diff(2 * SECOND) < Duration::from_millis(2), "{gaps:?}");
    assert!(gaps[2] < Duration::from_millis(2), "{gaps:?}");
    assert!(gaps[3].abs_diff(2 * SECOND) < Duration::from_millis(2), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pushback_that_is_too_long_fails_now_and_is_passed_on() {
    for (asked, context) in [
        (61 * SECOND, Context::new("longer than we wait for anybody")),
        (10 * SECOND, Context::new("longer than is left").with_timeout(5 * SECOND)),
    ] {
        let (upstream, calls) = failing(move |n| overloaded(n).with_retry_after(asked));
        let started = Instant::now();
        let error = upstream.with(retry(3)).execute(unary(), &context).await.unwrap_err();
        assert_eq!((calls.load(Ordering::Relaxed), started.elapsed()), (1, Duration::ZERO));
        assert_eq!((error.retry_after(), error.remedy()), (Some(asked), Remedy::Elsewhere));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_begun_is_final() {
    let script = Script::new("s", [Answer::cut(&["a"]).then_error(ErrorKind::Overloaded)]);
    let answer = around(&script, retry(3)).execute(streamed(), &Context::new("1")).await.unwrap();
    assert_eq!(answer.collect().await.unwrap_err().kind(), ErrorKind::Overloaded);
    assert_eq!(script.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_carried_out_is_not_sent_twice() {
    let mut catalogue = Catalogue::default();
    catalogue.add(OperationSpec::new("instances.list").read()).unwrap();
    catalogue.add(OperationSpec::new("instances.create")).unwrap();
    let calls = |operation: &'static str, unsent: bool, by_hand: bool| {
        let (upstream, calls) = failing(move |n| overloaded(n).with_unsent(unsent));
        let mut retry = retry(3).with_catalogue(Arc::new(catalogue.clone()));
        if by_hand {
            retry = retry.repeating(|request| request.operation.as_str() == "instances.create");
        }
        let request = Request::new(Operation::from(operation), serde_json::json!({}));
        async move {
            let _error = upstream.with(retry).execute(request, &Context::new("1")).await.unwrap_err();
            calls.load(Ordering::Relaxed)
        }
    };
    for (operation, unsent, by_hand, expected) in [
        ("chat", false, false, 3),
        ("embed", false, false, 3),
        ("models.list", false, false, 3),
        ("instances.list", false, false, 3),
        ("instances.create", false, false, 1),
        ("nobody.knows", false, false, 1),
        ("instances.create", true, false, 3),
        ("instances.create", false, true, 3),
    ] {
        assert_eq!(calls(operation, unsent, by_hand).await, expected, "{operation} {unsent} {by_hand}");
    }
}

#[tokio::test(start_paused = true)]
async fn three_nested_retries_of_three_do_not_make_twenty_seven_calls() {
    let (upstream, calls) = failing(overloaded);
    let nested = upstream.with(retry(3)).with(retry(3)).with(retry(3));
    let error = nested.execute(unary(), &Context::new("1")).await.unwrap_err();
    assert_eq!((calls.load(Ordering::Relaxed), error.message()), (3, "busy 3"));

    // Also when something between them gives the error its remedy back, the one budget holds.
    let again = || {
        exec_core::from_fn(|request, context, next| {
            Box::pin(
                async move { next.run(request, context).await.map_err(|e| e.with_remedy(Remedy::Retry)) },
            )
        })
    };
    let (upstream, calls) = failing(overloaded);
    let nested = upstream.with(retry(3)).with(again()).with(retry(3)).with(again()).with(retry(3));
    let context = Context::new("1").with_budget(Arc::new(Budget::new(5, None)));
    let started = Instant::now();
    let error = nested.execute(unary(), &context).await.unwrap_err();
    assert_eq!((calls.load(Ordering::Relaxed), error.kind()), (5, ErrorKind::Overloaded));
    assert!(started.elapsed() < 10 * SECOND, "nobody waits for an attempt that cannot be made");
}

#[tokio::test(start_paused = true)]
async fn a_shared_budget_refuses_at_once() {
    let budget = RetryBudget::new(RetryBudgetConfig { floor: 3, ratio: 0.0, ttl: 60 * SECOND }).unwrap();
    let total = Arc::new(AtomicU32::new(0));
    for _ in 0..2 {
        for _ in 0..5 {
            let (upstream, calls) = failing(overloaded);
            let pipeline = upstream.with(retry(2).with_budget(budget.clone()));
            let _error = pipeline.execute(unary(), &Context::new("1")).await.unwrap_err();
            total.fetch_add(calls.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
    assert_eq!(total.load(Ordering::Relaxed), 10 + 3);
    let (upstream, calls) = failing(overloaded);
    let started = Instant::now();
    let error =
        upstream.with(retry(2).with_budget(budget)).execute(unary(), &Context::new("1")).await.unwrap_err();
    assert_eq!(
        (calls.load(Ordering::Relaxed), started.elapsed(), error.message()),
        (1, Duration::ZERO, "busy 1")
    );
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_wait_and_dropping_ends_everything() {
    let script = Script::new("s", [Answer::error(ErrorKind::Overloaded), Answer::hang()]);
    let pipeline = around(&script, retry(3));
    let context = Context::new("1");
    let cancel = async {
        tokio::time::sleep(SECOND / 2).await;
        context.cancel();
    };
    let (result, ()) = tokio::join!(pipeline.execute(unary(), &context), cancel);
    assert_eq!((result.unwrap_err().kind(), script.calls()), (ErrorKind::Cancelled, 1));

    let context = Context::new("2");
    let call = pipeline.execute(unary(), &context);
    assert!(tokio::time::timeout(10 * SECOND, call).await.is_err());
    assert_eq!((script.calls(), script.open()), (2, 0));
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(script.calls(), 2, "nothing runs on");
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

/// Every call ends as one of four, none is lost, and upstream saw no more than the budget allows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_stress_with_cancellation_the_books_balance() {
    let open = Arc::new(AtomicU32::new(0));
    let calls = Arc::new(AtomicU32::new(0));
    let (alive, count) = (open.clone(), calls.clone());
    let upstream = executor_fn(move |_, _| {
        let (alive, n) = (Alive::new(&alive), count.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move {
            let _alive = alive;
            tokio::time::sleep(Duration::from_micros(u64::from(n * 7919 % 300))).await;
            if n % 3 == 0 { Err(overloaded(n)) } else { Ok(Response::full(Output::default())) }
        })
    });
    let quick = BackoffConfig {
        base: Duration::from_micros(100),
        cap: Duration::from_millis(1),
        ..BackoffConfig::default()
    };
    let budget = RetryBudgetConfig { floor: 50, ratio: 0.1, ttl: 60 * SECOND };
    let config = RetryConfig { attempts: 3, backoff: quick, budget, ..RetryConfig::default() };
    let pipeline = Pipeline::new(upstream).with(Retry::new(config).unwrap().with_seed(12345));
    let mut tasks = JoinSet::new();
    for n in 0..2000u32 {
        let pipeline = pipeline.clone();
        tasks.spawn(async move {
            let patience = if n % 10 == 0 { Duration::from_micros(u64::from(n % 500)) } else { 60 * SECOND };
            tokio::time::timeout(patience, pipeline.execute(unary(), &Context::new("1")))
                .await
                .map(|r| r.is_ok())
        });
    }
    let outcomes = tasks.join_all().await;
    let answered = outcomes.iter().filter(|outcome| matches!(outcome, Ok(true))).count();
    assert_eq!((outcomes.len(), open.load(Ordering::Relaxed)), (2000, 0));
    assert!(answered > 1000, "{answered}");
    assert!(calls.load(Ordering::Relaxed) <= 2000 + 50 + 200, "{calls:?}");
}

struct Alive(Arc<AtomicU32>);

impl Alive {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_once_was_not_unsent_whatever_came_of_the_last_attempt() {
    for (first, unsent) in [(false, false), (true, true)] {
        let make = move |n| Error::new(ErrorKind::Overloaded, "busy").with_unsent(first || n > 1);
        let (upstream, _) = failing(make);
        let error =
            upstream.with(retry(2).named("p")).execute(unary(), &Context::new("1")).await.unwrap_err();
        assert_eq!(error.is_unsent(), unsent);
        assert!(error.attempts().iter().all(|attempt| &*attempt.provider == "p"), "{error:?}");
    }
}

#[test]
fn one_seed_gives_one_run() {
    let run = |seed| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (upstream, _) = failing(overloaded);
            let config = RetryConfig { backoff: BackoffConfig::default(), ..plain(4) };
            let pipeline = upstream.with(Retry::new(config).unwrap().with_seed(seed));
            let recorder = Arc::new(Recorder::default());
            let context = Context::new("1").with_events(recorder.clone());
            let _error = pipeline.execute(unary(), &context).await.unwrap_err();
            recorder.events()
        })
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn configuration_is_read_strictly_and_refused_with_every_reason() {
    let read = serde_json::from_str::<RetryConfig>;
    let config = read(
        r#"{"attempts": 3, "backoff": {"base": "500ms", "jitter": "decorrelated"}, "budget": {"floor": 5}}"#,
    );
    let config = config.unwrap();
    assert_eq!((config.attempts, config.backoff.base, config.budget.floor), (3, SECOND / 2, 5));
    assert!(read(r#"{"atempts": 3}"#).is_err() && read(r#"{"backoff": {"bas": "1s"}}"#).is_err());
    let wrong =
        read(r#"{"attempts": 0, "total": "0s", "backoff": {"factor": 0.5}, "budget": {"ratio": 2.0}}"#)
            .unwrap();
    let errors = Retry::new(wrong).unwrap_err();
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["attempts", "total", "backoff.factor", "budget.ratio"]);
}
