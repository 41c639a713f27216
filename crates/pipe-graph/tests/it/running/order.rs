//! Who runs when, and how long that makes it all take.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use pipe_graph::{Forward, Inputs, Mode, Pipe, PipeGraph, Plan, PlanRunner, Planner, Runner, Task, Timing};

use crate::running::clock::millis;
use crate::running::work::{Work, cap};
use crate::support::graph;

fn took(mode: Mode, most: usize, plan: &Plan, work: &Work) -> Duration {
    let times = work.times.clone();
    let weigh =
        move |graph: &PipeGraph, pipe| times.get(graph.id(pipe)).map_or(0, |time| time.as_micros() as u64);
    let runner = PlanRunner::new().mode(mode).concurrency(cap(most)).weights(weigh);
    let runner = runner.timing(Arc::new(work.clock.clone()), Timing::new());
    work.clock.block_on(runner.run(plan, work)).elapsed()
}

#[test]
fn a_slow_pipe_delays_only_those_who_need_it() {
    let plan = Forward.plan(&graph(&["slow: > S", "a: > A", "b: A > B", "c: B > C"])).unwrap();
    let work = Work::default().takes("slow", millis(100)).takes("b", millis(40)).takes("c", millis(50));
    assert_eq!(took(Mode::Dataflow, 4, &plan, &work), millis(100));
    assert_eq!(took(Mode::Barrier, 4, &plan, &work), millis(190));
    assert_eq!(took(Mode::Sequential, 4, &plan, &work), millis(190));
}

#[test]
fn no_more_than_the_cap_run_at_a_time_and_sequential_keeps_the_plan() {
    let lines: Vec<String> = (0..40).map(|n| format!("p{n:02}: > e{n}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let plan = Forward.plan(&graph(&lines)).unwrap();
    let slow = || (0..40).fold(Work::default(), |work, n| work.takes(&format!("p{n:02}"), millis(40 - n)));
    for (mode, most) in [(Mode::Dataflow, 7), (Mode::Barrier, 7), (Mode::Sequential, 1)] {
        let work = slow();
        took(mode, 7, &plan, &work);
        assert_eq!(work.most_busy.load(Ordering::SeqCst), most);
    }
    let work = slow();
    took(Mode::Sequential, 7, &plan, &work);
    assert!(work.log().is_sorted());
}

#[test]
fn the_longest_way_goes_first() {
    let plan = Forward.plan(&graph(&["a: > A", "b: > B", "c: B > C", "d: C > D"])).unwrap();
    let work = Work::default();
    work.clock.block_on(PlanRunner::new().concurrency(cap(1)).run(&plan, &work));
    assert_eq!(work.log(), ["b", "c", "a", "d"], "a ties with d and comes first in the plan");
}

/// Layered graphs whose pipes take uneven times: one in twenty takes twenty times as long.
fn uneven(seed: u64) -> (Plan, Work) {
    let mut random = Random(seed);
    let mut graph = PipeGraph::builder();
    let mut work = Work::default();
    for pipe in 0..100u64 {
        let layer = pipe / 10;
        let from = (0..random.below(4)).filter(|_| layer > 0).map(|_| {
            let back = 1 + u64::from(random.below(10) < 3 && layer > 1) * random.below(layer);
            format!("e{:03}", (layer - back.min(layer)) * 10 + random.below(10))
        });
        let inputs: Vec<String> = from.collect();
        let id = format!("p{pipe:03}");
        graph.add(Pipe::new(&*id, inputs, format!("e{pipe:03}")));
        let long = if random.below(20) == 0 { 20 } else { 1 };
        work = work.takes(&id, millis(long * (5 + random.below(10))));
    }
    (Forward.plan(&Arc::new(graph.build().unwrap())).unwrap(), work)
}

/// The later of: the longest way through the graph, and all work shared out evenly.
fn bound(plan: &Plan, work: &Work, most: u32) -> Duration {
    let graph = plan.graph();
    let mut ends = vec![Duration::ZERO; graph.len()];
    for &pipe in plan.pipes() {
        let begin = graph.dependencies(pipe).iter().map(|near| ends[near.get()]).max().unwrap_or_default();
        ends[pipe.get()] = begin + work.times[graph.id(pipe)];
    }
    let all: Duration = work.times.values().sum();
    ends.into_iter().max().unwrap_or_default().max(all / most)
}

#[test]
fn dataflow_is_within_a_tenth_of_the_best_possible() {
    for most in [8u32, 64] {
        let (mut dataflow, mut barrier) = (Vec::new(), Vec::new());
        for seed in 1..=20 {
            let (plan, work) = uneven(seed);
            let best = bound(&plan, &work, most);
            let of = |mode| took(mode, most as usize, &plan, &work).div_duration_f64(best);
            dataflow.push(of(Mode::Dataflow));
            barrier.push(of(Mode::Barrier));
        }
        let worst = dataflow.iter().copied().fold(0.0, f64::max);
        let median = |mut all: Vec<f64>| {
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let slowest = barrier.iter().copied().fold(0.0, f64::max);
        println!(
            "{most} at a time, against the bound: dataflow {:.2} (worst {worst:.2}), barrier {:.2} (worst {slowest:.2})",
            median(dataflow),
            median(barrier),
        );
        assert!(worst <= 1.1, "{worst}");
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct Count;

impl Runner for Count {
    type Output = u64;
    type Error = String;

    async fn run(&self, _: Task<'_>, inputs: Inputs<'_, u64>) -> Result<Option<u64>, String> {
        Ok(Some(1 + inputs.into_iter().filter_map(|input| input.into_owned().ok()?).sum::<u64>()))
    }
}

fn chain(length: usize) -> Plan {
    let mut graph = PipeGraph::builder();
    (0..length).for_each(|n| {
        graph.declare(&format!("p{n:07}"), [format!("e{n}")], &format!("e{}", n + 1));
    });
    Forward.plan(&Arc::new(graph.build().unwrap())).unwrap()
}

#[test]
fn a_very_long_chain_runs_in_every_mode() {
    const LENGTH: usize = 200_000;
    let plan = chain(LENGTH);
    for mode in [Mode::Dataflow, Mode::Barrier, Mode::Sequential] {
        let report = Work::default().clock.block_on(PlanRunner::new().mode(mode).run(&plan, &Count));
        assert_eq!(report.output(&format!("p{:07}", LENGTH - 1)), Some(&(LENGTH as u64)));
        assert_eq!(report.totals().success, LENGTH);
    }
}

#[test]
fn a_run_of_ready_pipes_lets_others_have_their_turn() {
    let plan = chain(10_000);
    let runner = PlanRunner::new();
    let mut run = Box::pin(runner.run(&plan, &Count));
    let mut polls = 0;
    while run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        polls += 1;
    }
    assert!((50..1000).contains(&polls), "{polls}");
}
