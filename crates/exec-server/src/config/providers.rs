//! `[providers.NAME]`: where calls run, and what chooses among them. They share one table because they are the same thing.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use exec_middleware::TimeoutConfig;
use exec_providers::ModelMap;
use exec_providers::http::{Http2, TransportConfig, TransportError};
use exec_providers::simulator::SimulatorConfig;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Problem;
use super::read::Reader;

/// One provider.
#[derive(Debug)]
pub enum ProviderConfig {
    /// Anything that speaks the OpenAI format.
    OpenAi(OpenAiConfig),
    /// Anything that speaks the Anthropic format.
    Anthropic(AnthropicConfig),
    /// The one that is always there.
    Simulator(Box<SimulatorConfig>),
    /// Others, in order.
    Fallback(Box<FallbackConfig>),
}

/// Where OpenAI and Anthropic answer.
pub(super) const OPENAI_URL: &str = "https://api.openai.com/v1";
pub(super) const ANTHROPIC_URL: &str = "https://api.anthropic.com";

const TYPES: &str = "openai, anthropic, simulator, fallback";

/// `type = "openai"`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OpenAiConfig {
    /// As the OpenAI SDKs take it, with `/v1`.
    pub base_url: Option<String>,
    /// Sent as a bearer token.
    pub api_key: Option<SecretString>,
    /// The organization that is billed.
    pub organization: Option<String>,
    /// The project that is billed.
    pub project: Option<String>,
    /// Send `max_completion_tokens` instead of `max_tokens`, which newer models of OpenAI want.
    pub max_completion_tokens: bool,
    /// Whether it goes on from a turn of the assistant at the end of a conversation.
    pub prefill: bool,
    /// The callers' names for models and the provider's.
    pub models: ModelMap,
    /// Asked for when the caller names no model.
    pub default_model: Option<String>,
    /// How many tokens of a prompt its models can read.
    pub context_window: Option<NonZeroU64>,
    /// The limits of each try.
    pub timeout: TimeoutConfig,
    /// The limits of the connections.
    pub transport: TransportLimits,
}

/// `type = "anthropic"`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnthropicConfig {
    /// As the Anthropic SDKs take it, without `/v1`.
    pub base_url: Option<String>,
    /// Sent as `x-api-key`.
    pub api_key: Option<SecretString>,
    /// Sent when the caller sets no limit, because the format wants one.
    pub max_tokens: Option<u64>,
    /// Whether its models go on from a turn of the assistant; they do unless said otherwise.
    pub prefill: Option<bool>,
    /// The callers' names for models and the provider's.
    pub models: ModelMap,
    /// Asked for when the caller names no model.
    pub default_model: Option<String>,
    /// How many tokens of a prompt its models can read.
    pub context_window: Option<NonZeroU64>,
    /// The limits of each try.
    pub timeout: TimeoutConfig,
    /// The limits of the connections.
    pub transport: TransportLimits,
}

/// `transport = { … }` of a provider that is reached over HTTP.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransportLimits {
    /// The most connections to it.
    pub max_connections: Option<usize>,
    /// The most calls that wait for a connection.
    pub max_waiting: Option<usize>,
    /// When HTTP/2 is spoken.
    pub http2: Http2,
    /// Certificate authorities to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// The limits of each try at a provider that is reached over HTTP, where its own are not set. Without any, a provider
/// that is silent would be waited for as long as the execution may take.
pub(crate) fn with_defaults(limits: TimeoutConfig) -> TimeoutConfig {
    let or = |limit: Option<Duration>, seconds| limit.or(Some(Duration::from_secs(seconds)));
    TimeoutConfig {
        connect: or(limits.connect, 5),
        first_chunk: or(limits.first_chunk, 120),
        idle: or(limits.idle, 120),
        total: limits.total,
    }
}

impl OpenAiConfig {
    /// Where it is reached.
    pub(crate) fn transport(&self) -> TransportConfig {
        self.transport.at(self.base_url.as_deref().unwrap_or(OPENAI_URL))
    }
}

impl AnthropicConfig {
    /// Where it is reached.
    pub(crate) fn transport(&self) -> TransportConfig {
        self.transport.at(self.base_url.as_deref().unwrap_or(ANTHROPIC_URL))
    }
}

impl TransportLimits {
    fn at(&self, base_url: &str) -> TransportConfig {
        let mut transport = TransportConfig::new(base_url);
        transport.max_connections = self.max_connections.unwrap_or(transport.max_connections);
        transport.max_waiting = self.max_waiting.unwrap_or(transport.max_waiting);
        transport.http2 = self.http2;
        transport.ca_file.clone_from(&self.ca_file);
        transport
    }
}

/// `type = "fallback"`.
#[derive(Debug, Default)]
pub struct FallbackConfig {
    /// The names of its members, the preferred one first.
    pub members: Vec<String>,
    /// How they are asked.
    pub rules: exec_providers::FallbackConfig,
}

