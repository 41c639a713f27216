//! From configuration to objects: the only place where they are wired.

mod guards;

use std::num::NonZeroU64;
use std::sync::Arc;

use exec_core::Provider;
use exec_middleware::TimeoutConfig;
use exec_providers::anthropic::Anthropic;
use exec_providers::http::{TransportConfig, TransportError};
use exec_providers::openai::OpenAi;
use exec_providers::simulator::Simulator;
use exec_providers::{Endpoint, Fallback};

use self::guards::Workshop;
use crate::config::{
    AnthropicConfig, Config, ConfigError, FallbackConfig, OpenAiConfig, Problem, ProviderConfig,
    transport_problem, with_defaults,
};
use crate::engine::{Engine, Providers};
use crate::status::{Member, Watch, Watches};

/// Builds the engine that `config` describes. Opens no connection.
///
/// # Errors
/// Everything that only shows when it is built: an address that is none, a certificate that cannot be read.
pub fn engine(config: &Config) -> Result<Engine, ConfigError> {
    let workshop = Workshop::new(&config.pipeline)?;
    let (built, watches) = (Providers::new(), Watches::default());
    let mut building = Building { config, workshop: &workshop, built, watches, problems: Vec::new() };
    for name in config.providers.keys() {
        building.provider(name);
    }
    let Building { built, mut watches, problems, .. } = building;
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    watches.retries = config.retries().then(|| workshop.retries().clone());
    let default = config.default_provider().unwrap_or_default().into();
    let engine = Engine::new(built, default, |pipeline| {
        workshop.around(pipeline, &config.pipeline.guards, "pipeline", &mut watches.pipeline)
    })?;
    Ok(engine.with_watches(watches))
}

/// Providers on their way: a fallback needs its members, which may be fallbacks. That they do not go round in circles
/// was checked with the configuration.
struct Building<'a> {
    config: &'a Config,
    workshop: &'a Workshop,
    built: Providers,
    watches: Watches,
    problems: Vec<Problem>,
}

impl Building<'_> {
    fn provider(&mut self, name: &str) -> Option<Arc<dyn Provider>> {
        if let Some(provider) = self.built.get(name) {
            return Some(provider.clone());
        }
        let mut watch = Watch::default();
        let made = match self.config.providers.get(name)? {
            ProviderConfig::OpenAi(config) => openai(name, config),
            ProviderConfig::Anthropic(config) => anthropic(name, config),
            ProviderConfig::Simulator(config) => Simulator::new(name, (**config).clone())
                .map(|simulator| Arc::new(simulator) as Arc<dyn Provider>)
                .map_err(|fields| fields.into_iter().map(|f| Problem::new(f.path, f.message)).collect()),
            ProviderConfig::Fallback(config) => {
                let members: Vec<_> =
                    config.members.iter().filter_map(|member| self.provider(member)).collect();
                Fallback::new(name, members, config.rules.clone())
                    .and_then(|fallback| fallback.sharing(self.workshop.retries(), self.workshop.seed(name)))
                    .map(|fallback| {
                        watch.members = members_of(config, &fallback);
                        Arc::new(fallback) as Arc<dyn Provider>
                    })
                    .map_err(|fields| fields.into_iter().map(|f| Problem::new(f.path, f.message)).collect())
            }
        };
        let guards = self.config.guards.get(name).map_or(&[][..], Vec::as_slice);
        let guard = |provider| self.workshop.guarded(provider, guards, &mut watch).map_err(|error| error.0);
        match made.and_then(guard) {
            Ok(provider) => {
                self.watches.providers.insert(name.into(), watch);
                self.built.insert(name.into(), provider.clone());
                Some(provider)
            }
            Err(problems) => {
                let at = |p: Problem| Problem::new(format!("providers.{name}.{}", p.path), p.message);
                self.problems.extend(problems.into_iter().map(at));
                None
            }
        }
    }
}

/// The members by name, each with the breaker that the fallback has for it.
fn members_of(config: &FallbackConfig, fallback: &Fallback) -> Vec<Member> {
    let mut breakers = fallback.breakers().cloned();
    let member = |name: &String| Member { name: name.as_str().into(), breaker: breakers.next() };
    config.members.iter().map(member).collect()
}

type Made = Result<Arc<dyn Provider>, Vec<Problem>>;

fn openai(name: &str, config: &OpenAiConfig) -> Made {
    let mut format = OpenAi::new(config.api_key.clone())
        .with_max_completion_tokens(config.max_completion_tokens)
        .with_prefill(config.prefill);
    if let Some(organization) = &config.organization {
        format = format.with_organization(organization);
    }
    if let Some(project) = &config.project {
        format = format.with_project(project);
    }
    let endpoint = Endpoint {
        transport: transport(config.transport(), config.timeout),
        models: config.models.clone(),
        default_model: config.default_model.as_deref().map(Into::into),
        context_window: config.context_window.map(NonZeroU64::get),
    };
    connected(format.connect(name, endpoint))
}

fn anthropic(name: &str, config: &AnthropicConfig) -> Made {
    let mut format = Anthropic::new();
    if let Some(key) = &config.api_key {
        format = format.with_key(key.clone());
    }
    if let Some(prefill) = config.prefill {
        format = format.with_prefill(prefill);
    }
    if let Some(max_tokens) = config.max_tokens {
        format = format.with_default_max_tokens(max_tokens);
    }
    let endpoint = Endpoint {
        transport: transport(config.transport(), config.timeout),
        models: config.models.clone(),
        default_model: config.default_model.as_deref().map(Into::into),
        context_window: config.context_window.map(NonZeroU64::get),
    };
    connected(format.connect(name, endpoint))
}

fn connected(made: Result<Arc<dyn Provider>, TransportError>) -> Made {
    made.map_err(|error| vec![transport_problem(&error)])
}

/// How it is reached: opening a connection may take as long as the limits of a try say.
fn transport(mut transport: TransportConfig, limits: TimeoutConfig) -> TransportConfig {
    transport.connect = with_defaults(limits).connect.unwrap_or(transport.connect);
    transport
}
