//! Laws of what comes from outside: drafts against the plainest check there is, and names nobody would choose.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pipe_graph::{Forward, Order, Pipe, PipeGraph, Plan, PlanDraft, Planner, Reverse};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// Up to 7 pipes, some unconnected; edges run from lower numbers to higher.
fn small() -> impl Strategy<Value = Arc<PipeGraph>> {
    vec(vec(any::<prop::sample::Index>(), 0..2), 1..7).prop_map(|reads| {
        let pipe = |(n, from): (usize, &Vec<prop::sample::Index>)| {
            let inputs: Vec<String> =
                from.iter().filter(|_| n > 0).map(|index| format!("e{}", index.index(n.max(1)))).collect();
            Pipe::new(format!("p{n}"), inputs, format!("e{n}"))
        };
        Arc::new(PipeGraph::new(reads.iter().enumerate().map(pipe)).unwrap())
    })
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Forward), Just(Order::Reverse), Just(Order::Mixed)]
}

/// Each pipe somewhere; places nobody took are left out.
fn draft(graph: &PipeGraph, places: &[u8], order: Order) -> (PlanDraft, Vec<u8>) {
    let mut generations: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for pipe in graph.indices() {
        generations.entry(places[pipe.get()]).or_default().push(graph.id(pipe).to_owned());
    }
    (PlanDraft::new("any", order, generations.into_values()), places.to_vec())
}

/// Every edge runs the way of its part; a part is whatever edges tie together.
fn is_right(graph: &PipeGraph, place: &[u8], order: Order) -> bool {
    let mut part: Vec<usize> = (0..graph.len()).collect();
    let edges: Vec<(usize, usize)> = (graph.indices())
        .flat_map(|pipe| graph.dependents(pipe).iter().map(move |to| (pipe.get(), to.get())))
        .collect();
    for _ in 0..graph.len() {
        for &(from, to) in &edges {
            let smaller = part[from].min(part[to]);
            (part[from], part[to]) = (smaller, smaller);
        }
    }
    let forward = |of: Option<usize>| {
        edges
            .iter()
            .filter(|edge| of.is_none_or(|of| part[edge.0] == of))
            .all(|&(from, to)| place[from] < place[to])
    };
    let reverse = |of: Option<usize>| {
        edges
            .iter()
            .filter(|edge| of.is_none_or(|of| part[edge.0] == of))
            .all(|&(from, to)| place[from] > place[to])
    };
    match order {
        Order::Forward => forward(None),
        Order::Reverse => reverse(None),
        _ => part.iter().all(|&of| forward(Some(of)) || reverse(Some(of))),
    }
}

/// What a Mermaid label says: `#` and a number stand for a character.
fn from_mermaid(label: &str) -> String {
    let mut parts = label.split('#');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once(';').unwrap();
        out.push(char::from_u32(code.parse().unwrap()).unwrap());
        out.push_str(rest);
    }
    out
}

/// What a DOT label says: a backslash hides the next character, `&` starts a character code.
fn from_dot(label: &str) -> String {
    let mut out = String::new();
    let mut rest = label.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => out.push(rest.next().unwrap()),
            '&' => {
                let code: String = rest.by_ref().take_while(|&c| c != ';').collect();
                let number = code.strip_prefix('#').map(|number| number.parse().unwrap());
                out.push(number.map_or('&', |number| char::from_u32(number).unwrap()));
            }
            '"' => panic!("a label ends before its end: {label}"),
            _ => out.push(character),
        }
    }
    out
}

fn labels(drawn: &str, open: &str, close: &str) -> BTreeSet<String> {
    let label = |line: &str| {
        let (node, rest) = line.trim_start().split_once(open)?;
        let label = rest.strip_suffix(close)?;
        node.chars().all(|c| c == 'n' || c.is_ascii_digit()).then(|| label.to_owned())
    };
    drawn.split('\n').filter_map(label).collect()
}

proptest! {
    #[test]
    fn a_draft_is_a_plan_exactly_when_it_is_right(
        (graph, places, order) in (small(), vec(0..4u8, 7), order()),
    ) {
        let (draft, places) = draft(&graph, &places, order);
        prop_assert_eq!(draft.check(&graph).is_ok(), is_right(&graph, &places, order));
    }

    #[test]
    fn a_plan_with_one_pipe_moved_forward_is_refused(graph in small(), which in any::<prop::sample::Index>()) {
        for plan in [Forward.plan(&graph).unwrap(), Reverse.plan(&graph).unwrap()] {
            let pipe = graph.indices().nth(which.index(graph.len())).unwrap();
            let Some(earlier) = plan.generation_of(pipe).checked_sub(1) else { continue };
            let mut draft: PlanDraft = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
            let id = graph.pipe_id(pipe);
            draft.generations.iter_mut().for_each(|generation| {
                generation.pipes.retain(|other| *other != id);
                generation.dependencies = None;
            });
            draft.generations[earlier].pipes.push(id);
            prop_assert!(draft.check(&graph).is_err());
        }
    }

    #[test]
    fn any_name_can_be_read_from_the_drawings(ids in btree_set(any::<String>(), 1..8), output in any::<String>()) {
        let readers = ids.iter().enumerate().map(|(n, id)| Pipe::new(id.as_str(), ["in"], format!("{output}{n}")));
        let graph = Arc::new(PipeGraph::new(readers).unwrap());
        let plan = Forward.plan(&graph).unwrap();
        let mermaid = labels(&plan.render().mermaid(), "[\"", "\"]");
        prop_assert_eq!(mermaid.iter().map(|label| from_mermaid(label)).collect::<BTreeSet<_>>(), ids.clone());
        let dot = labels(&plan.render().dot(), " [label=\"", "\"];");
        prop_assert_eq!(dot.iter().map(|label| from_dot(label)).collect::<BTreeSet<_>>(), ids.clone());
        let json: serde_json::Value = serde_json::from_str(&plan.render().json()).unwrap();
        let again: PipeGraph = serde_json::from_value(json["graph"].clone()).unwrap();
        prop_assert_eq!(&again, &*graph);
        let lines = plan.render().text().chars().filter(|&c| c == '\n').count();
        prop_assert_eq!(lines, 9 + graph.len());
    }
}

#[test]
fn a_plan_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Plan>();
    shared::<PlanDraft>();
}
