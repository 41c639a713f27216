//! What a cache keeps, for how long, for whom, and what makes it wrong.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use exec_core::testing::{Answer, Recorder, Script};
use exec_core::{
    CachePolicy, Catalogue, Chat, Chunk, Context, Cost, Error, ErrorKind, Executor, Finish, Money, Operation,
    OperationSpec, Options, Output, Pipeline, Raw, Request, Response, Result, Reuse, Scope, Summary,
    executor_fn,
};
use exec_middleware::cache::{Entry, Key, Store, Target, warm};
use exec_middleware::{Cache, CacheConfig};
use serde_json::json;

use crate::{around, streamed, unary};

const HOUR: Duration = Duration::from_secs(60 * 60);
const SECOND: Duration = Duration::from_secs(1);

fn cache() -> Cache {
    Cache::new(CacheConfig::default()).unwrap()
}

fn with(options: Options) -> Request {
    unary().with_options(options)
}

async fn ask(pipeline: &Pipeline, request: Request) -> Result<Option<Reuse>> {
    ask_as(pipeline, request, &Context::new("1")).await
}

async fn ask_as(pipeline: &Pipeline, request: Request, context: &Context) -> Result<Option<Reuse>> {
    let response = pipeline.execute(request, context).await?;
    let reuse = response.report.reuse;
    response.collect().await?;
    Ok(reuse)
}

/// Answers a text that costs something.
fn priced() -> impl Executor {
    executor_fn(|_, _| {
        let mut output = Output::text_of("x");
        output.summary.cost = Some(Cost { input: Money::micros(3), output: Money::micros(4) });
        Box::pin(async { Ok(Response::full(output)) })
    })
}

