//! An answer that is kept, against the caches a user would take instead.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use benches::{Pair, Result, pair};
use exec_core::{Chat, Context, Executor, Output, Pipeline, Request, Response, Scope, executor_fn};
use exec_middleware::cache::Key;
use exec_middleware::{Cache, CacheConfig};
use tokio::runtime::Runtime;

use crate::nanos_of;

const KEYS: usize = 1_000;
const CALLS: usize = 2_000;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A cache in which all of `KEYS` requests are kept, and their keys.
pub(crate) struct Filled {
    cache: Cache,
    pipeline: Pipeline,
    requests: Vec<Request>,
    keys: Vec<Key>,
    context: Context,
}

impl Filled {
    pub(crate) fn new(runtime: &Runtime) -> Result<Self> {
        let stale = Duration::from_secs(60);
        let config =
            CacheConfig { stale_while_revalidate: stale, stale_if_error: stale, ..CacheConfig::default() };
        let cache = Cache::new(config).map_err(|errors| format!("{errors:?}"))?;
        let answer = executor_fn(|_, _| Box::pin(async { Ok(Response::full(Output::text_of("an answer"))) }));
        let pipeline = Pipeline::new(answer).with(cache.clone());
        let requests: Vec<Request> =
            (0..KEYS).map(|n| Request::chat(Chat::user(format!("question {n}"))).with_model("m")).collect();
        let context = Context::new("1").with_tenant("tenant");
        let mut keys = Vec::new();
        for request in &requests {
            let _response = runtime.block_on(pipeline.execute(request.clone(), &context))?;
            keys.push(Key::of(request, &context, Scope::Tenant)?);
        }
        Ok(Self { cache, pipeline, requests, keys, context })
    }

    /// Looking an answer up, with its time, its windows, what was made wrong, and counting.
    fn get(&self, runtime: &Runtime) -> f64 {
        runtime.block_on(nanos_of(CALLS, async |n| {
            black_box(self.cache.get(&self.keys[n % KEYS], &self.context).await);
        }))
    }

    /// The same as a layer of a pipeline: key, decision, looking up, event, and an answer of its own.
    fn layer(&self, runtime: &Runtime) -> f64 {
        runtime.block_on(nanos_of(CALLS, async |n| {
            let answer = self.pipeline.execute(self.requests[n % KEYS].clone(), &self.context).await;
            let _hit = black_box(answer);
        }))
    }

    pub(crate) fn against_moka(&self, runtime: &Runtime, rounds: usize) -> Result<(Pair, Pair)> {
        let moka: moka::future::Cache<Key, Arc<Output>> = moka::future::Cache::builder()
            .max_capacity(64 << 20)
            .weigher(|_, _| 600)
            .time_to_live(HOUR)
            .build();
        let answer = Arc::new(Output::text_of("an answer"));
        let rival = || {
            runtime.block_on(nanos_of(CALLS, async |n| {
                let load = async { Ok::<_, std::io::Error>(answer.clone()) };
                let _hit = black_box(moka.try_get_with_by_ref(&self.keys[n % KEYS], load).await);
            }))
        };
        rival();
        if runtime.block_on(moka.get(&self.keys[0])).is_none() {
            return Err("moka keeps nothing".into());
        }
        let get = pair(rounds, || self.get(runtime), rival);
        Ok((get, pair(rounds, || self.layer(runtime), rival)))
    }

    pub(crate) fn against_quick_cache(&self, runtime: &Runtime, rounds: usize) -> Pair {
        let quick: quick_cache::sync::Cache<Key, Arc<Output>> = quick_cache::sync::Cache::new(100_000);
        let answer = Arc::new(Output::text_of("an answer"));
        let rival = || {
            runtime.block_on(nanos_of(CALLS, async |n| {
                let load = async { Ok::<_, std::io::Error>(answer.clone()) };
                let _hit = black_box(quick.get_or_insert_async(&self.keys[n % KEYS], load).await);
            }))
        };
        rival();
        pair(rounds, || self.get(runtime), rival)
    }

    /// Whether every call was a hit: else it was not a hit that was measured.
    pub(crate) fn only_hits(&self) -> bool {
        let stats = self.cache.stats();
        stats.misses == KEYS as u64 && stats.stale == 0 && stats.hits > 0
    }
}
