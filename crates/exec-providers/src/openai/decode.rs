//! Reads a complete chat completion.

use std::sync::Arc;

use bytes::Bytes;
use exec_core::chat::{Opaque, Reasoning, ToolCall};
use exec_core::{Error, Output, Part, Raw, Result, Summary};
use serde_json::value::RawValue;

use super::call::{made_up, not_text};
use super::error::ErrorReader;
use super::lenient::Str;
use super::shape::{self, CallDelta, Choice, Delta, Event};
use super::{CHAT, OPAQUE_CALL};
use crate::fault::broken;
use crate::format::Answer;

/// Reads `body`.
///
/// # Errors
/// `Upstream` with code `malformed_answer` when it is no answer, or the error it says it is.
pub(super) fn chat(body: &Bytes, errors: &ErrorReader) -> Result<Answer> {
    let event: Event<'_> = serde_json::from_slice(body).map_err(|e| malformed(&e))?;
    if event.error.is_some() || event.object.as_deref() == Some("error") {
        return Err(errors.in_answer(body));
    }
    let id = named(event.id.as_ref());
    let choices = event.choices.unwrap_or_default();
    let Some(choice) = choices.into_iter().find(|choice| choice.index.0.unwrap_or(0) == 0) else {
        return Err(no_answer("the answer has no choices"));
    };
    let reason = choice.finish_reason.as_deref().unwrap_or_default();
    if choice.error.is_some() || reason == "error" {
        return Err(errors.in_answer(body));
    }
    let finish = shape::finish(reason).unwrap_or_default();
    let usage = event.usage.and_then(|tokens| tokens.usage());
    let mut output = message(choice, id.as_ref())?;
    opaque_calls(body, &mut output);
    output.summary = Summary { finish, usage, ..Summary::default() };
    Ok(Answer { output, id, model: named(event.model.as_ref()) })
}

fn message(choice: Choice<'_>, id: Option<&Arc<str>>) -> Result<Output> {
    let mut output = Output::default();
    let mut message: Delta<'_> = choice.message.map(|message| *message).or(choice.delta).unwrap_or_default();
    if let Some(Str(text)) = message.thinking() {
        let text = text.into_owned().into();
        output.push(Part::Reasoning(Reasoning { text, ..Reasoning::default() }));
    }
    for Str(text) in [message.content, message.refusal].into_iter().flatten() {
        output.push(Part::text(text.into_owned()));
    }
    let old = message.function_call.map(CallDelta::alone);
    for (at, call) in message.tool_calls.into_iter().flatten().chain(old).enumerate() {
        let Some(function) = call.function else { continue };
        let given = call.id.filter(|id| !id.is_empty());
        output.push(Part::ToolCall(ToolCall {
            id: given.map_or_else(|| made_up(id, at), |id| id.0.into_owned()),
            arguments: function.text().ok_or_else(not_text)?.into(),
            name: function.name.map(|name| name.0.into_owned()).unwrap_or_default(),
            ..ToolCall::default()
        }));
    }
    Ok(output)
}

/// Calls of what is no function are kept as they came, so that they can be sent back.
fn opaque_calls(body: &Bytes, output: &mut Output) {
    #[derive(serde::Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        choices: Vec<Holder<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Holder<'a> {
        #[serde(borrow)]
        message: Message<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Message<'a> {
        #[serde(borrow, default)]
        tool_calls: Vec<&'a RawValue>,
    }
    #[derive(serde::Deserialize)]
    struct Kind {
        r#type: String,
    }
    let Ok(whole) = serde_json::from_slice::<Whole<'_>>(body) else { return };
    for raw in whole.choices.first().map(|choice| &choice.message.tool_calls[..]).unwrap_or_default() {
        if let Ok(Kind { r#type: kind }) = serde_json::from_str(raw.get())
            && kind != "function"
            && serde_json::from_str::<CallDelta<'_>>(raw.get()).is_ok_and(|call| call.function.is_none())
        {
            let kind = [OPAQUE_CALL, &kind].concat();
            output.push(Part::Opaque(Opaque::new(CHAT, kind, Raw::of(body, raw))));
        }
    }
}

pub(super) fn named(said: Option<&Str<'_>>) -> Option<Arc<str>> {
    said.filter(|said| !said.is_empty()).map(|said| Arc::from(&**said))
}

pub(super) fn no_answer(message: &str) -> Error {
    broken("malformed_answer", message)
}

/// Says where, never what: the answer is the caller's.
pub(super) fn malformed(error: &serde_json::Error) -> Error {
    no_answer(&format!("the answer is malformed (line {}, column {})", error.line(), error.column()))
}
