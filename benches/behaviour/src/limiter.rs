//! Rate limits of ten a second: how many they let through at worst, and what a denial is worth.

mod references;

use std::num::NonZeroU32;
use std::time::Duration;

use exec_core::{Chat, Context, Request};
use exec_middleware::{Charge, Limit, Mode, Per, RateLimit, RateLimitConfig};
use governor::clock::{Clock, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::advance;

use self::references::{FixedWindow, TwoBuckets};
use crate::row::{OURS, Result, Row, ensure, made, virtually};

const GUARD: &str = "rate limit";
const SMOOTH: &str = "exec, `smooth`";
const GOVERNOR: &str = "governor";
const LIMIT: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);
const TENANTS: usize = 10_000;
const KEYS: usize = 1000;

const WORST: &str = "a greedy caller from any moment on: most admitted in any second";
const DENIAL: &str = "waiting as long as a denial says: let in then, and a nanosecond before";
const BOTH: &str = "a call that the limit of tokens refuses: charged to the limit of requests";
const IDLE: &str = "10000 callers, each once, room for 1000: most keys held";

type Governor =
    RateLimiter<NotKeyed, InMemoryState, FakeRelativeClock, NoOpMiddleware<governor::nanos::Nanos>>;

pub(crate) fn rows() -> Result<Vec<Row>> {
    let mut rows = virtually(worst())?;
    rows.extend(virtually(denial())?);
    rows.extend(virtually(async { both() })?);
    rows.extend(virtually(idle())?);
    Ok(rows)
}

fn ours(mode: Mode) -> Result<RateLimit> {
    limiter(vec![Limit { requests: Some(LIMIT.into()), window: WINDOW, mode, ..Limit::default() }], 1)
}

fn limiter(limits: Vec<Limit>, keys: usize) -> Result<RateLimit> {
    made(RateLimit::new(RateLimitConfig { limits, keys, ..RateLimitConfig::default() }))
}

fn quota(limit: u32) -> Result<Quota> {
    Ok(Quota::per_second(NonZeroU32::new(limit).ok_or("a quota of nothing")?))
}

fn rival(limit: u32, clock: &FakeRelativeClock) -> Result<Governor> {
    Ok(RateLimiter::direct_with_clock(quota(limit)?, clock.clone()))
}

fn caller() -> (Request, Context) {
    (Request::chat(Chat::user("hi")), Context::new("1"))
}

/// Something that lets calls in or not, at a time since it was made.
type Door = Box<dyn FnMut(Duration) -> bool>;

fn door(limit: RateLimit) -> Door {
    let (request, context) = caller();
    Box::new(move |_| limit.check(&request, &context, Charge::CALL).is_ok())
}

/// All of them, made now.
fn doors(clock: &FakeRelativeClock) -> Result<Vec<(&'static str, Door)>> {
    let (rival, mut fixed, mut two) = (rival(LIMIT, clock)?, FixedWindow::default(), TwoBuckets::default());
    Ok(vec![
        (OURS, door(ours(Mode::Exact)?)),
        (SMOOTH, door(ours(Mode::Smooth)?)),
        (GOVERNOR, Box::new(move |_| rival.check().is_ok())),
        ("fixed window (reference)", Box::new(move |at| fixed.admit(at))),
        ("two buckets (reference)", Box::new(move |at| two.admit(at))),
    ])
}

/// Callers that begin at any of 20 moments of a second, and then ask every millisecond.
async fn worst() -> Result<Vec<Row>> {
    let clock = FakeRelativeClock::default();
    let mut most: Vec<(&str, usize)> = Vec::new();
    for phase in (0..1000).step_by(50).map(Duration::from_millis) {
        let mut doors = doors(&clock)?;
        let mut admitted = vec![Vec::new(); doors.len()];
        pass(&clock, phase).await;
        for millis in 0..2500 {
            let at = phase + Duration::from_millis(millis);
            for ((_, door), admitted) in doors.iter_mut().zip(&mut admitted) {
                if door(at) {
                    admitted.push(at);
                }
            }
            pass(&clock, Duration::from_millis(1)).await;
        }
        let busiest = admitted.iter().map(|times| busiest_window(times));
        most.extend(doors.iter().map(|(who, _)| *who).zip(busiest));
    }
    let names: Vec<&str> = doors(&clock)?.into_iter().map(|(who, _)| who).collect();
    let worst = |who: &str| most.iter().filter(|(name, _)| *name == who).map(|(_, n)| *n).max().unwrap_or(0);
    ensure(names.iter().all(|who| worst(who) >= 10), || "somebody let too few in".into())?;
    names
        .into_iter()
        .map(|who| match who {
            OURS => Row::ours(GUARD, WORST, worst(who).to_string(), "10"),
            _ => Ok(Row::new(GUARD, WORST, who, worst(who).to_string())),
        })
        .collect()
}

