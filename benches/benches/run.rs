//! What running a plan costs per pipe, against a hand-written loop around tokio's `JoinSet`, and how much memory it takes.
//!
//! `cargo bench -p benches --bench run`. 10k pipes, as a hundred layers with three edges each and as a chain; pipes that
//! are done at once and pipes that wait once. Both sides run on one thread, at most 64 pipes at a time. The rival does
//! the least that works: it counts dependencies down and spawns; ours also hands outputs over, contains panics and keeps
//! a status for every pipe. It fails when a pipe takes more than 5 microseconds, when the rival is faster, or when building,
//! planning and running 100k pipes takes more than 200 MB.
#![expect(clippy::print_stdout, reason = "a bench talks to the developer on the terminal")]

mod run {
    pub(crate) mod rival;
    pub(crate) mod stream;
    pub(crate) mod work;
}

use std::process::ExitCode;
use std::sync::Arc;

use allocation_counter::measure;
use benches::{Effort, Figure, Pair, Result, pair};
use pipe_graph::{Forward, Plan, PlanRunner, Planner};
use run::rival::Loop;
use run::stream::{self, Numbers};
use run::work::{Shape, Work};
use tokio::runtime::Runtime;
use tokio::time::Instant;

const MOST_MICROS: f64 = 5.0;
const MOST_MEGABYTES: f64 = 200.0;
/// No slower than the rival, but for what two runs of one loop differ by on a machine that others use too.
const NO_SLOWER: f64 = 1.05;
const AT_A_TIME: usize = 64;

fn main() -> ExitCode {
    match run(Effort::asked()) {
        Ok(missed) if missed.is_empty() => ExitCode::SUCCESS,
        Ok(missed) => {
            missed.iter().for_each(|bar| println!("run: missed: {bar}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The bars that were missed.
fn run(effort: Effort) -> Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (pipes, rounds) = effort.pick((10_000, 101), (10_000, 15), (500, 1));
    let mut missed = Vec::new();
    for shape in [Shape::Wide, Shape::Chain] {
        let plan = plan(shape, pipes)?;
        for work in [Work::Ready, Work::Waits] {
            let figures = against(&runtime, &plan, work, rounds)?;
            missed.extend(report(&format!("{} {}", shape.name(), work.name()), figures));
        }
    }
    missed.extend(memory(&runtime, effort.pick(100_000, 100_000, 1_000))?);
    if effort == Effort::Full {
        megabytes(&runtime, Shape::Chain, 1_000_000)?;
    }
    stream(&runtime, effort.pick(100_000, 100_000, 1_000), effort.pick(31, 7, 1))?;
    if effort == Effort::Smoke { Ok(Vec::new()) } else { Ok(missed) }
}

fn plan(shape: Shape, pipes: usize) -> Result<Plan> {
    Ok(Forward.plan(&Arc::new(shape.graph(pipes)?))?)
}

fn runner() -> PlanRunner {
    PlanRunner::new().concurrency(std::num::NonZeroUsize::MIN.saturating_add(AT_A_TIME - 1))
}

/// Microseconds a pipe.
fn against(runtime: &Runtime, plan: &Plan, work: Work, rounds: usize) -> Result<Pair> {
    let pipes = plan.total_pipes();
    let all_ran = runtime.block_on(runner().run(plan, &work)).totals().success == pipes;
    if !all_ran || runtime.block_on(Loop::new(plan, AT_A_TIME).run(work)) != pipes {
        return Err("not every pipe ran".into());
    }
    let ours = || {
        let start = Instant::now();
        drop(runtime.block_on(runner().run(plan, &work)));
        start.elapsed().as_secs_f64() * 1e6 / pipes as f64
    };
    let rival = || {
        let start = Instant::now();
        runtime.block_on(Loop::new(plan, AT_A_TIME).run(work));
        start.elapsed().as_secs_f64() * 1e6 / pipes as f64
    };
    Ok(pair(rounds, ours, rival))
}

fn report(case: &str, pair: Pair) -> Vec<String> {
    let Pair { ours, rival, ratio, lowest } = pair;
    println!("{case:24}{ours:8.3} us a pipe, JoinSet loop {rival:.3}: ratio {ratio:.2} (lowest {lowest:.2})");
    Figure::of("run", case, pair, "us", "JoinSet loop").print();
    let mut missed = Vec::new();
    if ours > MOST_MICROS {
        missed.push(format!("{case}: {ours:.2} us a pipe, more than {MOST_MICROS}"));
    }
    if ratio > NO_SLOWER {
        missed.push(format!("{case}: {ratio:.2} times the JoinSet loop"));
    }
    missed
}

/// Nanoseconds an item takes from a source through a pipe to a sink.
fn stream(runtime: &Runtime, items: u64, rounds: usize) -> Result {
    let (plan, numbers) = (stream::plan()?, Numbers(items));
    if !runtime.block_on(numbers.ours(&plan)) {
        return Err("the stream did not end well".into());
    }
    let nanos = |start: Instant| start.elapsed().as_secs_f64() * 1e9 / items as f64;
    let ours = || {
        let start = Instant::now();
        runtime.block_on(numbers.ours(&plan));
        nanos(start)
    };
    let rival = || {
        let start = Instant::now();
        runtime.block_on(numbers.rival());
        nanos(start)
    };
    let figures = pair(rounds, ours, rival);
    let Pair { ours, rival, ratio, lowest } = figures;
    println!(
        "{:24}{ours:8.1} ns an item, tokio mpsc {rival:.1}: ratio {ratio:.2} (lowest {lowest:.2})",
        "stream of three"
    );
    Figure::of("run", "stream of three", figures, "ns", "tokio mpsc").print();
    Ok(())
}

/// The bars that were missed.
fn memory(runtime: &Runtime, pipes: usize) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    for shape in [Shape::Wide, Shape::Chain] {
        let megabytes = megabytes(runtime, shape, pipes)?;
        if megabytes > MOST_MEGABYTES {
            missed.push(format!("{} {pipes}: {megabytes:.0} MB, more than {MOST_MEGABYTES}", shape.name()));
        }
    }
    Ok(missed)
}

/// Building, planning and running together, at their highest.
fn megabytes(runtime: &Runtime, shape: Shape, pipes: usize) -> Result<f64> {
    let mut ran = Ok(0);
    let measured = measure(|| {
        ran = plan(shape, pipes)
            .map(|plan| runtime.block_on(runner().run(&plan, &Work::Ready)).totals().success);
    });
    if ran? != pipes {
        return Err("not every pipe ran".into());
    }
    let megabytes = measured.bytes_max as f64 / 1e6;
    let case = format!("{} {pipes}, memory", shape.name());
    println!("{case:24}{megabytes:8.1} MB");
    Figure::alone("run", &case, megabytes, "MB").print();
    Ok(megabytes)
}
