//! What listeners hear.

use std::num::NonZeroUsize;

use futures_util::{FutureExt, StreamExt};
use pipe_graph::{Event, Forward, Mode, OnFailure, PlanRunner, Planner, event_channel};

use crate::running::work::{Act, Work, listen, told};
use crate::support::graph;

#[test]
fn events_come_in_order_and_generations_hold_their_pipes() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B", "c: A > C", "d: > D"])).unwrap();
    let work = Work::default().act("a", Act::Fail).act("d", Act::NoData);
    let (runner, mut events) =
        listen(PlanRunner::new().on_failure(OnFailure::SkipDependents).mode(Mode::Barrier));
    work.clock.block_on(runner.run_id("r").run(&plan, &work));
    let events = events.drain();
    assert_eq!(
        told(&events),
        [
            "plan_generated",
            "execution_started",
            "cache_recommended",
            "generation_started",
            "pipe_started a",
            "pipe_started d",
            "pipe_failed a",
            "generation_started",
            "pipe_skipped b",
            "pipe_skipped c",
            "generation_completed",
            "pipe_skipped d",
            "generation_completed",
            "execution_completed",
        ]
    );
    let json: Vec<_> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let no_data = &json[11];
    assert_eq!((&no_data["reason"], &no_data["upstream_pipe"]), (&().into(), &().into()));
    assert_eq!((&json[8]["reason"], &json[8]["upstream_pipe"]), (&"upstream_failed".into(), &"a".into()));
    assert_eq!(
        (&json[6]["error"], &json[6]["error_type"], &json[6]["attempts"]),
        (&"a is broken".into(), &"Error".into(), &1.into())
    );
    assert_eq!(
        (&json[1]["mode"], &json[1]["parallel"], &json[1]["run_id"]),
        (&"barrier".into(), &true.into(), &"r".into())
    );
    assert_eq!(json[13]["totals"]["failed"], 1);
}

#[test]
fn a_listener_that_does_not_listen_harms_nobody_and_knows_what_it_missed() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B"])).unwrap();
    let work = Work::default();
    let (slow, mut late) = event_channel(NonZeroUsize::new(2).unwrap());
    let (gone, dropped) = event_channel(NonZeroUsize::MIN);
    drop(dropped);
    let (runner, mut good) = listen(PlanRunner::new().listener(slow).listener(gone));
    let report = work.clock.block_on(runner.run(&plan, &work));
    assert!(report.totals().all_succeeded());
    let heard = good.drain().len() as u64;
    assert_eq!(late.drain().len() as u64 + late.missed(), heard);
    assert_eq!(good.missed(), 0);
}

#[test]
fn a_listener_that_falls_over_takes_only_itself_along() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B"])).unwrap();
    let work = Work::default();
    let (runner, mut events) = listen(PlanRunner::new());
    let listener = std::panic::AssertUnwindSafe(async move {
        while let Some(event) = events.next().await {
            assert_ne!(event.name(), "pipe_completed", "a listener with a mistake");
        }
    });
    let run = async {
        let runner = runner;
        runner.run(&plan, &work).await
    };
    let (report, listener) = work.clock.block_on(futures_util::future::join(run, listener.catch_unwind()));
    assert!(listener.is_err());
    assert_eq!(work.log(), ["a", "b"], "nothing was done twice");
    assert!(report.totals().all_succeeded());
}

#[test]
fn the_events_end_with_the_last_runner_that_speaks() {
    let (runner, mut events) = listen(PlanRunner::new());
    let other = runner.clone();
    drop(runner);
    assert!(events.next().now_or_never().is_none());
    drop(other);
    assert_eq!(events.next().now_or_never(), Some(None));
}

#[test]
fn recommended_caches_are_told_by_entity() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A raw > B", "c: A raw > C"])).unwrap();
    let work = Work::default();
    let (runner, mut events) = listen(PlanRunner::new());
    work.clock.block_on(runner.run(&plan, &work));
    let recommended: Vec<_> = (events.drain().into_iter())
        .filter_map(|event| match event {
            Event::CacheRecommended { entity_id, consumer_pipes, .. } => {
                Some((entity_id, consumer_pipes.len()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(recommended, [("A".to_owned(), 2), ("raw".to_owned(), 2)]);
}

#[test]
fn a_run_can_be_laid_over_the_drawing_of_its_plan() {
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B"])).unwrap();
    let work = Work::default().act("a", Act::Fail);
    let report =
        work.clock.block_on(PlanRunner::new().on_failure(OnFailure::SkipDependents).run(&plan, &work));
    let overlay = report.overlay();
    assert_eq!((&*overlay["a"].status, &*overlay["b"].status), ("failed", "skipped (a)"));
    assert_eq!((overlay["a"].duration.is_some(), overlay["b"].duration), (true, None));
    assert!(plan.render().overlay(&overlay).mermaid().contains("failed"));
}

#[test]
fn a_pipe_may_listen_to_its_own_run_and_start_another() {
    struct Curious {
        events: std::sync::Mutex<pipe_graph::Events>,
        inner: PlanRunner,
    }
    impl pipe_graph::Runner for Curious {
        type Output = usize;
        type Error = String;

        async fn run(
            &self,
            task: pipe_graph::Task<'_>,
            _: pipe_graph::Inputs<'_, usize>,
        ) -> Result<Option<usize>, String> {
            let work = Work::default();
            let plan = task.plan().clone();
            let report = self.inner.run(&plan, &work).await;
            assert!(report.totals().all_succeeded());
            Ok(Some(self.events.lock().unwrap().drain().len()))
        }
    }
    let plan = Forward.plan(&graph(&["a: > A", "b: A > B"])).unwrap();
    let (runner, events) = listen(PlanRunner::new());
    let curious = Curious { events: events.into(), inner: runner.clone() };
    let report = Work::default().clock.block_on(runner.run(&plan, &curious));
    assert!(report.output("b").is_some_and(|heard| *heard > 5));
}
