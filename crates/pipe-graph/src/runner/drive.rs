//! The loop of a run: starts what can start, waits for what ends.

mod opening;

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use super::attempt::{Attempt, Done};
use super::inputs::Input;
use super::live::Live;
use super::report::Report;
use super::{Mode, OnFailure, PlanRunner};
use crate::pipe::PipeIndex;
use crate::plan::Plan;

/// How many ends are handled before other tasks of the same thread get their turn.
const TURN: usize = 128;

/// Runs a plan; `launch` makes the future of one attempt.
pub(crate) async fn drive<O, E: fmt::Display, F: Future<Output = Done<O, E>>>(
    setup: &PlanRunner,
    plan: &Plan,
    launch: impl FnMut(Attempt<O>) -> F,
    stop: impl Future<Output = ()>,
) -> Report<O, E> {
    opening::announce(setup, plan);
    // Declared first and so dropped last: it tells listeners of pipes that have been dropped by then.
    let mut live = Live::new(setup, plan);
    let blamed = {
        let mut stop = pin!(stop.fuse());
        let mut crew = Crew::new(setup, launch);
        loop {
            crew.start(&mut live);
            let next = poll_fn(|context| match stop.poll_unpin(context) {
                Poll::Ready(()) => Poll::Ready(Next::Stop),
                Poll::Pending => crew.poll_next(context),
            });
            match next.await {
                Next::Ended(done) => {
                    let failed = done.end.is_err() && done.again.is_none();
                    let pipe = done.pipe;
                    crew.ended(&mut live, done);
                    if failed && setup.on_failure == OnFailure::FailFast {
                        break Some(Some(pipe));
                    }
                }
                Next::Woke(pipe) => live.schedule.again(pipe),
                Next::Idle => break None,
                Next::Stop => break Some(None),
            }
        }
    };
    if let Some(blamed) = blamed {
        live.stop(blamed);
    }
    live.finish()
}

/// What the loop waits for.
enum Next<O, E> {
    Ended(Done<O, E>),
    /// A pipe has waited long enough to be tried again.
    Woke(PipeIndex),
    /// Nothing runs and nothing waits.
    Idle,
    Stop,
}

/// The attempts under way and the pipes that wait for another.
struct Crew<'a, O, L, F> {
    setup: &'a PlanRunner,
    launch: L,
    running: FuturesUnordered<F>,
    naps: FuturesUnordered<BoxFuture<'static, PipeIndex>>,
    /// What the pipes read that have been tried before: at most as many as wait or run.
    held: HashMap<PipeIndex, Vec<Input<O>>>,
    most: usize,
    turn: usize,
}

impl<'a, O, E, L, F> Crew<'a, O, L, F>
where
    E: fmt::Display,
    L: FnMut(Attempt<O>) -> F,
    F: Future<Output = Done<O, E>>,
{
    fn new(setup: &'a PlanRunner, launch: L) -> Self {
        let most = if setup.mode == Mode::Sequential { NonZeroUsize::MIN } else { setup.concurrency };
        Self {
            setup,
            launch,
            running: FuturesUnordered::new(),
            naps: FuturesUnordered::new(),
            held: HashMap::new(),
            most: most.get(),
            turn: 0,
        }
    }

    fn start(&mut self, live: &mut Live<'_, O, E>) {
        // A pipe that waits for its next attempt holds no place, unless one must not overtake another.
        let in_line = if self.setup.mode == Mode::Sequential { self.naps.len() } else { 0 };
        while self.running.len() + in_line < self.most
            && let Some(pipe) = live.schedule.start_next()
        {
            let number = live.started(pipe);
            let held = if number > 1 { self.held.remove(&pipe) } else { None };
            let inputs = held.unwrap_or_else(|| live.outputs.take_for(live.plan, pipe));
            let timing = self.setup.timing.of(live.plan.graph(), pipe);
            self.running.push((self.launch)(Attempt { pipe, number, timing, inputs }));
        }
    }

    fn ended(&mut self, live: &mut Live<'_, O, E>, done: Done<O, E>) {
        match (done.again, done.end) {
            (Some((delay, inputs)), Err(failure)) => {
                live.retrying(done.pipe, &failure, delay);
                self.held.insert(done.pipe, inputs);
                self.naps.push(nap(self.setup, done.pipe, delay));
            }
            (_, end) => live.ended(done.pipe, end),
        }
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Next<O, E>> {
        self.turn += 1;
        if self.turn > TURN {
            self.turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = self.poll_crew(context);
        if next.is_pending() {
            self.turn = 0;
        }
        next
    }

    fn poll_crew(&mut self, context: &mut Context<'_>) -> Poll<Next<O, E>> {
        if !self.naps.is_empty()
            && let Poll::Ready(Some(pipe)) = self.naps.poll_next_unpin(context)
        {
            return Poll::Ready(Next::Woke(pipe));
        }
        match self.running.poll_next_unpin(context) {
            Poll::Ready(Some(done)) => Poll::Ready(Next::Ended(done)),
            Poll::Ready(None) if self.naps.is_empty() => Poll::Ready(Next::Idle),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// Without a clock there is no wait.
fn nap(setup: &PlanRunner, pipe: PipeIndex, delay: Duration) -> BoxFuture<'static, PipeIndex> {
    match &setup.clock {
        Some(clock) if !delay.is_zero() => clock.sleep(delay).map(move |()| pipe).boxed(),
        _ => std::future::ready(pipe).boxed(),
    }
}
