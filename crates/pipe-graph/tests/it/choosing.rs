//! Which way of running suits a plan.

use std::num::NonZeroUsize;

use pipe_graph::{Candidate, ChooseError, Chooser, Forward, Hints, Mode, Plan, Planner};

use crate::running::work::{Work, cap};
use crate::support::graph;

fn plan(lines: &[&str]) -> Plan {
    Forward.plan(&graph(lines)).unwrap()
}

const WIDE: [&str; 5] = ["a: raw > A", "b: A > B", "c: A > C", "d: A > D", "e: B C D > E"];

fn choose(plan: &Plan, hints: Hints) -> (String, usize) {
    let choice = Chooser::new().choose(plan, &hints);
    assert!(!choice.reason.is_empty());
    (choice.executor, choice.concurrency.get())
}

#[test]
fn declared_edges_decide_and_not_how_many_pipes_there_are() {
    let chain = plan(&["a: raw > A", "b: A > B", "c: B > C", "d: C > D", "e: D > E"]);
    assert_eq!(choose(&chain, Hints::new()), ("sequential".to_owned(), 1));
    let two = plan(&["a: raw > A", "b: raw > B"]);
    assert_eq!(choose(&two, Hints::new()), ("parallel".to_owned(), 2));
    assert_eq!(choose(&plan(&[]), Hints::new()), ("sequential".to_owned(), 1));
}

#[test]
fn four_pipes_that_declare_nothing_run_one_after_the_other() {
    let four = plan(&["KnowledgeGraph: > A", "b: > B", "c: > C", "d: > D"]);
    assert_eq!(choose(&four, Hints::new()).0, "sequential");
    assert_eq!(choose(&four, Hints::new().parallel(true)), ("parallel".to_owned(), 4));
}

#[test]
fn the_estimate_is_the_least_of_width_cap_and_cores() {
    let plan = plan(&WIDE);
    assert_eq!(choose(&plan, Hints::new()), ("parallel".to_owned(), 3));
    assert_eq!(choose(&plan, Hints::new().cap(cap(2)).cores(cap(8))), ("parallel".to_owned(), 2));
    assert_eq!(choose(&plan, Hints::new().cap(cap(9)).cores(cap(2))), ("parallel".to_owned(), 2));
    assert_eq!(choose(&plan, Hints::new().cap(cap(1))), ("sequential".to_owned(), 1));
    assert_eq!(choose(&plan, Hints::new().parallel(false)), ("sequential".to_owned(), 1));
    assert_eq!(choose(&plan, Hints::new().generations()), ("barrier".to_owned(), 3));
}

#[test]
fn a_choice_runs() {
    let (plan, work) = (plan(&WIDE), Work::default());
    let choice = Chooser::new().choose(&plan, &Hints::new());
    let report = work.clock.block_on(choice.runner().run(&plan, &work));
    assert!(report.totals().all_succeeded());
}

/// Wants every plan of one generation.
struct Flat;

impl Candidate for Flat {
    fn name(&self) -> &'static str {
        "flat"
    }

    fn offer(&self, plan: &Plan, _: &Hints) -> Option<(Mode, NonZeroUsize, String)> {
        (plan.total_generations() == 1).then(|| (Mode::Barrier, cap(99), "flat".to_owned()))
    }
}

#[test]
fn custom_ones_are_asked_first_and_never_replace_another() {
    let mut chooser = Chooser::new();
    chooser.register(Flat).unwrap();
    assert_eq!(chooser.register(Flat), Err(ChooseError::Taken("flat".to_owned())));
    let flat = chooser.choose(&plan(&["a: > A", "b: > B"]), &Hints::new());
    assert_eq!((&*flat.executor, flat.concurrency.get()), ("flat", 99));
    let wide = plan(&WIDE);
    assert_eq!(chooser.choose(&wide, &Hints::new()).executor, "parallel");
    assert_eq!(chooser.named("flat", &wide, &Hints::new()), Err(ChooseError::Unsuited("flat".to_owned())));
}

#[test]
fn ways_can_be_asked_for_by_name() {
    let (chooser, plan) = (Chooser::new(), plan(&WIDE));
    let named = |name| chooser.named(name, &plan, &Hints::new());
    let modes = ["auto", "parallel", "barrier", "sequential"].map(|name| named(name).unwrap().mode);
    assert_eq!(modes, [Mode::Dataflow, Mode::Dataflow, Mode::Barrier, Mode::Sequential]);
    assert_eq!(
        named("langgraph").unwrap_err().to_string(),
        r#"unknown executor "langgraph", available: auto, sequential, parallel, barrier"#
    );
}
