//! The settings of guards: each is read, and what cannot work is refused with every reason at once.

use exec_server::{Config, Environment};
use serde_json::{Value, json};

use crate::docs::{MIDDLEWARE, defaults, known};

fn read(tree: Value) -> Result<Config, Vec<String>> {
    let config = Config::from_tree(tree, &Environment::default());
    config.map_err(|error| error.0.into_iter().map(|problem| problem.path).collect())
}

fn wrong(text: &str) -> Vec<String> {
    read(toml::from_str(text).unwrap()).unwrap_err()
}

/// Paths of a document, one a line.
fn assert_refused(text: &str, expected: &[&str]) {
    let found = wrong(text);
    for path in expected {
        assert!(found.iter().any(|found| found == path), "{path} is not among {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

/// Everything that can be wrong with a pipeline.
const PIPELINE: &str = r#"
        [pipeline]
        middleware = ["trace", "rate_limit", "retry", "retry", "breaker", "concurrency_limit", "adaptive_limit", "timeout", "magic", "metrics", "hedge"]
        retry_budget = { ratio = 1.5, ttl = "0s" }
        [middleware.trace]
        [middleware.metrics]
        labels = 0
        [middleware.hedge]
        max_hedges = 0
        quantile = 1.0
        factor = 0.5
        min_delay = "5s"
        share = 2.0
        max_cost_micros = 5
        [middleware.validate]
        strict = true
        [middleware.rate_limit]
        keys = 0
        limits = [{ requests = 0, window = "0s" }, {}, { requests = 5, burst = 2 }]
        [middleware.retry]
        attempts = 0
        total = "0s"
        backoff = { base = "0s", factor = 0.5, cap = "48h" }
        budget = { floor = 1 }
        [middleware.breaker]
        failure_rate = 1.5
        success_rate = 0.0
        volume = 200
        window = "0s"
        window_calls = 100
        open = "2s"
        open_max = "1s"
        probes = 0
        growth = 0.0
        jitter = 2.0
        half_open = "0s"
        slow_rate = 0.5
        [middleware.concurrency_limit]
        limit = 0
        wait = "0s"
        [middleware.adaptive_limit]
        min = 9
        max = 3
        window = "0s"
        samples = 0
        tolerance = 0.5
        backoff = 1.0
        [middleware.timeout]
        [providers.s]
        type = "simulator"
        "#;

/// Where it is wrong.
const WRONG: &[&str] = &[
    "pipeline.middleware[3]",
    "pipeline.middleware[8]",
    "pipeline.retry_budget.ratio",
    "pipeline.retry_budget.ttl",
    "middleware.trace",
    "middleware.metrics.labels",
    "middleware.hedge.max_hedges",
    "middleware.hedge.quantile",
    "middleware.hedge.factor",
    "middleware.hedge.min_delay",
    "middleware.hedge.share",
    "middleware.hedge.max_cost_micros",
    "middleware.validate",
    "middleware.rate_limit.keys",
    "middleware.rate_limit.limits[0].requests",
    "middleware.rate_limit.limits[0].window",
    "middleware.rate_limit.limits[1].requests",
    "middleware.rate_limit.limits[2].burst",
    "middleware.retry.attempts",
    "middleware.retry.total",
    "middleware.retry.backoff.base",
    "middleware.retry.backoff.factor",
    "middleware.retry.backoff.cap",
    "middleware.retry.budget",
    "middleware.breaker.failure_rate",
    "middleware.breaker.success_rate",
    "middleware.breaker.volume",
    "middleware.breaker.window",
    "middleware.breaker.window",
    "middleware.breaker.open_max",
    "middleware.breaker.probes",
    "middleware.breaker.growth",
    "middleware.breaker.jitter",
    "middleware.breaker.half_open",
    "middleware.breaker.slow",
    "middleware.concurrency_limit.limit",
    "middleware.concurrency_limit.wait",
    "middleware.adaptive_limit.min",
    "middleware.adaptive_limit.initial",
    "middleware.adaptive_limit.window",
    "middleware.adaptive_limit.samples",
    "middleware.adaptive_limit.tolerance",
    "middleware.adaptive_limit.backoff",
    "middleware.timeout",
];

#[test]
fn everything_wrong_with_the_pipeline_is_said_at_once() {
    assert_refused(PIPELINE, WRONG);
}

#[test]
fn everything_wrong_with_the_guards_of_providers_is_said_at_once() {
    assert_refused(
        r#"
        [server]
        default_provider = "a"
        tenant_header = "no header"
        [providers.a]
        type = "openai"
        guard = ["retry", "retry", "magic", "limit"]
        retry = { attempts = 101, attemps = 1 }
        breaker = { failures = 1 }
        limit = { concurrency = 0, adaptive = { max = 0 }, requests = 0, window = "0s", burst = 0 }
        timeout = { idle = "0s" }
        [providers.b]
        type = "simulator"
        guard = ["breaker", "limit", "timeout"]
        breaker = { preset = "magic", failures = 0 }
        limit = { queue = 1, wait = "1s", window = "1s", mode = "smooth" }
        [providers.c]
        type = "fallback"
        members = ["a"]
        guard = ["retry"]
        limit = { requests = 1 }
        timeout = { total = "0s" }
        [providers.d]
        type = "anthropic"
        guard = "retry"
        "#,
        &[
            "server.tenant_header",
            "providers.a.guard[1]",
            "providers.a.guard[2]",
            "providers.a.retry.attempts",
            "providers.a.retry.attemps",
            "providers.a.breaker",
            "providers.a.limit.concurrency",
            "providers.a.limit.adaptive",
            "providers.a.limit.adaptive.max",
            "providers.a.limit.adaptive.min",
            "providers.a.limit.adaptive.initial",
            "providers.a.limit.requests",
            "providers.a.limit.window",
            "providers.a.limit.burst",
            "providers.a.timeout.idle",
            "providers.b.breaker.preset",
            "providers.b.breaker.failures",
            "providers.b.limit.queue",
            "providers.b.limit.wait",
            "providers.b.limit.window",
            "providers.b.limit.mode",
            "providers.b.limit.concurrency",
            "providers.b.timeout",
            "providers.c.limit",
            "providers.c.timeout.total",
            "providers.d.guard",
        ],
    );
}

#[test]
fn a_budget_of_retries_that_nobody_draws_from_is_refused() {
    let budget = "[pipeline]\nretry_budget = { floor = 5 }\n[providers.s]\ntype = \"simulator\"\n";
    assert_eq!(wrong(budget), ["pipeline.retry_budget"]);
    assert!(read(toml::from_str(&format!("{budget}guard = [\"retry\"]")).unwrap()).is_ok());
}

/// A value for every setting of every guard that is not its default; some only make sense together with others.
fn settings() -> Value {
    json!({
        "middleware.metrics": {"labels": 9},
        "middleware.validate": {"strict": true},
        "middleware.hedge": {"max_hedges": 9, "quantile": 0.6, "factor": 9.0, "delay": "9s", "min_delay": "1s",
            "samples": 9, "kinds": 9, "share": 0.9, "floor": 9, "max_cost_micros": 9, "price_micros": 9,
            "answer_tokens": 9},
        "middleware.rate_limit": {"limits": [{"requests": 1}], "keys": 5, "answer_tokens": 7, "price_micros": 9},
        "middleware.retry": {"attempts": 2, "max_retry_after": "9s", "total": "9s", "backoff": {"base": "2s"}},
        "middleware.breaker": {"preset": "rate", "failures": 9, "failure_rate": 0.9, "slow_rate": 0.9, "slow": "9s",
            "volume": 9, "window_calls": 99, "window": "9s", "open": "9s", "open_max": "99s", "growth": 9.0,
            "jitter": 0.9, "probes": 9, "success_rate": 0.9, "half_open": "9s"},
        "middleware.concurrency_limit": {"limit": 9, "queue": 9, "wait": "9s"},
        "middleware.adaptive_limit": {"min": 9, "max": 99, "initial": 9, "queue": 9, "wait": "9s", "window": "9s",
            "samples": 9, "tolerance": 9.0, "backoff": 0.5},
        "middleware.timeout": {"connect": "9s", "first_chunk": "9s", "idle": "9s", "total": "9s"},
        "providers.p.limit": {"concurrency": 9, "queue": 9, "wait": "9s", "adaptive": {}, "requests": 9, "tokens": 9,
            "money_micros": 9, "window": "9s", "mode": "smooth", "burst": 9},
    })
}

/// What is read when `set` stands at `path`, whatever is wrong with it: each setting alone need not make sense.
fn debug(path: &str, set: Value) -> String {
    let (section, name) = path.rsplit_once('.').unwrap();
    let mut tree = json!({"pipeline": {"middleware": MIDDLEWARE}, "middleware": {"timeout": {"total": "1s"}},
        "providers": {"p": {"type": "simulator"}}});
    if section == "middleware" {
        tree["middleware"][name] = set;
    } else {
        tree["providers"]["p"]["guard"] = json!(["limit"]);
        tree["providers"]["p"][name] = set;
    }
    format!("{:?}", read(tree))
}

#[test]
fn every_setting_of_a_guard_makes_a_difference() {
    for (path, all) in settings().as_object().unwrap() {
        let all = all.as_object().unwrap();
        let mut names = known(path, path, &json!({"no such setting": 1}));
        names.remove("output");
        names.remove("budget");
        for name in &names {
            assert!(all.contains_key(name), "{path}.{name} is not in this test");
        }
        for (name, value) in all {
            let base = if path == "providers.p.limit" {
                json!({"requests": 1, "concurrency": 1})
            } else {
                json!({})
            };
            let mut set = base.clone();
            set[name] = value.clone();
            assert_ne!(debug(path, set), debug(path, base), "{path}.{name} makes no difference");
        }
    }
}

#[test]
fn an_order_that_can_only_be_a_mistake_is_refused_and_others_are_warned_of() {
    let order =
        |names: Value| json!({"pipeline": {"middleware": names}, "providers": {"s": {"type": "simulator"}}});
    assert_eq!(read(order(json!(["retry", "validate"]))).unwrap_err(), ["pipeline.middleware"]);
    assert_eq!(read(order(json!(["hedge", "trace", "validate"]))).unwrap_err(), ["pipeline.middleware"]);
    assert_eq!(
        read(order(json!(MIDDLEWARE)).clone()).unwrap_err(),
        ["middleware.timeout"],
        "for its settings"
    );
    let warned = |tree: Value| {
        let warnings = read(tree).unwrap().warnings();
        warnings.into_iter().map(|warning| warning.path).collect::<Vec<_>>()
    };
    assert_eq!(warned(order(json!(["validate", "breaker", "retry"]))), ["pipeline.middleware"]);
    let provider = |guard: Value| json!({"providers": {"s": {"type": "simulator", "guard": guard, "limit": {"concurrency": 1}}}});
    assert_eq!(warned(provider(json!(["limit", "breaker"]))), ["providers.s.guard"]);
    assert!(warned(provider(json!(["retry", "hedge", "breaker", "limit"]))).is_empty());
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let tree = |per: &str, header: Value| {
        json!({"server": {"tenant_header": header}, "pipeline": {"middleware": ["rate_limit"]},
            "middleware": {"rate_limit": {"limits": [{"requests": 1, "per": per}]}},
            "providers": {"s": {"type": "simulator"}}})
    };
    let warned = |per: &str, header: Value| read(tree(per, header)).unwrap().warnings().len();
    assert_eq!(warned("tenant", Value::Null), 1);
    assert_eq!(warned("tenant_model", Value::Null), 1);
    assert_eq!(warned("global", Value::Null), 0);
    assert_eq!(warned("tenant", "x-team".into()), 0);
}

#[test]
fn the_defaults_are_what_the_document_says() {
    let with = |mut tree: Value| {
        tree["providers"] = json!({"p": {"type": "simulator"}});
        format!("{:#?}", read(tree).unwrap())
    };
    for name in ["rate_limit", "retry", "hedge", "breaker", "concurrency_limit", "adaptive_limit"] {
        let listed =
            |settings: Value| with(json!({"pipeline": {"middleware": [name]}, "middleware": settings}));
        let said = defaults(&format!("`[middleware.{name}]`"));
        assert_eq!(listed(json!({name: said})), listed(json!({})), "{name}");
    }
    let retry =
        |settings: Value| with(json!({"pipeline": {"middleware": ["retry"]}, "middleware": settings}));
    assert_eq!(retry(json!({"retry": {"backoff": defaults("`backoff`")}})), retry(json!({})));
    let limits = |settings: Value| {
        let settings = json!({"rate_limit": {"limits": [settings]}});
        with(json!({"pipeline": {"middleware": ["rate_limit"]}, "middleware": settings}))
    };
    let mut said = defaults("`limits`");
    said.insert("requests".to_owned(), 1.into());
    assert_eq!(limits(said.into()), limits(json!({"requests": 1})));
    let budget = |pipeline: Value| {
        let tree = json!({"pipeline": pipeline, "providers": {"p": {"type": "simulator"}}});
        read(tree).unwrap().pipeline.retry_budget
    };
    let said = json!({"middleware": ["retry"], "retry_budget": defaults("`retry_budget`")});
    assert_eq!(budget(said), budget(json!({"middleware": ["retry"]})));
}