/// Lets both clocks go on.
async fn pass(clock: &FakeRelativeClock, time: Duration) {
    clock.advance(time);
    advance(time).await;
}

/// The most admissions that begin within less than a window of each other.
fn busiest_window(times: &[Duration]) -> usize {
    let within = |first: &Duration| times.iter().filter(|at| *at >= first && **at - *first < WINDOW).count();
    times.iter().map(within).max().unwrap_or(0)
}

async fn denial() -> Result<Vec<Row>> {
    let said = |before: bool, then: bool| format!("{}, {}", yes(then), yes(before));
    let mut rows = Vec::new();
    for (who, mode) in [(OURS, Mode::Exact), (SMOOTH, Mode::Smooth)] {
        let ((request, context), limit) = (caller(), ours(mode)?);
        let check = || limit.check(&request, &context, Charge::CALL);
        let wait = loop {
            advance(Duration::from_nanos(1_234_567)).await;
            if let Err(denied) = check() {
                break denied.retry_after().ok_or("a denial without a time")?;
            }
        };
        advance(wait - Duration::from_nanos(1)).await;
        let before = check().is_ok();
        advance(Duration::from_nanos(1)).await;
        let saw = said(before, check().is_ok());
        ensure(saw == "yes, no", || format!("{who}: {DENIAL}: {saw}"))?;
        rows.push(Row::new(GUARD, DENIAL, who, saw));
    }
    let clock = FakeRelativeClock::default();
    let limit = rival(LIMIT, &clock)?;
    let wait = loop {
        clock.advance(Duration::from_nanos(1_234_567));
        if let Err(denied) = limit.check() {
            break denied.wait_time_from(clock.now());
        }
    };
    clock.advance(wait - Duration::from_nanos(1));
    let before = limit.check().is_ok();
    clock.advance(Duration::from_nanos(1));
    rows.push(Row::new(GUARD, DENIAL, GOVERNOR, said(before, limit.check().is_ok())));
    Ok(rows)
}

fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// Two limits, ten requests and a hundred tokens; two calls of sixty tokens.
fn both() -> Result<Vec<Row>> {
    let limits = vec![
        Limit { requests: Some(10), ..Limit::default() },
        Limit { tokens: Some(100), ..Limit::default() },
    ];
    let ((request, context), limit) = (caller(), limiter(limits, 1)?);
    let sixty = Charge { tokens: 60, ..Charge::CALL };
    ensure(limit.check(&request, &context, sixty).is_ok(), || "the first call was refused".into())?;
    let left = || limit.requests_left(&request, &context).unwrap_or(0);
    let before = left();
    ensure(limit.check(&request, &context, sixty).is_err(), || "the second call was let in".into())?;
    let ours = Row::ours(GUARD, BOTH, (before - left()).to_string(), "0")?;

    let clock = FakeRelativeClock::default();
    let (requests, tokens) = (rival(10, &clock)?, rival(100, &clock)?);
    let sixty = NonZeroU32::new(60).ok_or("sixty")?;
    let call = || requests.check().is_ok() && tokens.check_n(sixty).is_ok_and(|inner| inner.is_ok());
    ensure(call() && !call(), || "governor did not refuse the second call".into())?;
    let left = (0..20).filter(|_| requests.check().is_ok()).count();
    Ok(vec![ours, Row::new(GUARD, BOTH, "governor", format!("{} (two limiters)", 9 - left))])
}

async fn idle() -> Result<Vec<Row>> {
    let limit = Limit { requests: Some(10), window: WINDOW, per: Per::Tenant, ..Limit::default() };
    let (limit, clock) = (limiter(vec![limit], KEYS)?, FakeRelativeClock::default());
    let rival = RateLimiter::hashmap_with_clock(quota(LIMIT)?, clock.clone());
    let (request, mut most) = (caller().0, 0);
    for n in 0..TENANTS {
        let context = Context::new("1").with_tenant(n.to_string());
        let (ours, theirs) = (limit.check(&request, &context, Charge::CALL), rival.check_key(&n));
        ensure(ours.is_ok() && theirs.is_ok(), || format!("caller {n} was refused"))?;
        most = limit.keys().max(most);
        pass(&clock, Duration::from_millis(10)).await;
    }
    let ours = if most <= KEYS { "at most 1000".to_owned() } else { most.to_string() };
    let theirs = format!("{}, until `retain_recent`", rival.len());
    Ok(vec![Row::ours(GUARD, IDLE, ours, "at most 1000")?, Row::new(GUARD, IDLE, GOVERNOR, theirs)])
}
