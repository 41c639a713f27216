//! What planning costs, against rustworkx-core's layers and against the plainest code that does it.
//!
//! `cargo bench -p benches --bench plan`. 1k, 10k, 100k and 1M pipes with three edges each: wide is a hundred layers, chain
//! has as many layers as pipes, and mixed is wide under names that do not sort as the layers run. It fails when
//! planning is less than 4 times as fast as rustworkx from 10k pipes up, when it takes more than twice the floor, when
//! building from names takes more than 3 times what rustworkx takes to plan, or when 1M pipes need more than 400 MB.
#![expect(clippy::print_stdout, reason = "a bench talks to the developer on the terminal")]

mod plan {
    pub(crate) mod rivals;
    pub(crate) mod shapes;
}

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

use benches::{Effort, Figure, Pair, Result, pair};
use peak_alloc::PeakAlloc;
use pipe_graph::{Forward, PipeGraph, Planner};
use plan::rivals::{Floor, Rustworkx};
use plan::shapes::Shape;
use tokio::time::Instant;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const TIMES_FASTER_THAN_RUSTWORKX: f64 = 4.0;
const TIMES_THE_FLOOR: f64 = 2.0;
/// Against the rival's planning: our own takes a few nanoseconds a pipe, less than it takes to hash one name.
const BUILDING_BY_PLANNING: f64 = 3.0;
const MOST_MEGABYTES: f64 = 400.0;

fn main() -> ExitCode {
    match run(Effort::asked()) {
        Ok(missed) if missed.is_empty() => ExitCode::SUCCESS,
        Ok(missed) => {
            missed.iter().for_each(|bar| println!("plan: missed: {bar}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("plan: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The bars that were missed.
fn run(effort: Effort) -> Result<Vec<String>> {
    let sizes: &[usize] =
        effort.pick(&[1_000, 10_000, 100_000, 1_000_000], &[1_000, 10_000, 100_000], &[1_000]);
    let mut missed = Vec::new();
    for &pipes in sizes {
        for shape in Shape::ALL {
            // About the same time for every size.
            let rounds = effort.pick((3_000_000 / pipes).clamp(7, 301), (200_000 / pipes).clamp(3, 51), 1);
            missed.extend(case(shape, pipes, rounds)?);
        }
    }
    if effort == Effort::Smoke { Ok(Vec::new()) } else { Ok(missed) }
}

fn case(shape: Shape, pipes: usize, rounds: usize) -> Result<Vec<String>> {
    let edges = shape.edges(pipes);
    let size =
        if pipes >= 1_000_000 { format!("{}M", pipes / 1_000_000) } else { format!("{}k", pipes / 1_000) };
    let name = format!("{} {size}", shape.name());
    let megabytes = memory(&edges)?;
    Figure::alone("plan", &format!("{name} memory"), megabytes, "MB").print();

    let graph = Arc::new(build(&edges)?);
    let (floor, rustworkx) = (Floor::new(&edges), Rustworkx::new(&edges));
    check(&graph, &floor, &rustworkx)?;
    let planning = || timed(|| Forward.plan(&graph));
    let layers = pair(rounds, planning, || timed(|| rustworkx.layers()));
    Figure::of("plan", &format!("{name} plan"), layers, "us", "rustworkx-core").print();
    let kahn = pair(rounds, planning, || timed(|| floor.layers()));
    Figure::of("plan", &format!("{name} plan"), kahn, "us", "plain CSR Kahn").print();
    let building = pair(rounds, || timed(|| build(&edges)), || timed(|| rustworkx.layers()));
    Figure::of("plan", &format!("{name} build"), building, "us", "rustworkx planning").print();
    let own = pair(rounds, || timed(|| build(&edges)), planning);
    Figure::of("plan", &format!("{name} build"), own, "us", "our own planning").print();
    let both = pair(
        rounds.min(51),
        || timed(|| build(&edges).map(|graph| Forward.plan(&Arc::new(graph)))),
        || timed(|| Rustworkx::from_names(&edges).layers()),
    );
    Figure::of("plan", &format!("{name} build + plan"), both, "us", "HashMap + rustworkx").print();
    Ok(bars(&name, pipes, layers, kahn, building, megabytes))
}

fn bars(name: &str, pipes: usize, layers: Pair, kahn: Pair, building: Pair, megabytes: f64) -> Vec<String> {
    let faster = 1.0 / layers.ratio;
    let bars = [
        (
            pipes >= 10_000 && faster < TIMES_FASTER_THAN_RUSTWORKX,
            format!("{faster:.1} times as fast as rustworkx"),
        ),
        (kahn.ratio > TIMES_THE_FLOOR, format!("{:.2} times the floor", kahn.ratio)),
        (
            building.ratio > BUILDING_BY_PLANNING,
            format!("building takes {:.1} times rustworkx's planning", building.ratio),
        ),
        (megabytes > MOST_MEGABYTES, format!("{megabytes:.0} MB")),
    ];
    bars.into_iter().filter(|(missed, _)| *missed).map(|(_, text)| format!("{name}: {text}")).collect()
}

fn build(edges: &plan::shapes::Edges) -> Result<PipeGraph> {
    let mut builder = PipeGraph::builder();
    builder.reserve(edges.len());
    edges.each(|id, inputs, output| {
        builder.declare(id, inputs, output);
    });
    Ok(builder.build()?)
}

/// The most that building and planning hold at a time, without what the caller holds.
fn memory(edges: &plan::shapes::Edges) -> Result<f64> {
    let before = MEMORY.current_usage_as_mb();
    MEMORY.reset_peak_usage();
    let plan = Forward.plan(&Arc::new(build(edges)?))?;
    let most = MEMORY.peak_usage_as_mb() - before;
    drop(black_box(plan));
    Ok(f64::from(most))
}

/// All three must say the same before it is asked who says it sooner.
fn check(graph: &Arc<PipeGraph>, floor: &Floor, rustworkx: &Rustworkx) -> Result {
    let widths: Vec<usize> = Forward.plan(graph)?.generations().map(|generation| generation.len()).collect();
    if widths != floor.widths() || widths != rustworkx.widths() {
        return Err("the three do not agree on the layers".into());
    }
    Ok(())
}

/// Microseconds.
fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    let made = black_box(work());
    let time = start.elapsed();
    // Giving the memory back is not part of the work.
    drop(made);
    time.as_secs_f64() * 1e6
}
