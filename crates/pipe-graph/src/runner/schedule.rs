//! Which pipe may start next: pure bookkeeping, without futures and time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Mode;
use crate::pipe::PipeIndex;
use crate::plan::{Order, Plan};

/// Which way the part of the plan that this pipe is in runs; looks at the pipe only if that differs.
pub(crate) fn direction(plan: &Plan, pipe: PipeIndex) -> Order {
    match plan.order() {
        Order::Mixed => plan.direction(pipe),
        order => order,
    }
}

/// The pipes this one waits for.
pub(crate) fn before(plan: &Plan, pipe: PipeIndex) -> &[PipeIndex] {
    match direction(plan, pipe) {
        Order::Reverse => plan.graph().dependents(pipe),
        _ => plan.graph().dependencies(pipe),
    }
}

/// The pipes that wait for this one.
pub(crate) fn after(plan: &Plan, pipe: PipeIndex) -> &[PipeIndex] {
    match direction(plan, pipe) {
        Order::Reverse => plan.graph().dependencies(pipe),
        _ => plan.graph().dependents(pipe),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Something it waits for has not ended.
    Waiting,
    /// Could start.
    Ready,
    Running,
    Ended,
}

/// Counts down what every pipe waits for, and hands out those that wait for nothing.
pub(crate) struct Schedule<'a> {
    plan: &'a Plan,
    mode: Mode,
    skip_dependents: bool,
    waits: Vec<u32>,
    /// By pipe: the first failed pipe among those it depends on.
    blamed: Vec<Option<PipeIndex>>,
    stages: Vec<Stage>,
    ready: BinaryHeap<(u64, Reverse<u32>)>,
    priorities: Vec<u64>,
    /// By pipe: its place in the plan.
    places: Vec<u32>,
    /// By generation: pipes that have not ended.
    left: Vec<u32>,
    /// The generation whose turn it is, in barrier mode.
    turn: usize,
    /// Room for the pipes that end together, kept for the next time.
    ended: Vec<(PipeIndex, Option<PipeIndex>)>,
}

impl<'a> Schedule<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        mode: Mode,
        skip_dependents: bool,
        weight: impl Fn(PipeIndex) -> u64,
    ) -> Self {
        let graph = plan.graph();
        let mut places = vec![0; plan.total_pipes()];
        for (place, pipe) in plan.pipes().iter().enumerate() {
            places[pipe.get()] = place as u32;
        }
        let priorities = if mode == Mode::Sequential { Vec::new() } else { priorities(plan, weight) };
        let mut schedule = Self {
            mode,
            skip_dependents,
            waits: graph.indices().map(|pipe| before(plan, pipe).len() as u32).collect(),
            blamed: vec![None; graph.len()],
            stages: vec![Stage::Waiting; graph.len()],
            ready: BinaryHeap::new(),
            priorities,
            places,
            left: plan.generations().map(|generation| generation.len() as u32).collect(),
            turn: 0,
            ended: Vec::new(),
            plan,
        };
        let free = graph.indices().filter(|&pipe| before(plan, pipe).is_empty());
        free.for_each(|pipe| schedule.release(pipe));
        schedule
    }

    /// The most urgent pipe that can start, which is from now on running.
    pub(crate) fn start_next(&mut self) -> Option<PipeIndex> {
        let (_, Reverse(place)) = self.ready.pop()?;
        let pipe = self.plan.pipes()[place as usize];
        self.stages[pipe.get()] = Stage::Running;
        Some(pipe)
    }

    /// A running pipe goes back to the queue.
    pub(crate) fn again(&mut self, pipe: PipeIndex) {
        self.release(pipe);
    }

    /// A pipe has ended, and had failed or not. Calls back for every pipe that is skipped because of it.
    pub(crate) fn end(
        &mut self,
        pipe: PipeIndex,
        failed: bool,
        mut skipped: impl FnMut(PipeIndex, PipeIndex),
    ) {
        let blame = (failed && self.skip_dependents).then_some(pipe);
        let mut ended = std::mem::take(&mut self.ended);
        ended.push((pipe, blame));
        let plan = self.plan;
        while let Some((pipe, blame)) = ended.pop() {
            self.stages[pipe.get()] = Stage::Ended;
            self.left[plan.generation_of(pipe)] -= 1;
            for &next in after(plan, pipe) {
                if let Some(skip) = self.count_down(next, blame) {
                    skipped(next, skip);
                    ended.push((next, Some(skip)));
                }
            }
        }
        self.ended = ended;
        self.next_turn();
    }

    /// One thing less to wait for. Whom to blame if the pipe is now to be skipped.
    fn count_down(&mut self, pipe: PipeIndex, blame: Option<PipeIndex>) -> Option<PipeIndex> {
        let place = pipe.get();
        self.blamed[place] = self.blamed[place].into_iter().chain(blame).min();
        self.waits[place] -= 1;
        if self.waits[place] > 0 {
            return None;
        }
        if self.blamed[place].is_none() {
            self.release(pipe);
        }
        self.blamed[place]
    }

    fn release(&mut self, pipe: PipeIndex) {
        self.stages[pipe.get()] = Stage::Ready;
        if self.mode != Mode::Barrier || self.plan.generation_of(pipe) == self.turn {
            self.queue(pipe);
        }
    }

    fn queue(&mut self, pipe: PipeIndex) {
        let priority = self.priorities.get(pipe.get()).copied().unwrap_or(0);
        self.ready.push((priority, Reverse(self.places[pipe.get()])));
    }

    /// Moves on to the first generation that is not over; in barrier mode its pipes can start now.
    fn next_turn(&mut self) {
        let before = self.turn;
        while self.left.get(self.turn) == Some(&0) {
            self.turn += 1;
        }
        let plan = self.plan;
        if self.mode == Mode::Barrier
            && self.turn != before
            && let Some(generation) = plan.generation(self.turn)
        {
            let ready = |pipe: &&PipeIndex| self.stages[pipe.get()] == Stage::Ready;
            let ready: Vec<_> = generation.pipes().iter().filter(ready).copied().collect();
            ready.into_iter().for_each(|pipe| self.queue(pipe));
        }
    }

    pub(crate) fn stage(&self, pipe: PipeIndex) -> Stage {
        self.stages[pipe.get()]
    }
}

/// By pipe: the weight of the heaviest way from it to an end, itself included.
fn priorities(plan: &Plan, weight: impl Fn(PipeIndex) -> u64) -> Vec<u64> {
    let mut priorities = vec![0u64; plan.total_pipes()];
    for &pipe in plan.pipes().iter().rev() {
        let longest = after(plan, pipe).iter().map(|next| priorities[next.get()]).max();
        priorities[pipe.get()] = longest.unwrap_or(0).saturating_add(weight(pipe));
    }
    priorities
}
