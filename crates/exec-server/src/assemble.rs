//! From configuration to objects: the only place where they are wired.

use std::collections::BTreeMap;
use std::sync::Arc;

use exec_core::{Pipeline, Provider};
use exec_middleware::{CatchPanic, Timeout, TimeoutConfig, Trace, Validate};
use exec_providers::anthropic::Anthropic;
use exec_providers::http::TransportConfig;
use exec_providers::openai::OpenAi;
use exec_providers::simulator::Simulator;
use exec_providers::{Endpoint, Fallback, Guarded, ModelMap};

use crate::config::{
    AnthropicConfig, Config, ConfigError, Guard, OpenAiConfig, PipelineConfig, Problem, ProviderConfig,
    transport_problem, with_defaults,
};
use crate::engine::{Engine, Providers};

/// Builds the engine that `config` describes. Opens no connection.
///
/// # Errors
/// Everything that only shows when it is built: an address that is none, a certificate that cannot be read.
pub fn engine(config: &Config) -> Result<Engine, ConfigError> {
    let mut building = Building { config: &config.providers, built: Providers::new(), problems: Vec::new() };
    for name in config.providers.keys() {
        building.provider(name);
    }
    let Building { built, problems, .. } = building;
    if !problems.is_empty() {
        return Err(ConfigError(problems));
    }
    let default = config.default_provider().unwrap_or_default().into();
    Ok(Engine::new(built, default, |pipeline| guarded(pipeline, &config.pipeline)))
}

fn guarded(pipeline: Pipeline, config: &PipelineConfig) -> Pipeline {
    config.guards.iter().fold(pipeline, |pipeline, guard| match guard {
        Guard::Trace => pipeline.with(Trace),
        Guard::CatchPanic => pipeline.with(CatchPanic),
        Guard::Validate => pipeline.with(Validate::default()),
        Guard::Timeout(limits) => pipeline.with(Timeout::new(*limits)),
    })
}

/// Providers on their way: a fallback needs its members, which may be fallbacks. That they do not go round in circles
/// was checked with the configuration.
struct Building<'a> {
    config: &'a BTreeMap<String, ProviderConfig>,
    built: Providers,
    problems: Vec<Problem>,
}

impl Building<'_> {
    fn provider(&mut self, name: &str) -> Option<Arc<dyn Provider>> {
        if let Some(provider) = self.built.get(name) {
            return Some(provider.clone());
        }
        let made = match self.config.get(name)? {
            ProviderConfig::OpenAi(config) => openai(name, config),
            ProviderConfig::Anthropic(config) => anthropic(name, config),
            ProviderConfig::Simulator(config, limits) => Simulator::new(name, (**config).clone())
                .map(|simulator| Guarded::timed(Arc::new(simulator), *limits))
                .map_err(|fields| fields.into_iter().map(|f| Problem::new(f.path, f.message)).collect()),
            ProviderConfig::Fallback(config) => {
                let members = config.members.iter().filter_map(|member| self.provider(member)).collect();
                Fallback::new(name, members, config.rules.clone())
                    .map(|fallback| Arc::new(fallback) as Arc<dyn Provider>)
                    .map_err(|fields| fields.into_iter().map(|f| Problem::new(f.path, f.message)).collect())
            }
        };
        match made {
            Ok(provider) => {
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
    let limits = with_defaults(config.timeout);
    let endpoint = endpoint(config.transport(), limits, &config.models, config.default_model.as_deref());
    let provider = format.connect(name, endpoint).map_err(|error| vec![transport_problem(&error)])?;
    Ok(Guarded::timed(provider, limits))
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
    let limits = with_defaults(config.timeout);
    let endpoint = endpoint(config.transport(), limits, &config.models, config.default_model.as_deref());
    let provider = format.connect(name, endpoint).map_err(|error| vec![transport_problem(&error)])?;
    Ok(Guarded::timed(provider, limits))
}

fn endpoint(
    mut transport: TransportConfig,
    limits: TimeoutConfig,
    models: &ModelMap,
    default_model: Option<&str>,
) -> Endpoint {
    transport.connect = limits.connect.unwrap_or(transport.connect);
    Endpoint { transport, models: models.clone(), default_model: default_model.map(Into::into) }
}
