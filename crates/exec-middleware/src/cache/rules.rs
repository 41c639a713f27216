//! What may be kept, for how long and for whom.

use std::sync::Arc;
use std::time::Duration;

use exec_core::{
    CachePolicy, Catalogue, Chat, Context, Effect, Operation, OperationSpec, Request, Role, Scope,
};

use super::config::{CacheConfig, LONGEST};
use super::key::tenant;
use super::marks::{Subject, Target};

/// Above this a conversation is meant to be inventive.
const CREATIVE: f64 = 0.8;
/// The word in a system message that asks for what does not change.
const FACTUAL: &str = "factual";
/// The member of the metadata by which a caller says that it asks the same often.
const REPEATED: &str = "isRepeated";

/// What a cache does with a call.
#[derive(Debug, PartialEq)]
pub(super) enum Plan {
    /// Look for it, keep it.
    Read(Rule),
    /// Let it pass, and make wrong what it makes wrong.
    Write(Vec<Target>),
    /// Let it pass.
    Pass,
}

/// How an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) scope: Scope,
    /// Before the circumstances of the call are looked at.
    pub(super) base: Duration,
}

pub(super) type Tagger = dyn Fn(&Request, &Context) -> Vec<Arc<str>> + Send + Sync;

/// Decides from the settings and the catalogue.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) config: CacheConfig,
    pub(super) catalogue: Option<Arc<Catalogue>>,
    pub(super) tagger: Option<Arc<Tagger>>,
}

impl Rules {
    pub(super) fn plan(&self, request: &Request, context: &Context) -> Plan {
        let rule = match self.spec(&request.operation) {
            Some(spec) if spec.effect == Effect::Write => {
                return Plan::Write(self.wrong_after(spec, context));
            }
            Some(spec) => spec.ttl.map(|base| Rule { scope: spec.scope, base }),
            None => self.unknown(&request.operation),
        };
        match rule {
            Some(rule) if request.options.cache != CachePolicy::Off && self.may_keep(request, rule) => {
                Plan::Read(rule)
            }
            _ => Plan::Pass,
        }
    }

    /// How long the answer is good: the time of its operation, and for a conversation the factors of its circumstances,
    /// multiplied.
    pub(super) fn ttl(&self, request: &Request, rule: Rule) -> Duration {
        let mut factor = 1.0;
        if rule.scope == Scope::Tenant && is_repeated(request) {
            factor *= self.config.repeated_factor;
        }
        if let Some(chat) = chat(request) {
            if chat.sampling.temperature.is_some_and(|t| t > CREATIVE) {
                factor *= self.config.creative_factor;
            }
            if is_factual(chat) {
                factor *= self.config.factual_factor;
            }
        }
        let seconds = rule.base.as_secs_f64() * factor;
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
    }

    pub(super) fn subject(&self, request: &Request, context: &Context, rule: Rule) -> Subject {
        Subject {
            tenant: tenant(context, rule.scope),
            operation: request.operation.clone(),
            model: request.model.clone(),
            tags: self.tagger.as_ref().map(|tags| tags(request, context)).unwrap_or_default(),
        }
    }

    /// How long after its time an answer may be of use.
    pub(super) fn grace(&self) -> Duration {
        self.config.stale_while_revalidate.max(self.config.stale_if_error)
    }

    fn spec(&self, operation: &Operation) -> Option<&OperationSpec> {
        self.catalogue.as_ref()?.get(operation.as_str())
    }

    fn unknown(&self, operation: &Operation) -> Option<Rule> {
        let known = self.config.operations.contains(operation);
        known.then_some(Rule { scope: self.config.scope, base: self.config.ttl })
    }

    /// No time at all means never.
    fn may_keep(&self, request: &Request, rule: Rule) -> bool {
        let inventive =
            |chat: &Chat| chat.sampling.temperature.is_some_and(|t| t > self.config.max_temperature);
        !rule.base.is_zero() && !chat(request).is_some_and(inventive)
    }

    /// What a write makes wrong: its operations' answers of the tenant, and where everybody shares them, everybody's.
    fn wrong_after(&self, spec: &OperationSpec, context: &Context) -> Vec<Target> {
        let target = |operation: &Operation| {
            let scope = self.spec(operation).map_or(self.config.scope, |spec| spec.scope);
            let target = Target::operation(operation.clone());
            match tenant(context, scope) {
                Some(tenant) => target.of_tenant(tenant),
                None => target,
            }
        };
        spec.invalidates.iter().map(target).collect()
    }
}

fn chat(request: &Request) -> Option<&Chat> {
    if request.operation == Operation::CHAT { request.input.chat().ok() } else { None }
}

fn is_factual(chat: &Chat) -> bool {
    let of_system = |role| matches!(role, Role::System | Role::Developer);
    chat.messages.iter().any(|message| of_system(message.role) && message.text().contains(FACTUAL))
}

fn is_repeated(request: &Request) -> bool {
    let Some(metadata) = &request.options.metadata else { return false };
    if !metadata.get().contains(REPEATED) {
        return false;
    }
    match metadata.to_value().get(REPEATED) {
        None | Some(serde_json::Value::Null) => false,
        Some(serde_json::Value::Bool(flag)) => *flag,
        Some(serde_json::Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(serde_json::Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    }
}
