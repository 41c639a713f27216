//! Filling a cache before callers come.

use std::num::NonZeroUsize;
use std::sync::Arc;

use exec_core::{Context, Executor, Request};
use futures_util::{StreamExt, stream};

/// What [`warm`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warmed {
    /// Requests that were answered, be it from the cache.
    pub answered: u64,
    /// Requests that failed.
    pub failed: u64,
}

/// Asks `requests` of an executor that has a cache, at most so many at once, and reads every answer to its end. What is
/// kept already is not fetched again. Each request has a budget of its own; tenant, deadline and cancellation are those of
/// `context`. Dropping the future leaves the rest undone.
///
/// ```
/// # use exec_core::testing::{Answer, Script};
/// # use exec_core::{Chat, Context, Pipeline, Request};
/// # use exec_middleware::{Cache, CacheConfig, cache};
/// # use std::num::NonZeroUsize;
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// # let model = Script::new("model", [Answer::text("yes")]);
/// # let pipeline = Pipeline::around(model).with(Cache::new(CacheConfig::default()).unwrap());
/// let questions = ["Is it open?", "Is it far?"].map(|text| Request::chat(Chat::user(text)));
/// let warmed = cache::warm(&pipeline, questions, &Context::new("warm-up"), NonZeroUsize::MIN).await;
/// assert_eq!((warmed.answered, warmed.failed), (2, 0));
/// # }
/// ```
pub async fn warm(
    executor: &dyn Executor,
    requests: impl IntoIterator<Item = Request>,
    context: &Context,
    at_once: NonZeroUsize,
) -> Warmed {
    let calls = requests.into_iter().map(|request| {
        let context = context.child().with_budget(Arc::default());
        async move {
            context.bound(async { executor.execute(request, &context).await?.collect().await }).await.is_ok()
        }
    });
    let ends = stream::iter(calls).buffer_unordered(at_once.get());
    let count = |warmed: Warmed, answered: bool| {
        let (answered, failed) = (u64::from(answered), u64::from(!answered));
        std::future::ready(Warmed { answered: warmed.answered + answered, failed: warmed.failed + failed })
    };
    ends.fold(Warmed::default(), count).await
}