#[tokio::test(start_paused = true)]
async fn a_hit_costs_nothing_and_says_what_it_saved() {
    let (cache, sink) = (cache(), Arc::new(Recorder::default()));
    let pipeline = Pipeline::new(priced()).with(cache.clone());
    let context = Context::new("1").with_events(sink.clone());
    let first = pipeline.execute(unary(), &context).await.unwrap();
    assert_eq!(first.output().unwrap().summary.cost.unwrap().total(), Money::micros(7));
    let hit = pipeline.execute(unary(), &context).await.unwrap();
    assert!(hit.report.cached && hit.report.saved.unwrap().total() == Money::micros(7));
    assert_eq!(hit.output().unwrap().summary.cost, Some(Cost::default()));
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.stored, stats.saved), (1, 1, 1, Money::micros(7)));
    assert_eq!(sink.names(), ["cache_miss", "cache_hit"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_good_for_its_time_and_not_a_moment_longer() {
    let script = Script::new("a", [Answer::text("x")]);
    let pipeline = around(&script, cache());
    let repeated = Options { metadata: Some(Raw::from(json!({"isRepeated": true}))), ..Options::default() };
    let mut inventive = Chat::user("x");
    inventive.sampling.temperature = Some(0.85);
    let factual = Chat::user("x").with_system("be factual");
    for (request, ttl) in [
        (unary(), HOUR),
        (unary().with_model("n").with_options(repeated.clone()), 2 * HOUR),
        (Request::chat(inventive), HOUR / 2),
        (Request::chat(factual.clone()), 3 * HOUR),
        (Request::chat(factual).with_model("n").with_options(repeated), 6 * HOUR),
    ] {
        assert_eq!(ask(&pipeline, request.clone()).await.unwrap(), None);
        tokio::time::advance(ttl - Duration::from_millis(1)).await;
        assert_eq!(ask(&pipeline, request.clone()).await.unwrap(), Some(Reuse::Hit), "{ttl:?}");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(ask(&pipeline, request).await.unwrap(), None, "{ttl:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_wants_a_new_answer_each_time_gets_one() {
    let script = Script::new("a", [Answer::text("x")]);
    let (cache, mut chat) = (cache(), Chat::user("x"));
    chat.sampling.temperature = Some(1.0);
    let pipeline = around(&script, cache.clone());
    for _ in 0..3 {
        assert_eq!(ask(&pipeline, Request::chat(chat.clone())).await.unwrap(), None);
    }
    assert_eq!((script.calls(), cache.stats().bypassed), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn the_caller_says_what_the_cache_may_do() {
    let script = Script::new("a", [Answer::text("x")]);
    let cache = cache();
    let pipeline = around(&script, cache.clone());
    let of = |policy| with(Options { cache: policy, ..Options::default() });
    for (policy, reuse, calls, stored) in [
        (CachePolicy::Off, None, 1, 0),
        (CachePolicy::Read, None, 2, 0),
        (CachePolicy::Default, None, 3, 1),
        (CachePolicy::Read, Some(Reuse::Hit), 3, 1),
        (CachePolicy::Refresh, None, 4, 2),
        (CachePolicy::Off, None, 5, 2),
    ] {
        assert_eq!(ask(&pipeline, of(policy)).await.unwrap(), reuse, "{policy:?}");
        assert_eq!((script.calls(), cache.stats().stored), (calls, stored), "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_whole_good_answer_is_kept() {
    let end = |finish| Chunk::End(Summary { finish, ..Summary::default() });
    let answers = [
        Answer::cut(&["half"]),
        Answer::cut(&["half"]).then_error(ErrorKind::Upstream),
        Answer::error(ErrorKind::InvalidRequest),
        Answer::cut(&["no"]).chunk(end(Finish::Filtered)),
        Answer::cut(&["wait"]).chunk(end(Finish::Paused)),
        Answer::stream(&["a", "b"]),
    ];
    let script = Script::new("a", answers);
    let pipeline = around(&script, cache());
    for n in 1..=5 {
        let _ = ask(&pipeline, streamed()).await;
        assert_eq!(script.calls(), n);
    }
    let dropped = pipeline.execute(streamed(), &Context::new("1")).await.unwrap();
    drop(dropped.into_chunks());
    assert_eq!(ask(&pipeline, streamed()).await.unwrap(), None);
    let hit = pipeline.execute(streamed(), &Context::new("1")).await.unwrap();
    assert_eq!((hit.report.reuse, script.calls()), (Some(Reuse::Hit), 7));
    assert_eq!(hit.collect().await.unwrap().text(), "ab");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_kept_only_when_that_is_asked_for_and_only_if_it_is_final() {
    for (kind, calls) in
        [(ErrorKind::NotFound, 2), (ErrorKind::RateLimited, 3), (ErrorKind::Unauthenticated, 3)]
    {
        let script = Script::new("a", [Answer::error(kind)]);
        let config = CacheConfig { negative_ttl: Some(SECOND), ..CacheConfig::default() };
        let pipeline = around(&script, Cache::new(config).unwrap());
        for _ in 0..2 {
            assert_eq!(ask(&pipeline, unary()).await.unwrap_err().kind(), kind);
        }
        tokio::time::advance(SECOND).await;
        ask(&pipeline, unary()).await.unwrap_err();
        assert_eq!(script.calls(), calls, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn stale_answers_come_at_once_and_one_call_fetches_a_new_one() {
    let answers = [Answer::text("old"), Answer::text("new").after(SECOND)];
    let script = Script::new("a", answers);
    let config = CacheConfig { stale_while_revalidate: 10 * SECOND, ..CacheConfig::default() };
    let cache = Cache::new(config).unwrap();
    let pipeline = around(&script, cache.clone());
    ask(&pipeline, unary()).await.unwrap();
    tokio::time::advance(HOUR).await;
    for _ in 0..20 {
        let before = tokio::time::Instant::now();
        assert_eq!(ask(&pipeline, unary()).await.unwrap(), Some(Reuse::Stale));
        assert!(before.elapsed().is_zero());
    }
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!((script.calls(), cache.stats().revalidations, cache.stats().stale), (2, 1, 20));
    let fresh = pipeline.execute(unary(), &Context::new("1")).await.unwrap();
    assert_eq!((fresh.report.reuse, fresh.output().unwrap().text()), (Some(Reuse::Hit), "new".into()));
    tokio::time::advance(HOUR + 10 * SECOND).await;
    let before = tokio::time::Instant::now();
    assert_eq!(ask(&pipeline, unary()).await.unwrap(), None);
    assert_eq!(before.elapsed(), SECOND, "after the window a caller waits");
}

#[tokio::test(start_paused = true)]
async fn a_call_behind_a_stale_answer_ends_with_the_cache() {
    let script = Script::new("a", [Answer::text("old"), Answer::hang()]);
    let config = CacheConfig { stale_while_revalidate: HOUR, ..CacheConfig::default() };
    let pipeline = around(&script, Cache::new(config).unwrap());
    ask(&pipeline, unary()).await.unwrap();
    tokio::time::advance(HOUR).await;
    ask(&pipeline, unary()).await.unwrap();
    tokio::task::yield_now().await;
    assert_eq!((script.calls(), script.open()), (2, 1));
    drop(pipeline);
    tokio::task::yield_now().await;
    assert_eq!(script.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_rescues_a_caller_until_its_bound() {
    let answers = [Answer::text("old"), Answer::error(ErrorKind::Upstream)];
    let script = Script::new("a", answers);
    let config = CacheConfig {
        stale_while_revalidate: 5 * SECOND,
        stale_if_error: 10 * SECOND,
        ..CacheConfig::default()
    };
    let cache = Cache::new(config).unwrap();
    let pipeline = around(&script, cache.clone());
    ask(&pipeline, unary()).await.unwrap();
    tokio::time::advance(HOUR).await;
    assert_eq!(ask(&pipeline, unary()).await.unwrap(), Some(Reuse::Stale));
    tokio::time::advance(9 * SECOND).await;
    assert_eq!(ask(&pipeline, unary()).await.unwrap(), Some(Reuse::Stale), "its renewal failed twice");
    assert_eq!((script.calls(), cache.stats().rescued), (3, 1));
    tokio::time::advance(SECOND).await;
    assert_eq!(ask(&pipeline, unary()).await.unwrap_err().kind(), ErrorKind::Upstream);
}

fn catalogue() -> Arc<Catalogue> {
    let mut all = Catalogue::default();
    let read =
        |name: &str, scope| OperationSpec { ttl: Some(HOUR), scope, ..OperationSpec::new(name).read() };
    let invalidates = vec![Operation::from("list"), Operation::from("prices")];
    for spec in [
        read("list", Scope::Tenant),
        read("prices", Scope::Global),
        OperationSpec::new("now").read(),
        OperationSpec { ttl: Some(Duration::ZERO), ..OperationSpec::new("never").read() },
        OperationSpec { invalidates, ttl: Some(HOUR), ..OperationSpec::new("create") },
    ] {
        all.add(spec).unwrap();
    }
    Arc::new(all)
}

fn operation(name: &str) -> Request {
    Request::new(Operation::from(name), json!({}))
}

#[tokio::test(start_paused = true)]
async fn the_catalogue_says_what_is_kept_and_what_a_write_makes_wrong() {
    let script = Script::new("a", [Answer::text("x")]);
    let pipeline = around(&script, cache().with_catalogue(catalogue()));
    let (a, b) = (Context::new("1").with_tenant("a"), Context::new("1").with_tenant("b"));
    for name in ["now", "never", "create", "unheard-of"] {
        for _ in 0..2 {
            assert_eq!(ask_as(&pipeline, operation(name), &a).await.unwrap(), None, "{name}");
        }
    }
    let found = async |name: &str, context: &Context| {
        ask_as(&pipeline, operation(name), context).await.unwrap().is_some()
    };
    assert!(!found("list", &a).await && !found("list", &b).await, "tenants do not meet");
    assert!(!found("prices", &a).await && found("prices", &b).await, "what is everybody's is shared");
    assert!(found("list", &a).await && found("list", &b).await);
    ask_as(&pipeline, operation("create"), &a).await.unwrap();
    assert!(!found("list", &a).await && found("list", &b).await, "only the writer's are wrong");
    assert!(!found("prices", &b).await, "everybody's are wrong for everybody");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_began_before_a_write_is_not_kept_after_it() {
    let answers =
        [Answer::text("old").after(2 * SECOND), Answer::error(ErrorKind::Upstream), Answer::text("new")];
    let script = Script::new("a", answers);
    let cache = cache().with_catalogue(catalogue());
    let pipeline = around(&script, cache.clone());
    let context = Context::new("1");
    let write = async {
        tokio::time::sleep(SECOND).await;
        // It fails, and may have done its work.
        pipeline.execute(operation("create"), &context).await
    };
    let (read, _) = tokio::join!(ask(&pipeline, operation("list")), write);
    assert_eq!((read.unwrap(), cache.stats().refused), (None, 1));
    assert_eq!(ask(&pipeline, operation("list")).await.unwrap(), None);
    assert_eq!(ask(&pipeline, operation("list")).await.unwrap(), Some(Reuse::Hit));
}

#[tokio::test(start_paused = true)]
async fn answers_are_made_wrong_by_tag_pattern_and_tenant() {
    let script = Script::new("a", [Answer::text("x")]);
    let cache = cache().with_tags(|request, _| request.model.iter().cloned().collect());
    let pipeline = around(&script, cache.clone());
    let context = Context::new("1").with_tenant("t");
    for (target, wrong) in [
        (Target::tag("m"), true),
        (Target::tag("n"), false),
        (Target::pattern("chat:*"), true),
        (Target::pattern("embed:*"), false),
        (Target::operation(Operation::CHAT).of_tenant("t"), true),
        (Target::all().of_tenant("other"), false),
        (Target::all(), true),
    ] {
        ask_as(&pipeline, unary(), &context).await.unwrap();
        cache.invalidate(target.clone(), &context).await;
        let again = ask_as(&pipeline, unary(), &context).await.unwrap();
        assert_eq!(again.is_none(), wrong, "{target:?}");
    }
}

/// A store that fails, or never answers.
struct Broken {
    hangs: bool,
}

impl Broken {
    async fn fail<T>(&self) -> Result<T> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Err(Error::new(ErrorKind::Unavailable, "no store"))
    }
}

#[async_trait]
impl Store for Broken {
    async fn get(&self, _: &Key) -> Result<Option<Arc<Entry>>> {
        self.fail().await
    }
    async fn put(&self, _: &Key, _: Arc<Entry>) -> Result<()> {
        self.fail().await
    }
    async fn remove(&self, _: &Key) -> Result<()> {
        self.fail().await
    }
    async fn invalidate(&self, _: &Target) -> Result<()> {
        self.fail().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_store_is_a_miss_and_told() {
    for hangs in [false, true] {
        let script = Script::new("a", [Answer::text("x")]);
        let (cache, sink) = (cache().with_store(Broken { hangs }), Arc::new(Recorder::default()));
        let pipeline = around(&script, cache.clone());
        let before = tokio::time::Instant::now();
        let context = Context::new("1").with_events(sink.clone());
        assert_eq!(ask_as(&pipeline, unary(), &context).await.unwrap(), None);
        let stats = cache.stats();
        assert_eq!((stats.misses, stats.store_errors, stats.stored), (1, 3, 0));
        assert_eq!(sink.names(), ["cache_failed", "cache_failed", "cache_miss", "cache_failed"]);
        assert!(before.elapsed() <= Duration::from_millis(if hangs { 160 } else { 0 }));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_too_heavy_is_not_kept() {
    let long = "x".repeat(5_000);
    let script = Script::new("a", [Answer::stream(&[&long])]);
    let config = CacheConfig { max_entry_bytes: 4_096, ..CacheConfig::default() };
    let cache = Cache::new(config).unwrap();
    let pipeline = around(&script, cache.clone());
    for _ in 0..2 {
        assert_eq!(ask(&pipeline, streamed()).await.unwrap(), None);
    }
    assert_eq!((cache.stats().refused, cache.stats().stored), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_warm_cache_has_its_answers_before_anybody_asks() {
    let script = Script::new("a", [Answer::text("x")]);
    let pipeline = around(&script, cache());
    let requests = (0..50).map(|n| unary().with_model(format!("m{}", n % 40)));
    let warmed = warm(&pipeline, requests, &Context::new("1"), NonZeroUsize::MIN).await;
    assert_eq!((warmed.answered, warmed.failed, script.calls()), (50, 0, 40));
    assert_eq!(ask(&pipeline, unary().with_model("m7")).await.unwrap(), Some(Reuse::Hit));
}

#[test]
fn settings_that_cannot_work_are_refused_all_at_once() {
    let config = CacheConfig {
        ttl: Duration::ZERO,
        max_entry_bytes: 10,
        capacity_bytes: 9,
        max_temperature: f64::NAN,
        creative_factor: -1.0,
        stale_while_revalidate: SECOND,
        revalidations: 0,
        marks: 0,
        ..CacheConfig::default()
    };
    let paths: Vec<_> = Cache::new(config).unwrap_err().into_iter().map(|error| error.path).collect();
    assert_eq!(
        paths,
        ["ttl", "creative_factor", "max_temperature", "max_entry_bytes", "marks", "revalidations"]
    );
    let read: CacheConfig =
        serde_json::from_str(r#"{"ttl": "5m", "scope": "global", "operations": ["chat"]}"#).unwrap();
    assert_eq!((read.ttl, read.scope), (HOUR / 12, Scope::Global));
    assert!(serde_json::from_str::<CacheConfig>(r#"{"tll": "5m"}"#).is_err());
}
