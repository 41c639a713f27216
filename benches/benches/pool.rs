//! What it costs to take a connection and give it back, against the pools one would pick instead.
//!
//! `cargo bench -p benches --bench pool`. Connections are numbers, so that only the pool is measured. Ours keeps its limit
//! in time for every call, its dates and its histogram; deadpool has no limits in time; bb8 and mobc have theirs, without a
//! check at each call. sqlx pools connections of databases only, so it gets a server that says "ready" to everything; it
//! asks it whenever a connection comes back.
//!
//! It fails when ours takes longer than deadpool, with 5 % for the noise of the machine.
#![expect(clippy::print_stdout, reason = "a bench talks to the developer on the terminal")]

#[path = "pool"]
mod pool {
    pub(crate) mod rivals;
}

use benches::{Effort, Figure, Pair, Result, pair};
use pool::rivals::{self, Contender};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The crowded case.
const TASKS: usize = 64;
const CONNECTIONS: usize = 8;
/// How many times as slow as deadpool a run may be, and still be a run of noise.
const NOISE: f64 = 1.05;

fn main() -> ExitCode {
    match run(Effort::asked()) {
        Ok(missed) if missed.is_empty() => ExitCode::SUCCESS,
        Ok(missed) => {
            missed.iter().for_each(|bar| println!("pool: missed: {bar}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("pool: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The bars that were missed.
fn run(effort: Effort) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    let (rounds, gets) = (effort.pick(301, 51, 1), effort.pick(2000, 1000, 10));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    missed.extend(case(&runtime, "get and return", rounds, |contender| alone(&runtime, contender, gets))?);
    let (rounds, gets) = (effort.pick(101, 21, 1), effort.pick(1000, 500, 2));
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    missed.extend(case(&runtime, "64 tasks on 8", rounds, |contender| crowd(&runtime, contender, gets))?);
    if effort != Effort::Smoke { Ok(missed) } else { Ok(Vec::new()) }
}

/// Ours against each rival; says whether ours is slower than the first, deadpool.
fn case(
    runtime: &Runtime,
    name: &str,
    rounds: usize,
    measure: impl Fn(&Arc<dyn Contender>) -> f64,
) -> Result<Option<String>> {
    let ours = runtime.block_on(rivals::ours(CONNECTIONS))?;
    let mut missed = None;
    for (number, (rival_name, rival)) in runtime.block_on(rivals::all(CONNECTIONS))?.iter().enumerate() {
        let pair = pair(rounds, || measure(&ours), || measure(rival));
        report(&format!("{name} vs {rival_name}"), pair, rival_name);
        if number == 0 && pair.ratio > NOISE {
            missed = Some(format!("{name}: {:.2} x {rival_name}, and {NOISE} is the most", pair.ratio));
        }
    }
    Ok(missed)
}

/// Nanoseconds for one get and return, one after the other.
fn alone(runtime: &Runtime, contender: &Arc<dyn Contender>, gets: usize) -> f64 {
    runtime.block_on(async {
        let start = Instant::now();
        contender.gets(gets, false).await;
        start.elapsed().as_nanos() as f64 / gets as f64
    })
}

/// Nanoseconds for one get and return of tasks that hold a connection while the others have their turn.
fn crowd(runtime: &Runtime, contender: &Arc<dyn Contender>, gets: usize) -> f64 {
    runtime.block_on(async {
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            let contender = contender.clone();
            tasks.spawn(async move { contender.gets(gets, true).await });
        }
        tasks.join_all().await;
        start.elapsed().as_nanos() as f64 / (gets * TASKS) as f64
    })
}

fn report(case: &str, pair: Pair, rival: &str) {
    let Pair { ours, rival: theirs, ratio, lowest } = pair;
    println!("{case:28}{ours:9.1} ns, {rival} {theirs:.1}: ratio {ratio:.2} (lowest {lowest:.2})");
    Figure::of("pool", case, pair, "ns", rival).print();
}
