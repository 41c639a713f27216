//! What a kept answer costs, and what the key of a request costs.
//!
//! `cargo bench -p benches --bench cache`. A hit is looked up with its time, its stale windows and what was made wrong,
//! against caches that load once for all who ask: moka's `try_get_with` with a time to live and weights, and quick_cache,
//! which has neither. The whole layer stands beside them for what it adds. A key is computed from a body just received,
//! against BLAKE3 over the same bytes. It fails when a hit costs more than 1.2 times moka's or a key more than 3 times
//! the hash.
#![expect(clippy::print_stdout, reason = "a bench talks to the developer on the terminal")]

#[path = "cache/hit.rs"]
mod hit;
#[path = "cache/key.rs"]
mod key;

use std::process::ExitCode;
use std::time::Instant;

use benches::{Effort, Figure, Pair, Result};

/// A hit, as a multiple of moka's.
const MOST_HIT: f64 = 1.2;
/// A key, as a multiple of the hash.
const MOST_KEY: f64 = 3.0;

fn main() -> ExitCode {
    match run(Effort::asked()) {
        Ok(missed) => {
            missed.iter().for_each(|bar| println!("cache: missed: {bar}"));
            if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            println!("cache: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The bars that were missed.
fn run(effort: Effort) -> Result<Vec<String>> {
    let rounds = effort.pick(301, 51, 1);
    let mut missed = Vec::new();
    for (case, bytes) in [("key of 1 KB", 1024), ("key of 16 KB", 16 * 1024)] {
        missed.extend(report(case, key::measure(rounds, bytes)?, "blake3", Some(MOST_KEY)));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let filled = hit::Filled::new(&runtime)?;
    let (get, layer) = filled.against_moka(&runtime, rounds)?;
    missed.extend(report("hit vs moka", get, "moka try_get_with", Some(MOST_HIT)));
    let quick = filled.against_quick_cache(&runtime, rounds);
    report("hit vs quick_cache", quick, "quick_cache", None);
    report("hit, whole layer", layer, "moka try_get_with", None);
    if !filled.only_hits() {
        return Err("not every call was a hit".into());
    }
    if effort == Effort::Smoke { Ok(Vec::new()) } else { Ok(missed) }
}

/// Nanoseconds per call of `call`, which is told the how-manieth it is.
fn nanos(calls: usize, call: impl FnMut(usize)) -> f64 {
    let start = now();
    (0..calls).for_each(call);
    start.elapsed().as_nanos() as f64 / calls as f64
}

/// The same for calls that are awaited.
async fn nanos_of(calls: usize, call: impl AsyncFn(usize)) -> f64 {
    let start = now();
    for n in 0..calls {
        call(n).await;
    }
    start.elapsed().as_nanos() as f64 / calls as f64
}

#[expect(clippy::disallowed_methods, reason = "a bench measures the clock on the wall")]
fn now() -> Instant {
    Instant::now()
}

/// Says and prints it, and says whether it is more than the `bar`.
fn report(case: &str, pair: Pair, rival: &str, bar: Option<f64>) -> Option<String> {
    let Pair { ours, rival: theirs, ratio, lowest } = pair;
    println!("{case:24}{ours:9.1} ns, {rival} {theirs:.1}: ratio {ratio:.2} (lowest {lowest:.2})");
    Figure::of("cache", case, pair, "ns", rival).print();
    bar.filter(|bar| ratio > *bar).map(|bar| format!("{case}: {ratio:.2} times {rival}, more than {bar}"))
}
