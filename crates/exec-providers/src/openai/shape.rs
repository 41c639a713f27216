//! The shape of what servers answer, whole or in pieces, read leniently: see [`lenient`](super::lenient). One is made for
//! nearly every token and moved several times, so what is rare is in a box.

use exec_core::{Finish, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Count, Str};

/// One event of a stream, or a whole answer: they differ in `delta` and `message` only.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) model: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    pub(super) usage: Option<Box<Tokens>>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) object: Option<Str<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    pub(super) index: Count,
    #[serde(borrow, default)]
    pub(super) delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    pub(super) message: Option<Box<Delta<'a>>>,
    #[serde(borrow, default)]
    pub(super) finish_reason: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow, default)]
    pub(super) content: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) refusal: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) reasoning_content: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) reasoning: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) tool_calls: Option<Vec<CallDelta<'a>>>,
    #[serde(borrow, default)]
    pub(super) function_call: Option<Box<FunctionDelta<'a>>>,
}

impl<'a> Delta<'a> {
    /// The thinking, by either of its names; servers that send both send the same twice.
    pub(super) fn thinking(&mut self) -> Option<Str<'a>> {
        let first = self.reasoning_content.take().filter(|text| !text.is_empty());
        first.or_else(|| self.reasoning.take().filter(|text| !text.is_empty()))
    }
}

#[derive(Deserialize)]
pub(super) struct CallDelta<'a> {
    #[serde(default)]
    pub(super) index: Count,
    #[serde(borrow, default)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) function: Option<FunctionDelta<'a>>,
}

impl<'a> CallDelta<'a> {
    /// The one call of servers from before there were several.
    #[expect(clippy::boxed_local, reason = "it comes in a box")]
    pub(super) fn alone(function: Box<FunctionDelta<'a>>) -> Self {
        Self { index: Count(None), id: None, function: Some(*function) }
    }
}

#[derive(Default, Deserialize)]
pub(super) struct FunctionDelta<'a> {
    #[serde(borrow, default)]
    pub(super) name: Option<Str<'a>>,
    /// A text of JSON; some servers send the object itself.
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
}

impl FunctionDelta<'_> {
    /// The arguments as text, `None` if they are a string that is not.
    pub(super) fn text(&self) -> Option<String> {
        match self.arguments {
            None => Some(String::new()),
            Some(raw) if raw.get().starts_with('"') => serde_json::from_str(raw.get()).ok(),
            Some(raw) => Some(raw.get().to_owned()),
        }
    }
}

/// The `usage` of an answer.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Tokens {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: Option<InputTokens>,
    completion_tokens_details: Option<OutputTokens>,
    prompt_cache_hit_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InputTokens {
    cached_tokens: Count,
    cache_write_tokens: Count,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputTokens {
    reasoning_tokens: Count,
}

impl Tokens {
    /// As everybody counts. None when nothing was counted.
    pub(super) fn usage(&self) -> Option<Usage> {
        let (input, output) = (self.prompt_tokens.0, self.completion_tokens.0);
        if input.is_none() && output.is_none() {
            return None;
        }
        let (input, mut output) = (input.unwrap_or(0), output.unwrap_or(0));
        let details = self.prompt_tokens_details.as_ref();
        let cached = details.and_then(|d| d.cached_tokens.0).or(self.prompt_cache_hit_tokens.0);
        let written = details.and_then(|d| d.cache_write_tokens.0);
        let reasoning =
            self.completion_tokens_details.as_ref().and_then(|d| d.reasoning_tokens.0).unwrap_or(0);
        // Some servers count thinking beside the answer; their total gives them away.
        let beside = input.saturating_add(output).saturating_add(reasoning);
        if reasoning > 0 && self.total_tokens.0 == Some(beside) {
            output = output.saturating_add(reasoning);
        }
        Some(Usage {
            input,
            output,
            cache_read: cached.unwrap_or(0),
            cache_write: written.unwrap_or(0),
            reasoning,
        })
    }
}

/// How the answer ended. `None` for what servers write before it has.
pub(super) fn finish(reason: &str) -> Option<Finish> {
    Some(match reason {
        "" | "null" => return None,
        "stop" => Finish::Stop,
        "length" | "max_tokens" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::Filtered,
        other => Finish::Other(other.to_owned()),
    })
}

/// [`finish`] the other way round.
pub(super) fn finish_reason(finish: &Finish) -> &str {
    match finish {
        // The turn is not finished, and this format has one word for that.
        Finish::Paused => "length",
        finish => finish.as_str(),
    }
}
