//! `guard = […]` of a provider: what each try at it passes, outermost first, with the settings beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use exec_core::{FieldError, Money};
use exec_middleware::{AdaptiveConfig, ConcurrencyConfig, Limit, Mode, Per, RateLimitConfig, TimeoutConfig};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::guards::{Guard, NO_LIMIT};
use super::providers::with_defaults;
use super::read::Reader;

/// The guards a provider can have, in the order that works.
const KNOWN: [&str; 5] = ["retry", "hedge", "breaker", "limit", "timeout"];

/// Takes the guards out of the tables of the providers, so that each provider's own settings are left.
pub(super) fn take(providers: &mut Map<String, Value>, reader: &mut Reader) -> BTreeMap<String, Vec<Guard>> {
    let tables = providers.iter_mut().filter_map(|(name, table)| Some((name, table.as_object_mut()?)));
    tables.map(|(name, table)| (name.clone(), of(table, &format!("providers.{name}"), reader))).collect()
}

fn of(table: &mut Map<String, Value>, path: &str, reader: &mut Reader) -> Vec<Guard> {
    let kind = table.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let names: Vec<String> = match table.remove("guard") {
        Some(names) => reader.value(names, &format!("{path}.guard")),
        None => Vec::new(),
    };
    let limits = timeout(table, &kind, path, names.iter().any(|name| name == "timeout"), reader);
    let mut guards = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let at = format!("{path}.guard[{i}]");
        if names[..i].contains(name) {
            reader.problem(at, format!("`{name}` is there already"));
            continue;
        }
        match name.as_str() {
            "retry" | "hedge" | "breaker" => guards.extend(Guard::read(name, table, path, reader)),
            "limit" => guards.extend(limit(table.remove("limit"), &format!("{path}.limit"), reader)),
            "timeout" => guards.push(Guard::Timeout(limits)),
            _ => {
                reader.problem(at, format!("there is no guard `{name}`; there are: {}", KNOWN.join(", ")));
            }
        }
    }
    // The limits of a try hold whether their place is named or not.
    if limits != TimeoutConfig::default() && !names.iter().any(|name| name == "timeout") {
        guards.push(Guard::Timeout(limits));
    }
    unused(table, &kind, path, reader);
    guards
}

/// A setting that nobody reads is refused. What a fallback does with its own `retry` and `breaker` is its own affair.
fn unused(table: &mut Map<String, Value>, kind: &str, path: &str, reader: &mut Reader) {
    let own: &[&str] =
        if kind == "fallback" { &["hedge", "limit"] } else { &["retry", "hedge", "breaker", "limit"] };
    for name in own {
        if table.remove(*name).is_some() {
            reader.problem(format!("{path}.{name}"), format!("has no effect: add \"{name}\" to `guard`"));
        }
    }
}

/// The limits of each try. Those of a provider that is reached over HTTP stay in its table, because its transport reads them
/// too, and says everything that is wrong with them.
fn timeout(
    table: &mut Map<String, Value>,
    kind: &str,
    path: &str,
    listed: bool,
    reader: &mut Reader,
) -> TimeoutConfig {
    let at = format!("{path}.timeout");
    if matches!(kind, "openai" | "anthropic") {
        let limits = table.get("timeout").cloned().unwrap_or_else(empty);
        return with_defaults(Reader::default().value(limits, &at));
    }
    let limits: TimeoutConfig = reader.value(table.remove("timeout").unwrap_or_else(empty), &at);
    reader.fields(&at, limits.problems());
    if listed && limits == TimeoutConfig::default() {
        reader.problem(at, NO_LIMIT);
    }
    limits
}

fn empty() -> Value {
    Map::new().into()
}

