//! One attempt at one pipe: contained panics, a time limit, and what becomes of its inputs.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};

use super::inputs::{Input, Inputs};
use super::status::Failure;
use super::timing::{Clock, PipeTiming, Retry};
use super::{Runner, Task};
use crate::pipe::PipeIndex;
use crate::plan::Plan;

/// What one attempt needs, apart from the runner.
pub(crate) struct Attempt<O> {
    pub(crate) pipe: PipeIndex,
    /// From 1.
    pub(crate) number: u32,
    pub(crate) timing: PipeTiming,
    pub(crate) inputs: Vec<Input<O>>,
}

/// What came of it.
pub(crate) struct Done<O, E> {
    pub(crate) pipe: PipeIndex,
    pub(crate) end: Result<Option<O>, Failure<E>>,
    /// When and with what to try again.
    pub(crate) again: Option<(Duration, Vec<Input<O>>)>,
}

pub(crate) async fn attempt<R: Runner>(
    runner: &R,
    plan: &Plan,
    clock: Option<&dyn Clock>,
    attempt: Attempt<R::Output>,
) -> Done<R::Output, R::Error> {
    let Attempt { pipe, number, timing, mut inputs } = attempt;
    let task = Task { plan, pipe, attempt: number };
    // The last attempt gets the inputs themselves, so that it can own what nobody else reads.
    let may_repeat = number <= timing.retry.times;
    let given = if may_repeat { inputs.clone() } else { std::mem::take(&mut inputs) };
    let given = Inputs::new(plan.graph(), given);
    let work = AssertUnwindSafe(async { runner.run(task, given).await }).catch_unwind();
    let end = match bounded(work, timing.timeout, clock).await {
        Some(Ok(end)) => end.map_err(Failure::Error),
        Some(Err(panic)) => Err(Failure::Panic(message(&*panic))),
        None => Err(Failure::Timeout(timing.timeout.unwrap_or_default())),
    };
    match end {
        Err(failure) if may_repeat => {
            let (failure, delay) = repeat(runner, task, timing.retry, failure);
            let again = delay.map(|delay| (delay, inputs));
            Done { pipe, end: Err(failure), again }
        }
        end => Done { pipe, end, again: None },
    }
}

/// `None` when the time is up.
async fn bounded<F: Future>(
    work: F,
    timeout: Option<Duration>,
    clock: Option<&dyn Clock>,
) -> Option<F::Output> {
    let (Some(timeout), Some(clock)) = (timeout, clock) else { return Some(work.await) };
    match select(pin!(work), clock.sleep(timeout)).await {
        Either::Left((end, _)) => Some(end),
        Either::Right(_) => None,
    }
}

/// The wait before the next attempt, if there is to be one.
fn repeat<R: Runner>(
    runner: &R,
    task: Task<'_>,
    retry: Retry,
    failure: Failure<R::Error>,
) -> (Failure<R::Error>, Option<Duration>) {
    let allowed = match &failure {
        Failure::Error(_) => true,
        Failure::Timeout(_) => retry.timeouts,
        Failure::Panic(_) => false,
    };
    if !allowed {
        return (failure, None);
    }
    let delay = retry.delay(task.attempt);
    let asked = std::panic::catch_unwind(AssertUnwindSafe(|| runner.retry(task, &failure, delay)));
    match asked {
        Ok(delay) => (failure, delay.map(|delay| delay.min(retry.longest))),
        Err(panic) => (Failure::Panic(message(&*panic)), None),
    }
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}

/// An attempt that is under way elsewhere; one whose runtime has dropped it has failed.
pub(crate) async fn spawned<O, E>(work: impl Future<Output = Done<O, E>>, pipe: PipeIndex) -> Done<O, E> {
    let lost = |_| {
        let end = Err(Failure::Panic("its runtime has shut down".to_owned()));
        Done { pipe, end, again: None }
    };
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(lost)
}
