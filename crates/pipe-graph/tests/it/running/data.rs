//! Outputs reach those who read them, and no longer live than they have to.

use std::sync::atomic::Ordering;

use pipe_graph::{Forward, Keep, Mode, OnFailure, PlanRunner, Planner, Retry, Reverse, Timing};
use std::sync::Arc;

use crate::running::work::{Act, Work, cap, statuses};
use crate::support::graph;

#[test]
fn a_pipe_reads_what_its_dependencies_made() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B", "c: A > C", "d: B C raw > D"])).unwrap();
    let work = Work::default();
    let mut report = work.clock.clone().block_on(PlanRunner::new().run(&plan, &work));
    assert_eq!(report.output("d").unwrap().text, "d(b(a()) c(a()))");
    assert!(report.output("a").is_none(), "somebody read it, and it is not to be kept");
    assert_eq!(report.take_outputs().len(), 1);
    drop(report);
    assert_eq!(work.alive.load(Ordering::SeqCst), 0);
}

#[test]
fn a_sole_reader_owns_what_it_reads_and_two_readers_share_it() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B", "c: B > C", "d: B > D"])).unwrap();
    let work = Work::default();
    let slow = work
        .clone()
        .takes("c", std::time::Duration::from_secs(1))
        .takes("d", std::time::Duration::from_secs(1));
    work.clock.block_on(PlanRunner::new().run(&plan, &slow));
    assert_eq!(work.owned.lock().unwrap()[0], "b");
    assert!(!work.owned.lock().unwrap().contains(&"c".to_owned()), "d still reads it");
    assert!(work.owned.lock().unwrap().contains(&"d".to_owned()), "the last reader owns it");
}

#[test]
fn a_sole_reader_owns_it_in_its_last_attempt_only() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B"])).unwrap();
    let work = Work::default().act("b", Act::Fail);
    let runner = PlanRunner::new().timing(Arc::new(work.clock.clone()), Timing::new().retry(Retry::times(2)));
    work.clock.block_on(runner.run(&plan, &work));
    assert_eq!(work.log(), ["a", "b", "b", "b"]);
    assert_eq!(*work.owned.lock().unwrap(), ["b"]);
}

#[test]
fn along_a_chain_only_two_outputs_live_at_a_time() {
    let lines: Vec<String> = (0..500).map(|n| format!("p{n:03}: e{n} > e{}", n + 1)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let plan = Forward.plan(&graph(&lines)).unwrap();
    for mode in [Mode::Dataflow, Mode::Barrier, Mode::Sequential] {
        let work = Work::default();
        work.clock.block_on(PlanRunner::new().mode(mode).run(&plan, &Short(&work)));
        assert_eq!(work.most_alive.load(Ordering::SeqCst), 2);
        assert_eq!(work.alive.load(Ordering::SeqCst), 0);
    }
}

/// Makes outputs that do not name all that came before.
struct Short<'a>(&'a Work);

impl pipe_graph::Runner for Short<'_> {
    type Output = crate::running::work::Made;
    type Error = String;

    async fn run(
        &self,
        task: pipe_graph::Task<'_>,
        inputs: pipe_graph::Inputs<'_, Self::Output>,
    ) -> Result<Option<Self::Output>, String> {
        let made = self.0.made(task.id().to_owned());
        drop(inputs);
        Ok(Some(made))
    }
}

#[test]
fn outputs_are_freed_when_their_last_reader_is_skipped() {
    let plan = Forward.plan(&graph(&["a: > A", "b: > B", "c: A B > C", "d: > D"])).unwrap();
    let work = Work::default().act("b", Act::Fail).takes("d", std::time::Duration::from_secs(9));
    let alive = Arc::clone(&work.alive);
    let runner = PlanRunner::new().on_failure(OnFailure::SkipDependents).keep(Keep::Nothing);
    let report = work.clock.block_on(async {
        let report = runner.run(&plan, &work).await;
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        report
    });
    assert_eq!(report.totals().skipped, 1);
}

