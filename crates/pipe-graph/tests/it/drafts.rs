//! Plans from outside: all that is wrong with them, and plans read back.

use std::sync::Arc;

use pipe_graph::{
    Configured, Forward, GenerationDraft, Order, Pipe, PipeGraph, Plan, PlanDraft, Planner, Problems, Reverse,
};

use crate::support::{UNBALANCED, generations, graph, kinds};

#[test]
fn everything_wrong_with_a_draft_is_said_at_once() {
    let graph = graph(&UNBALANCED);
    let mut draft =
        PlanDraft::new("mine", Order::Forward, [vec!["b", "a"], vec!["c", "ghost"], vec!["a"], vec![]]);
    draft.generations[1].number = 7;
    draft.generations[1].dependencies = Some(vec!["a".into()]);
    let problems = draft.check(&graph).unwrap_err();
    let expected = [
        ("not_planned", "d,e"),
        ("not_in_graph", "ghost"),
        ("planned_twice", "a"),
        ("out_of_order", "b"),
        ("wrong_number", ""),
        ("empty_generation", ""),
        ("wrong_dependencies", "b"),
    ];
    assert_eq!(kinds(&problems), expected.map(|(kind, ids)| (kind, ids.to_owned())));
}

#[test]
fn a_pipe_in_two_generations_is_not_planned_once() {
    let draft = PlanDraft::new("twice", Order::Forward, [["a"], ["a"]]);
    let problems = draft.check(&graph(&["a: > A"])).unwrap_err();
    assert_eq!(problems.to_string(), "\"a\" is planned 2 times, in generations [0, 1]");
}

#[test]
fn the_order_and_not_the_name_decides_what_is_right() {
    let graph = graph(&["a: > A", "b: A > B"]);
    let reverse = [["b"], ["a"]];
    assert!(PlanDraft::new("custom", Order::Reverse, reverse).check(&graph).is_ok());
    assert!(PlanDraft::new("streaming", Order::Forward, reverse).check(&graph).is_err());
    assert!(PlanDraft::new("streaming", Order::Reverse, [["a"], ["b"]]).check(&graph).is_err());
    assert!(PlanDraft::new("batch", Order::Forward, [["a", "b"]]).check(&graph).is_err());
}

#[test]
fn a_mixed_plan_has_one_way_per_part() {
    let graph = graph(&["a: > A", "b: A > B", "c: B > C", "s: > S", "t: S > T"]);
    let good = [vec!["a", "t"], vec!["b", "s"], vec!["c"]];
    assert!(PlanDraft::new("custom", Order::Mixed, good).check(&graph).is_ok());
    let bad = [vec!["b", "t"], vec!["a", "s"], vec!["c"]];
    let problems = PlanDraft::new("custom", Order::Mixed, bad).check(&graph).unwrap_err();
    assert_eq!(kinds(&problems)[0].0, "out_of_order");
}

struct OneByOne;

impl Planner for OneByOne {
    fn name(&self) -> &'static str {
        "one_by_one"
    }

    fn plan(&self, graph: &Arc<PipeGraph>) -> Result<Plan, Problems> {
        let pipes = Forward.plan(graph)?.pipes().to_vec();
        let generations = pipes.into_iter().map(|pipe| [graph.pipe_id(pipe)]);
        PlanDraft::new(self.name(), Order::Forward, generations).check(graph)
    }
}

#[test]
fn every_plan_reads_back_as_itself() {
    let mut pipes = crate::support::pipes(&UNBALANCED);
    pipes.push(Pipe::new("z", ["Z"], "ZZ").tag("processing_mode", "streaming").meta("owner", "me"));
    let graph = Arc::new(PipeGraph::new(pipes).unwrap());
    let planners: [&dyn Planner; 4] = [&Forward, &Reverse, &Configured, &OneByOne];
    for planner in planners {
        let plan = planner.plan(&graph).unwrap();
        let written = serde_json::to_string(&plan).unwrap();
        let draft: PlanDraft = serde_json::from_str(&written).unwrap();
        let again = draft.check(&graph).unwrap();
        assert_eq!(again, plan);
        assert_eq!(serde_json::to_string(&again).unwrap(), written);
    }
    assert_eq!(generations(&OneByOne.plan(&graph).unwrap()).len(), 6);
}

#[test]
fn a_graph_reads_back_as_itself_and_a_broken_one_does_not() {
    let tagged = [Pipe::new("b", ["x"], "y").tag("team", "a").meta("rows", 5), Pipe::new("a", ["raw"], "x")];
    let graph = PipeGraph::new(tagged).unwrap();
    let written = serde_json::to_string(&graph).unwrap();
    assert_eq!(serde_json::from_str::<PipeGraph>(&written).unwrap(), graph);
    let cyclic = r#"{"pipes": [{"id": "a", "inputs": ["B"], "output": "A"}, {"id": "b", "inputs": ["A"], "output": "B"}]}"#;
    assert!(serde_json::from_str::<PipeGraph>(cyclic).unwrap_err().to_string().contains("cycle"));
}

#[test]
fn what_a_plan_says_of_itself_cannot_hide_its_figures() {
    let graph = graph(&["a: > A", "b: A > B", "c: A > C"]);
    let mut draft = PlanDraft::new("mine", Order::Forward, [vec!["a"], vec!["c", "b"]]);
    draft.metadata.insert("total_pipes".to_owned(), 99.into());
    let plan = draft.check(&graph).unwrap();
    let summary = serde_json::to_value(plan.summary()).unwrap();
    assert_eq!(
        (summary["total_pipes"].as_u64(), summary["metadata"]["total_pipes"].as_u64()),
        (Some(3), Some(99))
    );
    assert_eq!(summary["avg_pipes_per_generation"].as_f64(), Some(1.5));
    assert_eq!(summary["generation_sizes"], serde_json::json!([1, 2]));
    assert_eq!(generations(&plan)[1], ["c", "b"], "a planner's own order within a generation is kept");
    let _: GenerationDraft = serde_json::from_str(r#"{"number": 0, "pipes": []}"#).unwrap();
}
