//! What may be asked for, as data.

use std::collections::BTreeMap;
use std::time::Duration;

use exec_core::{FieldError, Money};
use serde::{Deserialize, Serialize};

use super::charge::Unit;
use super::meter::{Mode, Rule};

/// A window may be so long.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The settings of a [`RateLimit`](crate::RateLimit). Default: 60 requests in 60 s for each tenant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitConfig {
    /// All of them must allow a call, or none is charged.
    pub limits: Vec<Limit>,
    /// The most keys that are remembered, for each kind of key. Keys in use are never forgotten: a new one that finds no
    /// room is refused. Default 100 000.
    pub keys: usize,
    /// The tokens an answer is taken to have if the request does not bound them. Default 1024.
    pub answer_tokens: u64,
    /// What a million tokens are taken to cost, in millionths of a dollar, until the answer says. Default 0: money is
    /// then charged only when it is spent.
    pub price_micros: Money,
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        let limit = Limit { requests: Some(60), ..Limit::default() };
        Self { limits: vec![limit], keys: 100_000, answer_tokens: 1024, price_micros: Money::ZERO }
    }
}

/// So much in a time, for everybody who shares a key. At least one of requests, tokens and money.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limit {
    /// Calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Tokens of prompts and answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Money, in millionths of a dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money_micros: Option<Money>,
    /// In which time. Default 60 s, at most 366 days.
    #[serde(with = "exec_core::duration")]
    pub window: Duration,
    /// Who shares it. Default: the callers of one tenant.
    pub per: Per,
    /// How it is counted. Default exact.
    pub mode: Mode,
    /// With `mode = "smooth"`: so much at once. Default: as much as in a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            requests: None,
            tokens: None,
            money_micros: None,
            window: Duration::from_secs(60),
            per: Per::Tenant,
            mode: Mode::Exact,
            burst: None,
        }
    }
}

/// Who shares a limit. Calls without a tenant, model or provider share one of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Everybody.
    Global,
    /// The callers of one tenant.
    #[default]
    Tenant,
    /// Those who ask for one model, by the caller's name for it.
    Model,
    /// Those who name one provider.
    Provider,
    /// The callers of one tenant who ask for one model.
    TenantModel,
}

impl Per {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Global => "everybody together",
            Self::Tenant => "this tenant",
            Self::Model => "this model",
            Self::Provider => "this provider",
            Self::TenantModel => "this tenant and model",
        }
    }
}

/// What holds, by who shares it.
type Rules = BTreeMap<Per, Vec<(Unit, Rule)>>;

/// The rules of `config`, or everything that is wrong.
pub(super) fn rules(config: &RateLimitConfig) -> Result<Rules, Vec<FieldError>> {
    let errors = config.problems();
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut rules = Rules::new();
    for limit in &config.limits {
        rules.entry(limit.per).or_default().extend(limit.rules());
    }
    Ok(rules)
}

impl RateLimitConfig {
    /// Everything that is wrong with the settings; nothing when a limiter can be made of them.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if self.keys == 0 {
            errors.push(FieldError::new("keys", "out_of_range", "must be at least 1"));
        }
        if self.limits.is_empty() {
            let text = "name at least one limit, or leave the guard out";
            errors.push(FieldError::new("limits", "required", text));
        }
        for (i, limit) in self.limits.iter().enumerate() {
            limit.check(&mut |field: &str, text: &str| {
                errors.push(FieldError::new(format!("limits[{i}].{field}"), "out_of_range", text));
            });
        }
        errors
    }
}

impl Limit {
    fn amounts(&self) -> impl Iterator<Item = (Unit, &'static str, u64)> {
        let money = self.money_micros.map(Money::as_micros);
        [
            (Unit::Requests, "requests", self.requests),
            (Unit::Tokens, "tokens", self.tokens),
            (Unit::Money, "money_micros", money),
        ]
        .into_iter()
        .filter_map(|(unit, name, amount)| Some((unit, name, amount?)))
    }

    fn check(&self, wrong: &mut impl FnMut(&str, &str)) {
        for (_, name, _) in self.amounts().filter(|(.., amount)| *amount == 0) {
            wrong(name, "must be at least 1");
        }
        if self.amounts().next().is_none() {
            wrong("requests", "give requests, tokens or money_micros");
        }
        if self.window.is_zero() || self.window > LONGEST {
            wrong("window", "must be longer than 0s and at most 366 days");
        }
        match self.burst {
            Some(_) if self.mode == Mode::Exact => wrong("burst", "has no effect with mode = \"exact\""),
            Some(_) if self.amounts().count() > 1 => wrong("burst", "give each amount a limit of its own"),
            Some(0) => wrong("burst", "must be at least 1"),
            _ => {}
        }
    }

    fn rules(&self) -> impl Iterator<Item = (Unit, Rule)> {
        let window = u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX);
        self.amounts().map(move |(unit, _, limit)| {
            (unit, Rule { limit, window, mode: self.mode, burst: self.burst.unwrap_or(limit) })
        })
    }
}
