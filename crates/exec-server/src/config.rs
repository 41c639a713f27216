//! What an operator can set: plain data, read strictly, checked whole.
//!
//! A file is parsed (TOML, YAML or JSON, by its ending), `${VAR}` in its strings is replaced, and every section is read
//! into a struct that knows all its fields. Everything that is wrong is reported at once, each with its path.

mod environment;
mod guards;
mod interpolate;
mod pipeline;
mod provider_guards;
mod providers;
mod read;
mod server;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

pub use self::environment::Environment;
pub(crate) use self::environment::OLLAMA;
pub use self::guards::Guard;
use self::guards::misplaced;
pub use self::pipeline::PipelineConfig;
pub use self::providers::{AnthropicConfig, FallbackConfig, OpenAiConfig, ProviderConfig, TransportLimits};
pub(crate) use self::providers::{transport_problem, with_defaults};
use self::read::Reader;
pub use self::server::{LimitsConfig, ServerConfig};

/// Everything an operator can set.
#[derive(Debug, Default)]
pub struct Config {
    /// The door: address, limits of a connection, draining.
    pub server: ServerConfig,
    /// What a request of the native API may ask for.
    pub limits: LimitsConfig,
    /// Where calls run, by name.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// What each try at a provider passes, outermost first, by the provider's name.
    pub guards: BTreeMap<String, Vec<Guard>>,
    /// What every call passes.
    pub pipeline: PipelineConfig,
}

/// A configuration that cannot be used, with everything that is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct ConfigError(pub Vec<Problem>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `providers.primary.timeout.idle`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect();
    lines.join("\n")
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(path: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let at = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(vec![Problem::new(&at, format!("cannot be read: {error}"))]))?;
        let tree = parse(path, &text).map_err(|message| ConfigError(vec![Problem::new(at, message)]))?;
        Self::from_tree(tree, environment)
    }

    /// The configuration without a file: the simulator, and a real provider for every key the environment holds.
    ///
    /// # Errors
    /// When a variable of the environment holds something that cannot be used.
    pub fn from_environment(environment: &Environment, ollama: bool) -> Result<Self, ConfigError> {
        Self::from_tree(environment::defaults(environment, ollama), environment)
    }

    /// Reads a parsed document.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_tree(mut tree: Value, environment: &Environment) -> Result<Self, ConfigError> {
        let mut reader = Reader::default();
        interpolate::replace(&mut tree, environment, &mut reader);
        let Value::Object(mut sections) = tree else {
            reader.problem("the file", "must be a table of sections: [server], [providers.NAME] …");
            return Err(reader.into_error());
        };
        let mut providers = take_table(&mut sections, "providers", &mut reader);
        let config = Self {
            server: reader.section(&mut sections, "server"),
            limits: reader.section(&mut sections, "limits"),
            guards: provider_guards::take(&mut providers, &mut reader),
            providers: providers::read(providers, &mut reader),
            pipeline: pipeline::read(&mut sections, &mut reader),
        };
        for unknown in sections.keys() {
            reader.problem(
                unknown,
                "is no section: there are server, limits, providers, pipeline and middleware",
            );
        }
        config.check(&mut reader);
        if reader.is_clean() { Ok(config) } else { Err(reader.into_error()) }
    }

    /// What no section can see alone.
    fn check(&self, reader: &mut Reader) {
        self.server.check(reader);
        self.limits.check(reader);
        self.pipeline.check(self.retries(), reader);
        for Problem { path, message } in self.orders().flat_map(|(errors, _)| errors) {
            reader.problem(path, message);
        }
        providers::check(&self.providers, reader);
        match &self.server.default_provider {
            Some(name) if !self.providers.contains_key(name) => {
                let known: Vec<_> = self.providers.keys().map(String::as_str).collect();
                let message = format!("there is no provider `{name}`; there are: {}", known.join(", "));
                reader.problem("server.default_provider", message);
            }
            None if self.providers.len() > 1 => {
                reader.problem("server.default_provider", "name one: there are several providers");
            }
            _ => {}
        }
        if self.providers.is_empty() {
            reader.problem(
                "providers",
                "configure at least one, for example [providers.simulator] type = \"simulator\"",
            );
        }
    }

    /// The guards of the pipeline and those of the providers.
    fn all_guards(&self) -> impl Iterator<Item = &Guard> {
        self.pipeline.guards.iter().chain(self.guards.values().flatten())
    }

    /// What is wrong with the orders of guards: mistakes, and what may be meant.
    fn orders(&self) -> impl Iterator<Item = (Vec<Problem>, Vec<Problem>)> {
        let of = |(name, list): (&String, &Vec<Guard>)| misplaced(list, &format!("providers.{name}.guard"));
        std::iter::once(misplaced(&self.pipeline.guards, "pipeline.middleware"))
            .chain(self.guards.iter().map(of))
    }

    /// Whether any guard makes calls again.
    pub(crate) fn retries(&self) -> bool {
        self.all_guards().any(Guard::is_retry)
    }

    /// What can be used and is probably not what was meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        let mut warnings: Vec<_> = self.orders().flat_map(|(_, warnings)| warnings).collect();
        if self.server.tenant_header.is_none() && self.all_guards().any(Guard::counts_tenants) {
            let message = "all callers are one tenant: set server.tenant_header, or per = \"global\"";
            warnings.push(Problem::new("middleware.rate_limit", message));
        }
        warnings
    }

    /// The provider that is asked when nobody names one.
    #[must_use]
    pub fn default_provider(&self) -> Option<&str> {
        let only = || self.providers.keys().next().map(String::as_str);
        self.server.default_provider.as_deref().or_else(only)
    }
}

