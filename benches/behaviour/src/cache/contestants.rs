//! The caches, each with one key in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use exec_core::{
    Chat, Context, Error, ErrorKind, Executor, Output, Pipeline, Request, Response, executor_fn,
};
use exec_middleware::cache::Target;
use exec_middleware::{Cache, CacheConfig};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::Make;
use crate::row::{Count, Result, made};

/// What loading does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    /// Gives the number of the load, from 1.
    Answer,
    Fail,
    PanicOnce,
}

/// Where values come from.
#[derive(Clone, Debug)]
pub(super) struct Loader {
    takes: Duration,
    does: Does,
    loads: Count,
    panicked: Arc<AtomicBool>,
}

impl Loader {
    pub(super) fn new(takes: Duration, does: Does) -> Self {
        Self { takes, does, loads: Count::default(), panicked: Arc::default() }
    }

    pub(super) fn loads(&self) -> usize {
        self.loads.get()
    }

    pub(super) fn panicked(&self) -> bool {
        self.panicked.load(Ordering::Acquire)
    }

    async fn load(self) -> std::result::Result<usize, Error> {
        let n = self.loads.one();
        tokio::time::sleep(self.takes).await;
        match self.does {
            Does::Fail => Err(Error::new(ErrorKind::Unavailable, "told to fail")),
            // Not `panic!`: nobody needs to read of it.
            Does::PanicOnce if !self.panicked.swap(true, Ordering::AcqRel) => {
                std::panic::resume_unwind(Box::new("told to panic"))
            }
            Does::PanicOnce | Does::Answer => Ok(n),
        }
    }
}

/// A cache around a loader.
pub(super) struct Contestant {
    get: Box<dyn Fn() -> BoxFuture<'static, Option<usize>> + Send + Sync>,
    invalidate: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Contestant {
    /// The value, or nothing if it could not be loaded.
    pub(super) fn get(&self) -> BoxFuture<'static, Option<usize>> {
        (self.get)()
    }

    pub(super) fn invalidate(&self) -> BoxFuture<'static, ()> {
        (self.invalidate)()
    }
}

pub(super) const RIVALS: [(&str, Make); 2] =
    [("moka `try_get_with`", moka), ("quick_cache `get_or_insert_async`", quick_cache)];

pub(super) fn ours(loader: Loader) -> Result<Contestant> {
    let cache = made(Cache::new(CacheConfig::default()))?;
    let around = executor_fn(move |_: Request, _: &Context| {
        let load = loader.clone().load();
        async move { Ok(Response::full(Output::text_of(load.await?.to_string()))) }.boxed()
    });
    let pipeline = Arc::new(Pipeline::new(around).with(cache.clone()));
    Ok(Contestant {
        get: Box::new(move || {
            let pipeline = pipeline.clone();
            async move {
                let request = Request::chat(Chat::user("hi")).with_model("m");
                let answer = pipeline.execute(request, &Context::new("1")).await.ok()?;
                answer.collect().await.ok()?.text().parse().ok()
            }
            .boxed()
        }),
        invalidate: Box::new(move || {
            let cache = cache.clone();
            async move { cache.invalidate(Target::all(), &Context::new("1")).await }.boxed()
        }),
    })
}

fn moka(loader: Loader) -> Result<Contestant> {
    let cache = moka::future::Cache::<u8, usize>::new(100);
    let same = cache.clone();
    Ok(Contestant {
        get: Box::new(move || {
            let (cache, load) = (cache.clone(), loader.clone().load());
            async move { cache.try_get_with(1, load).await.ok() }.boxed()
        }),
        invalidate: Box::new(move || {
            let cache = same.clone();
            async move { cache.invalidate(&1).await }.boxed()
        }),
    })
}

fn quick_cache(loader: Loader) -> Result<Contestant> {
    let cache = Arc::new(quick_cache::sync::Cache::<u8, usize>::new(100));
    let same = cache.clone();
    Ok(Contestant {
        get: Box::new(move || {
            let (cache, load) = (cache.clone(), loader.clone().load());
            async move { cache.get_or_insert_async(&1, load).await.ok() }.boxed()
        }),
        invalidate: Box::new(move || {
            same.remove(&1);
            async {}.boxed()
        }),
    })
}
