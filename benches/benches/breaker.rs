//! What a closed breaker adds to a call that succeeds, against the breakers a user would take instead.
//!
//! `cargo bench -p benches --bench breaker`. Each call is empty, so all that is measured is asking and telling.
#![expect(clippy::print_stdout, reason = "a bench talks to the developer on the terminal")]

use benches::{Effort, Figure, Pair, Result, pair};
use exec_middleware::{BreakerConfig, CircuitBreaker};
use failsafe::CircuitBreaker as _;
use futures_util::FutureExt;
use std::hint::black_box;
use std::process::ExitCode;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use tower::Service;
use tower_resilience_circuitbreaker::CircuitBreakerLayer;

const SECOND: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run(Effort::asked()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("breaker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(effort: Effort) -> Result {
    let (rounds, calls) = (effort.pick(301, 51, 1), effort.pick(20_000, 10_000, 10));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    for (name, config) in configurations() {
        let ours = ours(config)?;
        let measured = pair(rounds, || nanos(calls, &ours), failsafe_consecutive(calls));
        report(&format!("{name} vs failsafe"), measured, "failsafe, consecutive");
        let measured = pair(rounds, || nanos(calls, &ours), failsafe_rate(calls));
        report(&format!("{name} vs failsafe rate"), measured, "failsafe, success rate");
        let measured = pair(rounds, || nanos(calls, &ours), recloser(calls));
        report(&format!("{name} vs recloser"), measured, "recloser");
        let measured = pair(rounds, || nanos(calls, &ours), tower_resilience(calls)?);
        report(&format!("{name} vs tower-resilience"), measured, "tower-resilience");
    }
    Ok(())
}

fn configurations() -> [(&'static str, BreakerConfig); 4] {
    let rate = BreakerConfig::rate();
    [
        ("five in a row", BreakerConfig::consecutive()),
        ("rate of 100 calls", rate),
        ("rate of 30 s", BreakerConfig { window: Some(30 * SECOND), ..rate }),
        ("rate and slow calls", BreakerConfig { slow: Some(SECOND), slow_rate: Some(1.0), ..rate }),
    ]
}

/// Nanoseconds for each of so many calls.
fn nanos(calls: u32, call: impl Fn()) -> f64 {
    let started = now();
    (0..calls).for_each(|_| call());
    started.elapsed().as_nanos() as f64 / f64::from(calls)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures the clock on the wall")]
fn now() -> Instant {
    Instant::now()
}

fn ours(config: BreakerConfig) -> Result<impl Fn()> {
    let breaker = CircuitBreaker::new(config).map_err(|errors| format!("{errors:?}"))?;
    Ok(move || {
        if let Ok(permit) = black_box(&breaker).acquire() {
            permit.success();
        }
    })
}

fn failsafe_consecutive(calls: u32) -> impl FnMut() -> f64 {
    let policy = failsafe::failure_policy::consecutive_failures(5, failsafe::backoff::constant(60 * SECOND));
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    move || nanos(calls, || drop(breaker.call(|| black_box(Ok::<(), ()>(())))))
}

fn failsafe_rate(calls: u32) -> impl FnMut() -> f64 {
    let backoff = failsafe::backoff::constant(60 * SECOND);
    let policy = failsafe::failure_policy::success_rate_over_time_window(0.5, 10, 30 * SECOND, backoff);
    let breaker = failsafe::Config::new().failure_policy(policy).build();
    move || nanos(calls, || drop(breaker.call(|| black_box(Ok::<(), ()>(())))))
}

fn recloser(calls: u32) -> impl FnMut() -> f64 {
    let breaker = recloser::Recloser::custom().closed_len(100).build();
    move || nanos(calls, || drop(breaker.call(|| black_box(Ok::<(), ()>(())))))
}

/// A service whose answer is there at once; its future is in a box, as this layer wants it.
fn tower_resilience(calls: u32) -> Result<impl FnMut() -> f64> {
    let inner = tower::service_fn(|()| std::future::ready(Ok::<(), std::io::Error>(())));
    let layer = CircuitBreakerLayer::builder().failure_rate_threshold(0.5).build()?;
    let mut service = layer.layer_fn(inner);
    let mut task = Context::from_waker(Waker::noop());
    Ok(move || {
        let started = now();
        for _ in 0..calls {
            let _ready = black_box(service.poll_ready(&mut task));
            let _answer = black_box(service.call(()).now_or_never());
        }
        started.elapsed().as_nanos() as f64 / f64::from(calls)
    })
}

fn report(case: &str, pair: Pair, rival: &str) {
    let Pair { ours, rival: theirs, ratio, lowest } = pair;
    println!("{case:36}{ours:9.1} ns, {rival} {theirs:.1}: ratio {ratio:.2} (lowest {lowest:.2})");
    Figure::of("breaker", case, pair, "ns", rival).print();
}
