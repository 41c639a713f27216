//! What a limit costs when it has nothing to object to, against the crate one would pick instead.
//!
//! `cargo bench -p benches --bench limiter`. Limits against governor, one for all and one for each of 1000 tenants; ours
//! reads tokio's clock, governor the counter of the processor.
#![expect(clippy::print_stdout, reason = "a bench talks to the developer on the terminal")]

use std::hint::black_box;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use benches::{Effort, Figure, Pair, Result, pair};
use exec_core::{Chat, Context, Money, Request};
use exec_middleware::{Charge, Limit, Mode, Per, RateLimit, RateLimitConfig};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

const TENANTS: usize = 1000;
const CALLS: usize = 2000;
/// More than any machine asks for.
const PLENTY: u64 = 4_000_000_000;

fn main() -> ExitCode {
    match run(Effort::asked()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("limiter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(effort: Effort) -> Result {
    let rounds = effort.pick(301, 51, 1);
    // First, while the most memory ever used is not another's.
    keys(effort.pick(10_000_000, 1_000_000, 10_000))?;
    limits(rounds)?;
    threads(effort.pick(51, 11, 1))
}

/// The callers and what they ask.
struct Callers {
    request: Request,
    contexts: Vec<Context>,
    names: Vec<Arc<str>>,
}

impl Callers {
    fn new() -> Self {
        let names: Vec<Arc<str>> = (0..TENANTS).map(|n| format!("tenant-{n}").into()).collect();
        let contexts = names.iter().map(|name| Context::new("1").with_tenant(name.clone())).collect();
        Self { request: Request::chat(Chat::user("hi")).with_model("m"), contexts, names }
    }
}

fn limiter(limits: Vec<Limit>) -> Result<RateLimit> {
    let config = RateLimitConfig { limits, ..RateLimitConfig::default() };
    RateLimit::new(config).map_err(|errors| format!("{errors:?}").into())
}

fn plenty(per: Per, mode: Mode) -> Limit {
    Limit { requests: Some(PLENTY), window: Duration::from_secs(1), per, mode, ..Limit::default() }
}

fn quota() -> Quota {
    Quota::per_second(NonZeroU32::MAX)
}

/// Nanoseconds per call of `f`, which is told the how-manieth it is.
fn nanos(mut f: impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    (0..CALLS).for_each(&mut f);
    start.elapsed().as_nanos() as f64 / CALLS as f64
}

fn limits(rounds: usize) -> Result {
    let callers = Callers::new();
    let Callers { request, contexts, names } = &callers;
    let direct = RateLimiter::direct(quota());
    let keyed = RateLimiter::keyed(quota());
    let rival_direct = || nanos(|_| drop(black_box(direct.check())));
    let rival_keyed = || nanos(|n| drop(black_box(keyed.check_key(&names[n % TENANTS]))));
    let check = |limit: RateLimit| {
        move || nanos(|n| drop(black_box(limit.check(request, &contexts[n % TENANTS], Charge::CALL))))
    };

    let ours = check(limiter(vec![plenty(Per::Global, Mode::Smooth)])?);
    report("one for all", pair(rounds, ours, rival_direct), "governor direct");
    let ours = check(limiter(vec![plenty(Per::Tenant, Mode::Smooth)])?);
    report("per tenant, smooth", pair(rounds, ours, rival_keyed), "governor keyed");
    let ours = check(limiter(vec![plenty(Per::Tenant, Mode::Exact)])?);
    report("per tenant, exact", pair(rounds, ours, rival_keyed), "governor keyed");
    for (case, mode) in [("3 dimensions, smooth", Mode::Smooth), ("3 dimensions, exact", Mode::Exact)] {
        let ours = three(mode, &callers)?;
        report(case, pair(rounds, ours, rival_keyed), "governor keyed");
    }
    Ok(())
}

/// Requests, tokens and money of a tenant set aside, and settled at less.
fn three(mode: Mode, callers: &Callers) -> Result<impl FnMut() -> f64> {
    let all = Limit {
        tokens: Some(PLENTY * 1000),
        money_micros: Some(Money::micros(PLENTY * 1000)),
        ..plenty(Per::Tenant, mode)
    };
    let limit = limiter(vec![all])?;
    let held = Charge { requests: 1, tokens: 500, money: Money::micros(700) };
    let used = Charge { requests: 1, tokens: 200, money: Money::micros(300) };
    Ok(move || {
        nanos(|n| {
            if let Ok(reservation) = limit.reserve_as(&callers.request, &callers.contexts[n % TENANTS], held)
            {
                reservation.settle(used);
            }
        })
    })
}

/// Two threads at the same limiter, each with all tenants.
fn threads(rounds: usize) -> Result {
    let callers = Callers::new();
    let Callers { request, contexts, names } = &callers;
    let limit = limiter(vec![plenty(Per::Tenant, Mode::Smooth)])?;
    let keyed = RateLimiter::keyed(quota());
    let both = |work: &(dyn Fn() -> f64 + Sync)| {
        std::thread::scope(|scope| {
            let other = scope.spawn(work);
            let mine = work();
            other.join().unwrap_or(f64::NAN).max(mine)
        })
    };
    let many = |work: &dyn Fn() -> f64| (0..20).map(|_| work()).sum::<f64>() / 20.0;
    let ours =
        || many(&|| nanos(|n| drop(black_box(limit.check(request, &contexts[n % TENANTS], Charge::CALL)))));
    let rival = || many(&|| nanos(|n| drop(black_box(keyed.check_key(&names[n % TENANTS])))));
    let pair = pair(rounds, || both(&ours), || both(&rival));
    report("per tenant, 2 threads", pair, "governor keyed");
    Ok(())
}

/// So many tenants, each once, with room for 100 000: how many are kept, and what a call costs.
fn keys(tenants: u64) -> Result {
    let window = Duration::from_millis(20);
    let limit = limiter(vec![Limit { window, ..plenty(Per::Tenant, Mode::Exact) }])?;
    let request = Request::chat(Chat::user("hi"));
    let (mut most, start) = (0, Instant::now());
    let before = resident()?;
    for n in 0..tenants {
        let context = Context::new("1").with_tenant(n.to_string());
        let _refused = black_box(limit.check(&request, &context, Charge::CALL));
        if n % 10_000 == 0 {
            most = limit.keys().max(most);
        }
    }
    let each = start.elapsed().as_nanos() as f64 / tenants as f64;
    println!("{tenants} tenants: at most {most} kept, {each:.0} ns each");
    Figure::alone("limiter", "10M keys, kept", most as f64, "keys").print();
    Figure::alone("limiter", "10M keys, memory", resident()? - before, "MiB").print();
    Ok(())
}

/// The most memory this process ever had, in MiB.
fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

fn report(case: &str, pair: Pair, rival: &str) {
    let Pair { ours, rival: theirs, ratio, lowest } = pair;
    println!("{case:36}{ours:9.1} ns, {rival} {theirs:.1}: ratio {ratio:.2} (lowest {lowest:.2})");
    Figure::of("limiter", case, pair, "ns", rival).print();
}