fn take_table(sections: &mut Map<String, Value>, name: &str, reader: &mut Reader) -> Map<String, Value> {
    match sections.remove(name) {
        None => Map::new(),
        Some(Value::Object(table)) => table,
        Some(_) => {
            reader.problem(name, "must be a table");
            Map::new()
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<Value, String> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    match ending.as_str() {
        "toml" => toml::from_str(text).map_err(|error| not_toml(text, &error)),
        "yaml" | "yml" => serde_saphyr::from_str(text).map_err(|error| format!("is not YAML: {error}")),
        "json" => serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}")),
        _ => Err("must end in .toml, .yaml, .yml or .json, which says how it is read".to_owned()),
    }
}

/// Says where, and not what stands there: it may be a secret.
fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("is not TOML: line {line}, column {column}: {}", error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<(String, String)>> {
        let tree = toml::from_str(text).unwrap();
        let environment = Environment::of(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        Config::from_tree(tree, &environment)
            .map_err(|error| error.0.into_iter().map(|p| (p.path, p.message)).collect())
    }

    fn paths(text: &str) -> Vec<String> {
        load(text, &[]).unwrap_err().into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn everything_wrong_is_said_at_once_with_its_path() {
        let wrong = paths(
            r#"
            extra = 1
            [server]
            listen = "nowhere"
            listne = "127.0.0.1:1"
            keep_alive = "0s"
            default_provider = "gone"
            [limits]
            prompt_chars = -1
            [providers.a]
            type = "openai"
            base_url = "ftp://x"
            models = { "a" = "*" }
            timeout = { idel = "1s", total = "soon" }
            [providers.b]
            type = "telepathy"
            [providers.c]
            type = "fallback"
            members = ["a", "gone", "c"]
            [pipeline]
            middleware = ["trace", "trace", "magic"]
            [middleware.timeout]
            total = "1s"
            "#,
        );
        for path in [
            "extra",
            "server.listen",
            "server.listne",
            "server.keep_alive",
            "server.default_provider",
            "limits.prompt_chars",
            "providers.a.base_url",
            "providers.a.models",
            "providers.a.timeout.idel",
            "providers.a.timeout.total",
            "providers.b.type",
            "providers.c.members[1]",
            "providers.c.members[2]",
            "pipeline.middleware[1]",
            "pipeline.middleware[2]",
            "middleware.timeout",
        ] {
            assert!(wrong.iter().any(|found| found == path), "{path} is not among {wrong:#?}");
        }
    }

    #[test]
    fn three_formats_say_the_same() {
        let toml = r#"
            [providers.s]
            type = "simulator"
            timeout = { total = "2s" }
        "#;
        let yaml = "providers:\n  s:\n    type: simulator\n    timeout: { total: 2s }\n";
        let json = r#"{"providers": {"s": {"type": "simulator", "timeout": {"total": "2s"}}}}"#;
        let trees = [("a.toml", toml), ("a.yml", yaml), ("a.json", json)]
            .map(|(name, text)| parse(Path::new(name), text).unwrap());
        assert_eq!(trees[0], trees[1]);
        assert_eq!(trees[1], trees[2]);
        assert!(parse(Path::new("a.ini"), "").unwrap_err().contains(".toml"));
        assert!(parse(Path::new("a.toml"), "a = 1\nb = = 2").unwrap_err().contains("line 2, column 5"));
    }

    #[test]
    fn variables_are_replaced_and_a_missing_one_is_named_without_any_value() {
        let text = r#"
            [server]
            listen = "${HOST:-127.0.0.1}:0"
            [providers.a]
            type = "openai"
            api_key = "${KEY}"
            base_url = "http://x/${MISSING}/$${literal}"
        "#;
        let wrong = load(text, &[("KEY", "s3cret")]).unwrap_err();
        assert_eq!(wrong.len(), 1);
        assert_eq!(wrong[0].0, "providers.a.base_url");
        assert!(wrong[0].1.contains("MISSING") && !wrong[0].1.contains("s3cret"), "{wrong:?}");
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_shown() {
        let text = "[providers.a]\ntype = \"openai\"\nmax_connections = \"${KEY}\"\ntimeout = \"${KEY}\"";
        let wrong = load(text, &[("KEY", "sk-canary-123")]).unwrap_err();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(!format!("{wrong:?}").contains("canary"), "{wrong:?}");
        let literal = "[providers.a]\ntype = \"openai\"\napi_key = [\"sk-canary-123\"]";
        assert!(!format!("{:?}", load(literal, &[]).unwrap_err()).contains("canary"));
    }

    #[test]
    fn debug_of_a_whole_configuration_shows_no_secret() {
        let text = "[providers.a]\ntype = \"anthropic\"\napi_key = \"sk-canary-123\"";
        assert!(!format!("{:?}", load(text, &[]).unwrap()).contains("canary"));
    }

    #[test]
    fn without_a_file_there_is_a_provider_for_every_key() {
        let names = |variables: &[(&str, &str)], ollama| {
            let environment =
                Environment::of(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
            let config = Config::from_environment(&environment, ollama).unwrap();
            let default = config.default_provider().unwrap().to_owned();
            (config.providers.keys().cloned().collect::<Vec<_>>().join(" "), default)
        };
        assert_eq!(names(&[], false), ("simulator".to_owned(), "simulator".to_owned()));
        let all = [("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k"), ("GEMINI_API_KEY", "k")];
        assert_eq!(
            names(&all, true),
            ("anthropic gemini ollama openai simulator".to_owned(), "openai".to_owned())
        );
        assert_eq!(names(&[("OPENAI_API_KEY", "")], true).1, "ollama");
        assert_eq!(names(&[("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")], false).1, "openai");
    }
}
