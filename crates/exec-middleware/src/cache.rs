//! Answers a call from one made before, or under way, instead of making it again.
//!
//! What may be kept is decided by the [`OperationSpec`](exec_core::OperationSpec) of an operation: reads with a `ttl`.
//! Without a catalogue that knows it, an operation is kept if [`CacheConfig::operations`] names it. Writes pass, and make
//! wrong what their spec says. Only whole, successful answers are kept: never a stream that was cut, failed or dropped, nor
//! an answer that was withheld for its content.
//!
//! - **One call for all who ask the same at once**, streamed or not. Who comes later gets what there was so far and then
//!   the same live. The call belongs to all of them: it goes on while anybody waits, whoever began it, each waiter keeps
//!   its own deadline and cancellation, and a failure is everybody's and nobody's later.
//! - **Tenants never meet**, in what is kept and in what is shared, unless a spec or the settings say `global`.
//! - **A write wins over reads that began before it**: they can neither be kept nor found afterwards.
//! - **The store can break**: then calls go on without it.
//!
//! Put it outside of retries, breakers and limits for one provider, and inside of validation and of the limits of a caller.
//!
//! Which neighbour do I want instead? To make equal writes once, an idempotency key of the provider's; to ask twice and
//! take the faster answer, a hedge; to live through a provider that is down, a fallback, with `stale_if_error` behind it.

mod config;
mod core;
mod entry;
mod flights;
mod key;
mod load;
mod marks;
pub(crate) mod relay;
mod rules;
mod share;
mod stats;
mod store;
#[cfg(test)]
mod store_tests;
mod tasks;
mod warm;
mod write;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use exec_core::{
    CachePolicy, Catalogue, Context, ErrorKind, Event, FieldError, Middleware, Next, Request, Response,
    Result, Reuse,
};
use futures_util::StreamExt;

use self::core::{Core, Look};
use self::flights::{Flights, Joined, Shared};
use self::load::{Load, Why};
use self::rules::{Plan, Rule, Rules};
use self::stats::Counters;
use self::tasks::Tasks;

pub use self::config::CacheConfig;
pub use self::entry::Entry;
pub use self::key::Key;
pub use self::marks::{Subject, Target};
pub use self::stats::CacheStats;
pub use self::store::{MemoryStore, Size, Store};
pub use self::warm::{Warmed, warm};

/// Keeps answers and shares calls. A clone is a handle of the same cache.
///
/// Dropping a call at any await is harmless: to what is kept, to those who share it, and to the counters. What it fetches
/// behind a stale answer runs in tasks of its own, at most `revalidations`, which end with its last handle.
///
/// ```
/// use exec_core::testing::{Answer, Script};
/// use exec_core::{Chat, Context, Executor, Pipeline, Request, Reuse};
/// use exec_middleware::{Cache, CacheConfig};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> exec_core::Result<()> {
/// let model = Script::new("model", [Answer::text("2962 m")]);
/// let cache = Cache::new(CacheConfig::default()).unwrap();
/// let pipeline = Pipeline::around(model.clone()).with(cache.clone());
///
/// let question = Request::chat(Chat::user("How high is the Zugspitze?")).with_model("m");
/// let first = pipeline.execute(question.clone(), &Context::new("1")).await?;
/// let again = pipeline.execute(question, &Context::new("2")).await?;
/// assert_eq!((first.report.reuse, again.report.reuse), (None, Some(Reuse::Hit)));
/// assert_eq!(again.collect().await?.text(), "2962 m");
/// assert_eq!((model.calls(), cache.stats().hits), (1, 1));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cache {
    core: Arc<Core>,
    tasks: Arc<Tasks>,
}

