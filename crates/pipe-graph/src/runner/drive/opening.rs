//! What listeners hear before the first pipe.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::pipe::PipeId;
use crate::plan::Plan;
use crate::runner::event::Event;
use crate::runner::{Mode, PlanRunner};

/// Says what is going to run, and what the plan recommends to keep.
pub(crate) fn announce(setup: &PlanRunner, plan: &Plan) {
    if setup.sinks.is_empty() {
        return;
    }
    setup.sinks.emit(|| Event::plan_generated(plan));
    setup.sinks.emit(|| Event::ExecutionStarted {
        run_id: setup.run_id.to_string(),
        strategy: plan.strategy().to_owned(),
        mode: setup.mode.as_str().to_owned(),
        pipe_count: plan.total_pipes(),
        generation_count: plan.total_generations(),
        parallel: setup.mode != Mode::Sequential && setup.concurrency.get() > 1,
    });
    recommend(setup, plan);
}

fn recommend(setup: &PlanRunner, plan: &Plan) {
    let Some(Value::Object(levels)) = plan.metadata().get("cache_recommendations") else { return };
    let mut readers: BTreeMap<&str, Vec<PipeId>> = levels.keys().map(|entity| (&**entity, vec![])).collect();
    for pipe in plan.graph().indices() {
        for entity in plan.graph().inputs(pipe) {
            if let Some(readers) = readers.get_mut(entity) {
                readers.push(plan.graph().pipe_id(pipe));
            }
        }
    }
    for (entity, consumer_pipes) in readers {
        setup.sinks.emit(|| Event::CacheRecommended {
            run_id: setup.run_id.to_string(),
            entity_id: entity.to_owned(),
            consumer_pipes,
            cache_level: levels[entity].as_str().unwrap_or_default().to_owned(),
        });
    }
}
