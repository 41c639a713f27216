//! The variables of the process, and the configuration they make when there is no file.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::providers::{ANTHROPIC_URL, OPENAI_URL};

/// The variables of the process, or of a test.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process that are UTF-8.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of(
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
        )
    }

    /// These variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// The value of `name`; an empty one counts as none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Names only: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A provider that is there when its key or its address is.
struct Known {
    name: &'static str,
    kind: &'static str,
    key: &'static str,
    base_url: (&'static str, &'static str),
    model: &'static str,
}

impl Known {
    /// A key is enough, and so is an address: a server of one's own often asks for no key.
    fn is_wanted(&self, environment: &Environment) -> bool {
        environment.get(self.key).or_else(|| environment.get(self.base_url.0)).is_some()
    }
}

/// In the order in which they become the default.
const KNOWN: [Known; 3] = [
    Known {
        name: "openai",
        kind: "openai",
        key: "OPENAI_API_KEY",
        base_url: ("OPENAI_BASE_URL", OPENAI_URL),
        model: "gpt-4o-mini",
    },
    Known {
        name: "anthropic",
        kind: "anthropic",
        key: "ANTHROPIC_API_KEY",
        base_url: ("ANTHROPIC_BASE_URL", ANTHROPIC_URL),
        model: "claude-haiku-4-5",
    },
    // Reached through its OpenAI-compatible front.
    Known {
        name: "gemini",
        kind: "openai",
        key: "GEMINI_API_KEY",
        base_url: ("GEMINI_BASE_URL", "https://generativelanguage.googleapis.com/v1beta/openai"),
        model: "gemini-2.5-flash",
    },
];

/// Where an Ollama usually answers.
pub(crate) const OLLAMA: &str = "127.0.0.1:11434";

/// The document that stands in for a file. Keys stay references, so that they are treated like those of a file.
pub(super) fn defaults(environment: &Environment, ollama: bool) -> Value {
    let mut providers = Map::new();
    let mut default = "simulator";
    if ollama {
        let base_url = format!("http://{OLLAMA}/v1");
        providers.insert("ollama".into(), json!({"type": "openai", "base_url": base_url}));
        default = "ollama";
    }
    for known in KNOWN.iter().rev().filter(|known| known.is_wanted(environment)) {
        let (variable, standard) = known.base_url;
        let mut provider = json!({
            "type": known.kind,
            "base_url": format!("${{{variable}:-{standard}}}"),
            "default_model": known.model,
        });
        if environment.get(known.key).is_some() {
            provider["api_key"] = format!("${{{}}}", known.key).into();
        }
        providers.insert(known.name.into(), provider);
        default = known.name;
    }
    providers.insert("simulator".into(), json!({"type": "simulator"}));
    json!({"server": {"default_provider": default}, "providers": providers})
}
