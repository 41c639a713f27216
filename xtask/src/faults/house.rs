//! A gateway for one scenario: two upstreams, the built server in front of them, and what each of them saw.

use super::settings::WINDOWS;
use crate::lab::{Call, Dialect, Gateway, Heard, Lab, Told};
use crate::shell::Result;
use std::time::Duration;
use xtask::upstream::{Stats, Upstream};

/// The keys of the two providers: nowhere else may they be seen.
pub(super) const KEYS: [&str; 2] = ["sk-canary-of-first", "sk-canary-of-second"];
/// The model that answers when all is well.
pub(super) const SECOND_MODEL: &str = "second-model";
/// How long an upstream may take to notice that all is over.
const QUIET: Duration = Duration::from_secs(10);

/// The wire format of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wire {
    OpenAi,
    Anthropic,
}

impl Wire {
    pub(super) const BOTH: [Self; 2] = [Self::OpenAi, Self::Anthropic];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    /// A provider `name` whose every call asks `model` of an upstream at `url`; `more` are further lines of its table.
    pub(super) fn provider(self, name: &str, url: &str, key: &str, model: &str, more: &str) -> String {
        let (kind, path) = (self.name(), if self == Self::OpenAi { "/v1" } else { "" });
        format!(
            "\n[providers.{name}]\ntype = \"{kind}\"\nbase_url = \"{url}{path}\"\napi_key = \"{key}\"\n\
             models = {{ \"*\" = \"{model}\" }}\n{more}\n"
        )
    }
}

/// The formats of the first and of the second provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route(pub(super) Wire, pub(super) Wire);

impl Route {
    pub(super) const ALL: [Self; 4] = [
        Self(Wire::OpenAi, Wire::OpenAi),
        Self(Wire::Anthropic, Wire::Anthropic),
        Self(Wire::OpenAi, Wire::Anthropic),
        Self(Wire::Anthropic, Wire::OpenAi),
    ];

    pub(super) const fn name(self) -> &'static str {
        match (self.0, self.1) {
            (Wire::OpenAi, Wire::OpenAi) => "openai",
            (Wire::Anthropic, Wire::Anthropic) => "anthropic",
            (Wire::OpenAi, Wire::Anthropic) => "openai, then anthropic",
            (Wire::Anthropic, Wire::OpenAi) => "anthropic, then openai",
        }
    }
}

/// What the first and the second provider do, and the settings around them.
#[derive(Clone, Debug)]
pub(super) struct Plan<'a> {
    pub(super) route: Route,
    /// Models as the upstreams are asked for them.
    pub(super) models: [&'a str; 2],
    /// Further lines of the tables of both, and of the fallback over them.
    pub(super) member: &'a str,
    pub(super) fallback: &'a str,
    /// Further tables, or lines of `[server]`, which stands last.
    pub(super) server: &'a str,
}

/// Everything that one scenario uses; gone when dropped.
#[derive(Debug)]
pub(super) struct House {
    pub(super) first: Upstream,
    pub(super) second: Upstream,
    pub(super) gateway: Gateway,
}

impl House {
    /// Starts the upstreams and the server; `words` follow on its command line.
    pub(super) async fn open(lab: &Lab, plan: &Plan<'_>, words: &[&str]) -> Result<Self> {
        let (first, second) = (Upstream::start().await?, Upstream::start().await?);
        let Route(one, two) = plan.route;
        let member = WINDOWS.map(|window| format!("{window}\n{}", plan.member));
        let config = one.provider("first", &first.url(), KEYS[0], plan.models[0], &member[0])
            + &two.provider("second", &second.url(), KEYS[1], plan.models[1], &member[1])
            + &format!(
                "\n[providers.chat]\ntype = \"fallback\"\nmembers = [\"first\", \"second\"]\n{}\n\
                 \n[server]\ndefault_provider = \"chat\"\n{}\n",
                plan.fallback, plan.server
            );
        let gateway = lab.start(&config, words)?;
        Ok(Self { first, second, gateway })
    }

    /// Asks for an answer, and reads it to its end.
    pub(super) async fn ask(&self, dialect: Dialect, stream: bool, limit: Duration) -> (Heard, Told) {
        self.ask_for(dialect, "any-model", stream, limit).await
    }

    /// The same for a model.
    pub(super) async fn ask_for(
        &self,
        dialect: Dialect,
        model: &str,
        stream: bool,
        limit: Duration,
    ) -> (Heard, Told) {
        let heard = self.gateway.client().send(&Call::ask(dialect, model, stream), limit).await;
        let told = Told::read(dialect, &heard);
        (heard, told)
    }

    /// When each call of the first provider arrived, since its start.
    pub(super) fn arrivals(&self) -> Vec<Duration> {
        self.first.last().iter().map(|seen| seen.at).collect()
    }

    /// Waits until no upstream answers anybody; false if one still does.
    pub(super) async fn is_quiet(&self) -> bool {
        let idle = |stats: &Stats| stats.in_flight == 0;
        self.first.wait_for(idle, QUIET).await.is_ok() && self.second.wait_for(idle, QUIET).await.is_ok()
    }
}
