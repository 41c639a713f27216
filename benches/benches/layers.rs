//! What a dynamic layer costs: allocations and time, against three other ways to tie layers together.
//!
//! `cargo bench -p benches --bench layers`. It fails when a layer allocates more than once per call. The allocator of
//! this binary counts, which costs every kind of chain the same few nanoseconds per allocation.
#![expect(clippy::print_stdout, reason = "a bench talks to the developer on the terminal")]

use allocation_counter::measure;
use benches::chains::{Chain, Kind, guards, guards_streamed};
use benches::{Effort, Figure, Pair, Result, pair};
use criterion::{BenchmarkId, Criterion};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use tokio::runtime::Runtime;

const LAYERS: [usize; 6] = [0, 1, 2, 4, 8, 16];
const MOST: usize = 16;
const CHUNKS: usize = 100;
/// Promised by `Next::run`.
const ALLOCATIONS_PER_LAYER: f64 = 1.0;

fn main() -> ExitCode {
    match run(Effort::asked()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("layers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(effort: Effort) -> Result {
    let runtime = Rc::new(tokio::runtime::Builder::new_current_thread().enable_time().build()?);
    allocations(&runtime)?;
    guard_allocations(&runtime);
    let rounds = effort.pick(301, 51, 1);
    for rival in &Kind::ALL[1..] {
        against(&runtime, *rival, rounds);
    }
    guard_times(&runtime, rounds);
    if effort != Effort::Smoke {
        criterion_groups(&runtime, effort);
    }
    Ok(())
}

/// Prints the allocations per layer of each kind, and refuses ours if there are too many of them.
fn allocations(runtime: &Rc<Runtime>) -> Result {
    println!("allocations per layer   {LAYERS:?}");
    for kind in Kind::ALL {
        let figures: Vec<f64> = LAYERS[1..].iter().map(|layers| per_layer(runtime, kind, *layers)).collect();
        println!("{:24}{figures:?}", kind.name());
        if kind == Kind::Ours && figures.iter().any(|figure| *figure > ALLOCATIONS_PER_LAYER) {
            return Err(format!("more than {ALLOCATIONS_PER_LAYER} allocation per layer: {figures:?}").into());
        }
    }
    for rival in &Kind::ALL[1..] {
        let (ours, theirs) = (per_layer(runtime, Kind::Ours, MOST), per_layer(runtime, *rival, MOST));
        Figure::of("layers", "allocations per layer", Pair::of(&[(ours, theirs)]), "count", rival.name())
            .print();
    }
    Ok(())
}

fn per_layer(runtime: &Rc<Runtime>, kind: Kind, layers: usize) -> f64 {
    let count = |layers| allocated(&kind.chain(runtime, layers));
    (count(layers) - count(0)) / layers as f64
}

/// Allocations per call; what the runtime allocates per batch falls out of the difference.
fn allocated(chain: &Chain) -> f64 {
    let count = |calls| {
        let counted = measure(|| {
            let _time = chain.run(calls);
        });
        counted.count_total as f64
    };
    let once = count(100);
    (count(200) - once) / 100.0
}

fn guard_allocations(runtime: &Rc<Runtime>) {
    let call = allocated(&guards(runtime, true)) - allocated(&guards(runtime, false));
    Figure::alone("layers", "four guards, per call", call, "alloc").print();
    let added = |chunks| {
        let of = |guarded| allocated(&guards_streamed(runtime, guarded, chunks));
        of(true) - of(false)
    };
    let chunk = (added(2 * CHUNKS) - added(CHUNKS)) / CHUNKS as f64;
    Figure::alone("layers", "four guards, per chunk", chunk, "alloc").print();
}

/// Nanoseconds per layer, ours against a rival: in each turn a chain of 16 less a chain of none. Each of the two is the
/// best of three batches, because one interruption in either would drown the difference.
fn against(runtime: &Rc<Runtime>, rival: Kind, rounds: usize) {
    const CALLS: u64 = 200;
    let figure = |kind: Kind| {
        let (none, most) = (kind.chain(runtime, 0), kind.chain(runtime, MOST));
        let best = |chain: &Chain| (0..3).map(|_| chain.nanos(CALLS)).fold(f64::INFINITY, f64::min);
        move || (best(&most) - best(&none)) / MOST as f64
    };
    let layer = pair(rounds, figure(Kind::Ours), figure(rival));
    report(&format!("layer vs {}", rival.name()), layer, "ns", rival.name());
    let eight = |kind: Kind| {
        let chain = kind.chain(runtime, 8);
        move || chain.nanos(CALLS)
    };
    let whole = pair(rounds, eight(Kind::Ours), eight(rival));
    report(&format!("8 layers vs {}", rival.name()), whole, "ns", rival.name());
}

/// The four guards against no guard: per call, and per chunk of a stream.
fn guard_times(runtime: &Rc<Runtime>, rounds: usize) {
    let call = |guarded| {
        let chain = guards(runtime, guarded);
        move || chain.nanos(200)
    };
    report("four guards, a call", pair(rounds, call(true), call(false)), "ns", "bare executor");
    let chunk = |guarded| {
        let chain = guards_streamed(runtime, guarded, CHUNKS);
        move || chain.nanos(20) / CHUNKS as f64
    };
    report("four guards, a chunk", pair(rounds, chunk(true), chunk(false)), "ns", "bare stream");
}

fn report(case: &str, pair: Pair, unit: &str, rival: &str) {
    let Pair { ours, rival: theirs, ratio, lowest } = pair;
    println!("{case:36}{ours:9.1} {unit}, {rival} {theirs:.1}: ratio {ratio:.2} (lowest {lowest:.2})");
    Figure::of("layers", case, pair, unit, rival).print();
}

/// The same chains under criterion, which keeps its own history and says when a change is significant.
fn criterion_groups(runtime: &Rc<Runtime>, effort: Effort) {
    let mut criterion = Criterion::default()
        .sample_size(effort.pick(20, 10, 10))
        .warm_up_time(Duration::from_millis(effort.pick(200, 20, 1)))
        .measurement_time(Duration::from_millis(effort.pick(800, 60, 1)))
        .configure_from_args();
    for kind in Kind::ALL {
        let mut group = criterion.benchmark_group(kind.name());
        for layers in LAYERS {
            let chain = kind.chain(runtime, layers);
            group.bench_function(BenchmarkId::from_parameter(layers), |b| {
                b.iter_custom(|calls| chain.run(calls));
            });
        }
    }
    let mut group = criterion.benchmark_group("four guards");
    for (name, guarded) in [("bare", false), ("guarded", true)] {
        let (call, stream) = (guards(runtime, guarded), guards_streamed(runtime, guarded, CHUNKS));
        group.bench_function(BenchmarkId::new("call", name), |b| {
            b.iter_custom(|calls| call.run(calls));
        });
        group.bench_function(BenchmarkId::new("stream", name), |b| {
            b.iter_custom(|calls| stream.run(calls));
        });
    }
    drop(group);
    criterion.final_summary();
}
