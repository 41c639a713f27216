//! Reads a streamed chat completion, event by event.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use exec_core::{Chunk, Error, Finish, Result, Summary, Usage, Verbatim};

use super::CHAT;
use super::call::Calls;
use super::error::ErrorReader;
use super::lenient::Str;
use super::shape::{self, Choice, Delta, Event};
use crate::fault::{broken, cut};
use crate::format::{Decode, Encoded};
use crate::hold::Hold;
use crate::http::sse::SseEvent;

/// The reader of one stream.
pub(super) struct Decoder {
    errors: Arc<ErrorReader>,
    verbatim: bool,
    hide_usage: bool,
    id: Option<Arc<str>>,
    model: Option<Arc<str>>,
    calls: Calls,
    finish: Option<Finish>,
    usage: Option<Usage>,
    held: Hold,
    /// Whether the event being read numbers its tool calls in a way its caller's SDK could not follow.
    renumbered: bool,
    ended: bool,
}

impl Decoder {
    pub(super) fn new(encoded: &Encoded, errors: Arc<ErrorReader>) -> Self {
        Self {
            errors,
            verbatim: encoded.verbatim,
            hide_usage: encoded.hide_usage,
            id: None,
            model: None,
            calls: Calls::default(),
            finish: None,
            usage: None,
            held: Hold::default(),
            renumbered: false,
            ended: false,
        }
    }

    fn end(&mut self, out: &mut VecDeque<Chunk>) {
        self.ended = true;
        self.held.release(out);
        let finish = self.finish.take().unwrap_or_default();
        out.push_back(Chunk::End(Summary { finish, usage: self.usage, ..Summary::default() }));
    }

    /// Reads one object and adds what it means to `means`. Says whether it holds usage and nothing else.
    fn object(&mut self, text: &str, data: &Bytes, means: &mut impl Extend<Chunk>) -> Result<bool> {
        // A struct is also read from an array, which no event is.
        if !text.starts_with('{') {
            return Err(malformed("it is no object"));
        }
        let event: Event<'_> = serde_json::from_str(text)
            .map_err(|e| malformed(&format!("line {}, column {}", e.line(), e.column())))?;
        let broken = event.error.is_some() || event.object.as_deref() == Some("error");
        if broken {
            return Err(self.errors.in_answer(data));
        }
        name(&mut self.id, event.id.as_ref());
        name(&mut self.model, event.model.as_ref());
        let usage = event.usage.and_then(|tokens| tokens.usage());
        self.usage = usage.or(self.usage);
        let choices = event.choices.unwrap_or_default();
        let only_usage = usage.is_some() && choices.is_empty();
        // Several answers are never asked for; what belongs to another one is not ours.
        let ours = choices.into_iter().filter(|choice| choice.index.0.unwrap_or(0) == 0);
        for choice in ours {
            self.choice(choice, data, means)?;
        }
        Ok(only_usage)
    }

    fn choice(&mut self, choice: Choice<'_>, data: &Bytes, means: &mut impl Extend<Chunk>) -> Result<()> {
        let reason = choice.finish_reason.as_deref().unwrap_or_default();
        if choice.error.is_some() || reason == "error" {
            return Err(self.errors.in_answer(data));
        }
        if let Some(delta) = choice.delta.or_else(|| choice.message.map(|message| *message)) {
            self.delta(delta, means)?;
        }
        self.finish = shape::finish(reason).or(self.finish.take());
        Ok(())
    }

    fn delta(&mut self, mut delta: Delta<'_>, means: &mut impl Extend<Chunk>) -> Result<()> {
        means.extend(delta.thinking().map(|text| Chunk::Reasoning(text.0.into_owned())));
        let words = [delta.content, delta.refusal].into_iter().flatten().filter(|text| !text.is_empty());
        means.extend(words.map(|text| Chunk::Text(text.0.into_owned())));
        let old = delta.function_call.map(shape::CallDelta::alone);
        for call in delta.tool_calls.into_iter().flatten().chain(old).filter(|call| call.function.is_some()) {
            let delta = self.calls.delta(&call, self.id.as_ref())?;
            self.renumbered |= call.index.0 != Some(delta.index.into());
            means.extend([Chunk::ToolCall(delta)]);
        }
        Ok(())
    }
}

impl Decode for Decoder {
    fn event(&mut self, event: SseEvent, out: &mut VecDeque<Chunk>) -> Result<()> {
        let text = event.text().trim_ascii();
        if self.ended || text.is_empty() {
            return Ok(());
        }
        if text == "[DONE]" {
            self.end(out);
            return Ok(());
        }
        if matches!(event.name(), "error" | "response.failed") {
            return Err(self.errors.in_answer(&event.data));
        }
        if !self.verbatim {
            self.object(text, &event.data, out)?;
            return Ok(());
        }
        let mut means = Vec::new();
        let only_usage = self.object(text, &event.data, &mut means)?;
        if std::mem::take(&mut self.renumbered) {
            out.extend(means);
        } else if !(only_usage && self.hide_usage) {
            let event = Chunk::Verbatim(Verbatim { wire: CHAT, event: None, data: event.data, means });
            self.held.forward(event, self.finish.is_some(), out);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut VecDeque<Chunk>) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        if self.finish.is_none() {
            return Err(cut());
        }
        self.end(out);
        Ok(())
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }

    fn id(&self) -> Option<Arc<str>> {
        self.id.clone()
    }

    fn model(&self) -> Option<Arc<str>> {
        self.model.clone()
    }
}

fn name(known: &mut Option<Arc<str>>, said: Option<&Str<'_>>) {
    if known.is_none()
        && let Some(said) = said.filter(|said| !said.is_empty())
    {
        *known = Some(Arc::from(&**said));
    }
}

/// Says where, never what: the event is the caller's.
fn malformed(place: &str) -> Error {
    broken("malformed_event", format!("an event of the stream is malformed ({place})"))
}