impl Cache {
    /// An empty cache in the memory of this process.
    ///
    /// # Errors
    /// Everything that is wrong with `config`.
    pub fn new(config: CacheConfig) -> Result<Self, Vec<FieldError>> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let store = Arc::new(MemoryStore::new(config.capacity_bytes));
        Ok(Self::made_of(Rules { config, catalogue: None, tagger: None }, store))
    }

    /// A cache with the same settings that decides by what `catalogue` knows of an operation.
    #[must_use]
    pub fn with_catalogue(&self, catalogue: Arc<Catalogue>) -> Self {
        let rules = Rules { catalogue: Some(catalogue), ..self.core.rules.clone() };
        Self::made_of(rules, self.core.store.clone())
    }

    /// A cache with the same settings that keeps its answers in `store`.
    #[must_use]
    pub fn with_store(&self, store: impl Store) -> Self {
        Self::made_of(self.core.rules.clone(), Arc::new(store))
    }

    /// A cache with the same settings whose answers have the tags that `tags` gives them.
    #[must_use]
    pub fn with_tags(
        &self,
        tags: impl Fn(&Request, &Context) -> Vec<Arc<str>> + Send + Sync + 'static,
    ) -> Self {
        let rules = Rules { tagger: Some(Arc::new(tags)), ..self.core.rules.clone() };
        Self::made_of(rules, self.core.store.clone())
    }

    /// Makes wrong everything that `target` means: what is kept, and what calls under way will answer.
    pub async fn invalidate(&self, target: Target, context: &Context) {
        self.core.marks.mark(target.clone());
        self.core.ask(context, self.core.store.invalidate(&target)).await;
    }

    /// The good answer kept under `key`, by the same rules as a call. Counted as a hit if there is one. For callers who
    /// are no [`Executor`](exec_core::Executor); the middleware does it itself.
    pub async fn get(&self, key: &Key, context: &Context) -> Option<Arc<Entry>> {
        match self.core.look(key, context).await {
            Look::Fresh(entry) => {
                self.core.count.hits.one();
                self.core.save(entry.cost);
                Some(entry)
            }
            Look::Stale(_) | Look::Spare(_) | Look::Nothing => None,
        }
    }

    /// What it has done, and what it holds.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.core.stats()
    }

    fn made_of(rules: Rules, store: Arc<dyn Store>) -> Self {
        let marks = marks::Marks::new(rules.config.marks);
        let core =
            Core { rules, store, marks, flights: Arc::new(Flights::default()), count: Counters::default() };
        Self { core: Arc::new(core), tasks: Arc::default() }
    }

    async fn read(
        &self,
        rule: Rule,
        request: Request,
        context: &Context,
        next: Next<'_>,
    ) -> Result<Response> {
        let Ok(key) = Key::of(&request, context, rule.scope) else {
            self.core.count.bypassed.one();
            return next.run(request, context).await;
        };
        let policy = request.options.cache;
        let mut spare = None;
        if policy != CachePolicy::Refresh {
            match self.core.look(&key, context).await {
                Look::Fresh(entry) => return self.core.hit(&entry, context),
                Look::Stale(entry) => {
                    if policy == CachePolicy::Default {
                        self.revalidate(key, rule, request, context, next);
                    }
                    self.core.count.stale.one();
                    return self.core.reuse(&entry, Reuse::Stale, context);
                }
                Look::Spare(entry) => spare = Some(entry),
                Look::Nothing => {}
            }
        }
        match self.share(key, rule, request, context, next).await {
            Err(error) if is_passing(error.kind()) => match spare {
                Some(entry) => {
                    self.core.count.rescued.one();
                    self.core.reuse(&entry, Reuse::Stale, context)
                }
                None => Err(error),
            },
            answer => answer,
        }
    }

    /// Joins an equal call, or makes one.
    async fn share(
        &self,
        key: Key,
        rule: Rule,
        request: Request,
        context: &Context,
        next: Next<'_>,
    ) -> Result<Response> {
        let why = if request.options.cache == CachePolicy::Refresh { Why::Refresh } else { Why::Miss };
        let (shared, load) = self.load(key, rule, request, context, next, why);
        let joined =
            self.core.flights.join(&shared, load.room(), why == Why::Refresh, |place| load.news(place));
        let (listener, leads) = match joined {
            Joined::Leads(listener) => (listener, true),
            Joined::Follows(listener) => (listener, false),
        };
        if !leads {
            self.core.count.coalesced.one();
            context.emit(&Event::Coalesced);
        }
        share::answer(&self.core, listener, leads, context).await
    }

    fn load(
        &self,
        key: Key,
        rule: Rule,
        request: Request,
        context: &Context,
        next: Next<'_>,
        why: Why,
    ) -> (Shared, Load) {
        let fill = request.options.cache != CachePolicy::Read;
        let shared = Shared { key: key.clone(), stream: request.options.stream, fill };
        let (core, context, rest) = (self.core.clone(), context.detached(), next.rest());
        (shared, Load { core, key, rule, request, context, rest, fill, why })
    }

    /// Fetches a new answer behind a stale one, unless somebody does.
    fn revalidate(&self, key: Key, rule: Rule, request: Request, context: &Context, next: Next<'_>) {
        let config = &self.core.rules.config;
        let limit = config.revalidate_timeout;
        let (shared, load) = self.load(key, rule, request, context, next, Why::Revalidate);
        let started = self.tasks.run(config.revalidations, || {
            let listener = self.core.flights.lead(&shared, load.room(), |place| load.news(place))?;
            Some(async move {
                let all = listener.for_each(|_| std::future::ready(()));
                // Too late or not, nobody waits for it.
                let _in_time = tokio::time::timeout(limit, all).await;
            })
        });
        if started {
            self.core.count.revalidations.one();
        }
    }
}

impl Core {
    fn hit(&self, entry: &Entry, context: &Context) -> Result<Response> {
        self.count.hits.one();
        self.reuse(entry, Reuse::Hit, context)
    }

    fn reuse(&self, entry: &Entry, reuse: Reuse, context: &Context) -> Result<Response> {
        self.save(entry.cost);
        context.emit(if reuse == Reuse::Stale { &Event::CacheStale } else { &Event::CacheHit });
        entry.answer(reuse)
    }
}

/// Whether an old answer is better than this failure: it says nothing about the request.
fn is_passing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::RateLimited
            | ErrorKind::Overloaded
            | ErrorKind::Unavailable
            | ErrorKind::DeadlineExceeded
            | ErrorKind::Upstream
            | ErrorKind::Internal
    )
}

#[async_trait]
impl Middleware for Cache {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        match self.core.rules.plan(&request, context) {
            Plan::Read(rule) => self.read(rule, request, context, next).await,
            Plan::Write(targets) => {
                self.core.count.bypassed.one();
                self.write(targets, request, context, next).await
            }
            Plan::Pass => {
                self.core.count.bypassed.one();
                next.run(request, context).await
            }
        }
    }

    fn name(&self) -> &'static str {
        "cache"
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