/// `limit = { … }`: how much at once, and how much in a time.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitSettings {
    /// So many calls at once.
    concurrency: Option<u32>,
    /// So many wait for a place.
    queue: Option<u32>,
    /// So long they wait.
    #[serde(with = "exec_core::duration::option")]
    wait: Option<Duration>,
    /// As many calls at once as it can take.
    adaptive: Option<AdaptiveConfig>,
    /// So many calls in a window.
    requests: Option<u64>,
    /// So many tokens in a window.
    tokens: Option<u64>,
    /// So much money in a window.
    money_micros: Option<Money>,
    /// How long a window is.
    #[serde(with = "exec_core::duration::option")]
    window: Option<Duration>,
    /// How it is counted.
    mode: Option<Mode>,
    /// With `mode = "smooth"`: so much at once.
    burst: Option<u64>,
}

/// The guards that `limit` stands for. How much at once comes first: who finds no place has used nothing of a window.
fn limit(settings: Option<Value>, path: &str, reader: &mut Reader) -> Vec<Guard> {
    let settings: LimitSettings = reader.value(settings.unwrap_or_else(empty), path);
    reader.fields(path, settings.contradictions());
    let mut guards = Vec::new();
    if let Some(config) = settings.concurrency() {
        let found = config.problems().into_iter();
        let named = |e: FieldError| {
            if e.path == "limit" { FieldError { path: "concurrency".into(), ..e } } else { e }
        };
        reader.fields(path, found.map(named).collect());
        guards.push(Guard::ConcurrencyLimit(config));
    }
    if let Some(config) = settings.adaptive {
        reader.fields(&format!("{path}.adaptive"), config.problems());
        guards.push(Guard::AdaptiveLimit(config));
    }
    if let Some(config) = settings.rate() {
        let found = config.problems().into_iter();
        let own = |e: FieldError| FieldError { path: e.path.replace("limits[0].", ""), ..e };
        reader.fields(path, found.map(own).collect());
        guards.push(Guard::RateLimit(config));
    }
    guards
}

impl LimitSettings {
    fn concurrency(&self) -> Option<ConcurrencyConfig> {
        let usual = ConcurrencyConfig::default();
        let (queue, wait) = (self.queue.unwrap_or(usual.queue), self.wait.unwrap_or(usual.wait));
        self.concurrency.map(|limit| ConcurrencyConfig { limit, queue, wait })
    }

    fn counts(&self) -> bool {
        self.requests.is_some() || self.tokens.is_some() || self.money_micros.is_some()
    }

    /// Everybody who asks this provider shares it.
    fn rate(&self) -> Option<RateLimitConfig> {
        let usual = Limit::default();
        let limit = Limit {
            requests: self.requests,
            tokens: self.tokens,
            money_micros: self.money_micros,
            window: self.window.unwrap_or(usual.window),
            per: Per::Global,
            mode: self.mode.unwrap_or(usual.mode),
            burst: self.burst,
        };
        self.counts().then(|| RateLimitConfig { limits: vec![limit], ..RateLimitConfig::default() })
    }

    fn contradictions(&self) -> Vec<FieldError> {
        let mut found = Vec::new();
        let mut when = |wrong: bool, field: &str, text: &str| {
            if wrong {
                found.push(FieldError::new(field, "conflict", text));
            }
        };
        let both = self.concurrency.is_some() && self.adaptive.is_some();
        when(both, "adaptive", "choose one of `concurrency` and `adaptive`");
        for (field, given) in [("queue", self.queue.is_some()), ("wait", self.wait.is_some())] {
            let nobody = given && self.concurrency.is_none();
            when(nobody, field, "has no effect without `concurrency`; `adaptive` has its own");
        }
        for (field, given) in [
            ("window", self.window.is_some()),
            ("mode", self.mode.is_some()),
            ("burst", self.burst.is_some()),
        ] {
            let nothing = given && !self.counts();
            when(nothing, field, "has no effect without `requests`, `tokens` or `money_micros`");
        }
        let nothing = self.concurrency.is_none() && self.adaptive.is_none() && !self.counts();
        when(
            nothing,
            "concurrency",
            "nothing is limited: set concurrency, adaptive, requests, tokens or money_micros",
        );
        found
    }
}