#[test]
fn a_pipe_without_data_is_skipped_and_its_dependents_run() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B", "c: B > C"])).unwrap();
    let work = Work::default().act("a", Act::NoData);
    let report = work.clock.block_on(PlanRunner::new().run(&plan, &work));
    assert_eq!(statuses(&report), ["a: skipped", "b: success", "c: success"]);
    assert_eq!(report.output("c").unwrap().text, "c(b(-))");
    assert!(report.totals().all_succeeded());
}

#[test]
fn all_outputs_can_be_kept_or_none() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B"])).unwrap();
    for (keep, kept) in [(Keep::All, 2), (Keep::Leaves, 1), (Keep::Nothing, 0)] {
        let work = Work::default();
        let mut report = work.clock.block_on(PlanRunner::new().keep(keep).run(&plan, &work));
        assert_eq!(report.take_outputs().len(), kept);
    }
}

#[test]
fn a_reverse_plan_runs_downstream_first_and_hands_nothing_over() {
    let plan = Reverse.plan(&graph(&["a: > A", "b: A > B", "c: B > C", "d: A > D"])).unwrap();
    for mode in [Mode::Dataflow, Mode::Barrier, Mode::Sequential] {
        let work = Work::default();
        let report = work.clock.block_on(PlanRunner::new().mode(mode).concurrency(cap(1)).run(&plan, &work));
        let place = |id| work.log().iter().position(|ran| ran == id).unwrap();
        assert!(place("c") < place("b") && place("b") < place("a") && place("d") < place("a"));
        assert_eq!(report.output("c").unwrap().text, "c()");
        assert!(report.totals().all_succeeded());
    }
}

#[test]
fn each_part_of_a_mixed_plan_runs_its_own_way() {
    let mut pipes = crate::support::pipes(&["a: > A", "b: A > B", "s: > S", "t: S > T"]);
    pipes[3] = pipes[3].clone().tag("processing_mode", "streaming");
    let graph = Arc::new(pipe_graph::PipeGraph::new(pipes).unwrap());
    let plan = pipe_graph::Configured.plan(&graph).unwrap();
    let work = Work::default();
    let report = work.clock.block_on(PlanRunner::new().mode(Mode::Sequential).run(&plan, &work));
    let place = |id| work.log().iter().position(|ran| ran == id).unwrap();
    assert!(place("a") < place("b") && place("t") < place("s"));
    assert_eq!(report.output("b").unwrap().text, "b(a())");
}

#[test]
fn entities_whose_names_look_alike_are_not_mixed_up() {
    struct Alike;
    impl pipe_graph::Runner for Alike {
        type Output = &'static str;
        type Error = String;

        async fn run(
            &self,
            task: pipe_graph::Task<'_>,
            mut inputs: pipe_graph::Inputs<'_, &'static str>,
        ) -> Result<Option<&'static str>, String> {
            match task.id() {
                "dot" => Ok(Some("dot")),
                "line" => Ok(Some("line")),
                _ => {
                    assert_eq!(
                        (inputs.get("x_y"), inputs.get("x.y"), inputs.get("raw")),
                        (Some(&"line"), Some(&"dot"), None)
                    );
                    let dot = inputs.take("x.y").and_then(|input| input.into_owned().ok().flatten());
                    assert_eq!((inputs.len(), inputs.take("x.y").is_none()), (1, true));
                    Ok(dot)
                }
            }
        }
    }
    let plan = Forward.plan(&graph(&["dot: > x.y", "line: > x_y", "both: x.y x_y raw > z"])).unwrap();
    let report = Work::default().clock.block_on(PlanRunner::new().run(&plan, &Alike));
    assert_eq!(report.output("both"), Some(&"dot"));
}

#[test]
fn a_pipe_that_reads_what_it_makes_hands_on_the_new_and_not_the_old() {
    let plan = Forward.plan(&graph(&["w: X > X", "reader: X > Y"])).unwrap();
    let work = Work::default();
    let report = work.clock.block_on(PlanRunner::new().run(&plan, &work));
    assert_eq!(report.output("reader").unwrap().text, "reader(w())");
}