pub(super) fn read(table: Map<String, Value>, reader: &mut Reader) -> BTreeMap<String, ProviderConfig> {
    let mut providers = BTreeMap::new();
    for (name, value) in table {
        let path = format!("providers.{name}");
        if !is_name(&name) {
            reader.problem(&path, "a name is made of letters, digits, `-` and `_`");
        }
        if let Some(provider) = provider(value, &path, reader) {
            providers.insert(name, provider);
        }
    }
    providers
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn provider(value: Value, path: &str, reader: &mut Reader) -> Option<ProviderConfig> {
    let Value::Object(mut table) = value else {
        reader.problem(path, "must be a table with a `type`");
        return None;
    };
    let Some(Value::String(kind)) = table.remove("type") else {
        reader.problem(format!("{path}.type"), format!("say what it is: {TYPES}"));
        return None;
    };
    Some(match kind.as_str() {
        "openai" => ProviderConfig::OpenAi(rest(table, path, reader)),
        "anthropic" => ProviderConfig::Anthropic(rest(table, path, reader)),
        "fallback" => {
            let members = table.remove("members").unwrap_or_else(|| Value::Array(Vec::new()));
            let members = reader.value(members, &format!("{path}.members"));
            ProviderConfig::Fallback(Box::new(FallbackConfig { members, rules: rest(table, path, reader) }))
        }
        "simulator" => ProviderConfig::Simulator(Box::new(rest(table, path, reader))),
        unknown => {
            reader
                .problem(format!("{path}.type"), format!("there is no type `{unknown}`; there are: {TYPES}"));
            return None;
        }
    })
}

fn rest<T: DeserializeOwned + Default>(table: Map<String, Value>, path: &str, reader: &mut Reader) -> T {
    reader.value(Value::Object(table), path)
}

/// What only all of them together show.
pub(super) fn check(providers: &BTreeMap<String, ProviderConfig>, reader: &mut Reader) {
    for (name, provider) in providers {
        let path = format!("providers.{name}");
        match provider {
            ProviderConfig::OpenAi(config) => {
                check_remote(&config.transport(), &config.models, &config.timeout, &path, reader);
                check_key(config.api_key.as_ref(), &path, reader);
            }
            ProviderConfig::Anthropic(config) => {
                check_remote(&config.transport(), &config.models, &config.timeout, &path, reader);
                check_key(config.api_key.as_ref(), &path, reader);
            }
            ProviderConfig::Simulator(config) => {
                reader.fields(&path, config.validate().err().unwrap_or_default());
            }
            ProviderConfig::Fallback(config) => check_members(name, config, providers, reader),
        }
    }
}

fn check_remote(
    transport: &TransportConfig,
    models: &ModelMap,
    limits: &TimeoutConfig,
    path: &str,
    reader: &mut Reader,
) {
    reader.fields(&format!("{path}.timeout"), limits.problems());
    if let Some(problem) = models.problem() {
        reader.problem(format!("{path}.models"), problem);
    }
    if let Err(error) = transport.validate() {
        let Problem { path: at, message } = transport_problem(&error);
        reader.problem(format!("{path}.{at}"), message);
    }
}

/// A key with a line break at its end is the commonest mistake, and cannot be sent.
fn check_key(key: Option<&SecretString>, path: &str, reader: &mut Reader) {
    if key.is_some_and(|key| !key.expose_secret().bytes().all(|byte| byte.is_ascii_graphic())) {
        reader.problem(
            format!("{path}.api_key"),
            "holds a space, a line break or another byte that no key has",
        );
    }
}

/// What a transport that cannot be built means for the settings of its provider.
pub(crate) fn transport_problem(error: &TransportError) -> Problem {
    match error {
        TransportError::Config { field: "base_url", problem } => Problem::new("base_url", *problem),
        TransportError::Config { field, problem } => Problem::new(format!("transport.{field}"), *problem),
        other => Problem::new("transport", other.to_string()),
    }
}

fn check_members(
    name: &str,
    config: &FallbackConfig,
    providers: &BTreeMap<String, ProviderConfig>,
    reader: &mut Reader,
) {
    let path = format!("providers.{name}.members");
    for field in config.rules.validate(config.members.len()).err().unwrap_or_default() {
        reader.problem(format!("providers.{name}.{}", field.path), field.message);
    }
    for (i, member) in config.members.iter().enumerate() {
        if !providers.contains_key(member) {
            reader.problem(format!("{path}[{i}]"), format!("there is no provider `{member}`"));
        } else if config.members[..i].contains(member) {
            reader.problem(format!("{path}[{i}]"), format!("`{member}` is there already"));
        } else if leads_to(member, name, providers) {
            reader.problem(format!("{path}[{i}]"), format!("`{member}` leads back to `{name}`"));
        }
    }
}

/// Whether `goal` is reached from `start` through members.
fn leads_to(start: &str, goal: &str, providers: &BTreeMap<String, ProviderConfig>) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(name) = open.pop() {
        if name == goal {
            return true;
        }
        if let (true, Some(ProviderConfig::Fallback(config))) = (seen.insert(name), providers.get(name)) {
            open.extend(config.members.iter().map(String::as_str));
        }
    }
    false
}
