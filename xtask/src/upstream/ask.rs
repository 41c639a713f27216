//! What a request asks for, and the [`Answer`] a scenario gives to it.
use super::error::{Failure, Format};
use super::fault::{Faults, Finish, ToolIndex, Usage};
use super::request::Request;
use super::text::{DEFAULT_TOKENS, Source};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

/// Tokens every prompt is said to have.
pub const PROMPT_TOKENS: u64 = 21;

/// The fields of a chat or message request that matter here; the rest is not even parsed.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ask {
    pub(super) model: Option<String>,
    messages: Option<Vec<IgnoredAny>>,
    max_tokens: Option<u64>,
    pub(super) stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    tools: Option<Vec<Tool>>,
    #[serde(skip)]
    broken: Option<String>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Tool {
    name: Option<String>,
    function: Option<Function>,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: String,
}

impl Ask {
    /// Reads a body; a broken one is remembered and refused by [`Ask::check`].
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body)
            .unwrap_or_else(|error| Self { broken: Some(error.to_string()), ..Self::default() })
    }

    pub(super) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    /// The failures the real API finds in a request.
    pub(super) fn check(&self, format: Format) -> Result<(), Failure> {
        if let Some(reason) = &self.broken {
            return Err(Failure::invalid(broken_message(format, reason), None));
        }
        let missing = match format {
            _ if self.model().is_empty() => "model",
            _ if self.messages.is_none() => "messages",
            Format::Anthropic if self.max_tokens.is_none() => "max_tokens",
            _ => "",
        };
        if !missing.is_empty() {
            return Err(missing_field(format, missing));
        }
        if self.messages.as_ref().is_some_and(Vec::is_empty) {
            return Err(no_messages(format));
        }
        if self.model().starts_with("missing") {
            return Err(Failure::no_model(format, self.model()));
        }
        Ok(())
    }

    fn tool_names(&self) -> Vec<&str> {
        let tools = self.tools.as_deref().unwrap_or_default();
        tools
            .iter()
            .filter_map(|tool| tool.function.as_ref().map(|f| f.name.as_str()).or(tool.name.as_deref()))
            .collect()
    }
}

fn broken_message(format: Format, reason: &str) -> String {
    match format {
        Format::OpenAi => format!(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. {reason})"
        ),
        Format::Anthropic => format!("The request body is not valid JSON: {reason}"),
    }
}

fn missing_field(format: Format, field: &'static str) -> Failure {
    match (format, field) {
        (Format::Anthropic, _) => Failure::invalid(format!("{field}: Field required"), None),
        (_, "model") => Failure::invalid("you must provide a model parameter", None),
        _ => Failure::invalid(format!("Missing required parameter: '{field}'."), Some(field))
            .code("missing_required_parameter"),
    }
}

fn no_messages(format: Format) -> Failure {
    match format {
        Format::Anthropic => Failure::invalid("messages: at least one message is required", None),
        Format::OpenAi => Failure::invalid(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            Some("messages"),
        )
        .code("empty_array"),
    }
}

/// Everything an answer says, before it has a format.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) id: u64,
    pub(super) model: String,
    pub(super) source: Source,
    /// Names of the tools that are called.
    pub(super) calls: Vec<String>,
    pub(super) reasoning: bool,
    pub(super) refuse: bool,
    pub(super) finish: Finish,
    pub(super) include_usage: bool,
    pub(super) usage: Usage,
    pub(super) tool_index: ToolIndex,
}

impl Answer {
    pub(super) fn new(id: u64, ask: &Ask, request: &Request, faults: &Faults) -> Self {
        let calls = calls(ask, faults);
        let finish = match faults.finish {
            Some(finish) => finish,
            None if faults.refuse => Finish::ContentFilter,
            None if !calls.is_empty() => Finish::ToolCalls,
            None => Finish::Stop,
        };
        let asked = ask.stream_options.as_ref().and_then(|o| o.include_usage).unwrap_or(false);
        Self {
            id,
            model: ask.model().to_owned(),
            source: source(!calls.is_empty(), request, faults),
            calls,
            reasoning: faults.reasoning,
            refuse: faults.refuse,
            finish,
            include_usage: asked || matches!(faults.usage, Usage::Each | Usage::Nonempty),
            usage: faults.usage,
            tool_index: faults.tool_index,
        }
    }

    /// Whether there is no text because something else is said: then OpenAI's content is `null`, not empty.
    pub(super) fn is_silent(&self) -> bool {
        self.source.count() == 0 && (self.refuse || !self.calls.is_empty())
    }

    /// Leaves out what the conversation already ends with.
    pub(super) fn go_on_from(&mut self, said: &str) {
        if let Some(rest) = self.source.after(said) {
            self.source = rest;
        }
    }

    /// Tokens of the reasoning, if there is any.
    pub(super) fn thoughts(&self) -> u64 {
        if self.reasoning { super::text::THOUGHTS } else { 0 }
    }

    /// Tokens of the whole answer; a tool call counts for ten.
    pub(super) fn completion_tokens(&self) -> u64 {
        self.source.count() + self.thoughts() + 10 * self.calls.len() as u64
    }
}

fn calls(ask: &Ask, faults: &Faults) -> Vec<String> {
    let names = ask.tool_names();
    let count = usize::try_from(faults.tools).unwrap_or(usize::MAX);
    names.iter().cycle().take(count).map(|name| (*name).to_owned()).collect()
}

fn source(has_calls: bool, request: &Request, faults: &Faults) -> Source {
    if faults.echo {
        return Source::cut(&echo(request).to_string());
    }
    if let Some(bytes) = faults.bytes {
        return Source::Filler(bytes);
    }
    let silent = faults.no_content || faults.refuse;
    match faults.tokens {
        _ if silent => Source::Words(0),
        Some(tokens) => Source::Words(tokens),
        None if has_calls => Source::Words(0),
        None => Source::Words(DEFAULT_TOKENS),
    }
}

/// What was received, as a document.
fn echo(request: &Request) -> Value {
    let headers: Map<String, Value> =
        request.headers().map(|(n, v)| (n.to_ascii_lowercase(), v.into())).collect();
    json!({
        "method": request.method(),
        "path": request.path(),
        "query": request.query(),
        "headers": headers,
        "body_len": request.body.len(),
        "body_fnv": format!("{:016x}", fnv(&request.body)),
    })
}

/// FNV-1a, 64 bits: a fingerprint any language computes in four lines.
pub(super) fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
