//! Writes parts as blocks.

use exec_core::chat::{Opaque, Part, Reasoning, Source, ToolCall, ToolResult};
use exec_core::{Error, FieldError, Result, Text};
use serde_json::value::RawValue;

use super::MESSAGES;
use super::json::{Json, Object};

/// The block for `part` of the turn at `path`. `None` when the format has no words for it or does not take it: words
/// that are none, thinking without a signature of this format, and what belongs to another format.
pub(super) fn request_block<'a>(path: &str, part: &'a Part) -> Result<Option<Json<'a>>> {
    let block = match part {
        Part::Text { text, .. } if text.is_empty() => return Ok(None),
        Part::ToolCall(call) => {
            let input = input(&call.arguments).ok_or_else(|| not_an_object(path, call))?;
            Some(tool_use(call, id(&call.id), input))
        }
        Part::ToolResult(result) => Some(tool_result(path, result)?),
        Part::Reasoning(reasoning) if !is_signed(reasoning) => None,
        Part::Reasoning(reasoning) => Some(thinking(reasoning)),
        part => plain(part),
    };
    Ok(block.map(Json::Object).or_else(|| opaque(part)))
}

/// The block for a part that is written the same way in requests and answers.
fn plain(part: &Part) -> Option<Object<'_>> {
    match part {
        Part::Text { text, extra } => Some(Object::typed("text").with("text", text).with_extra(extra)),
        Part::Image { source, extra } => {
            Some(Object::typed("image").with("source", image(source)).with_extra(extra))
        }
        _ => None,
    }
}

/// What came in this format and goes back as it came.
fn opaque(part: &Part) -> Option<Json<'_>> {
    match part {
        Part::Opaque(Opaque { wire, value, .. }) if wire == MESSAGES.as_str() => Some(Json::Raw(value)),
        _ => None,
    }
}

/// The block of an answer for `part`, the `at`th in it. What the format has no words for is left out; a broken input of
/// a tool is kept as text inside an object, because a block without an input object breaks its readers.
pub(super) fn answer_block(part: &Part, at: usize) -> Option<Json<'_>> {
    match part {
        Part::Reasoning(reasoning) => Some(thinking(reasoning).into()),
        Part::ToolCall(call) => {
            let input = input(&call.arguments).unwrap_or_else(|| broken_input(&call.arguments));
            let id = match call.id.as_str() {
                "" => Json::Value(made_up_id(at).into()),
                id => Json::Str(id),
            };
            Some(tool_use(call, id, input).into())
        }
        part => plain(part).map(Json::Object).or_else(|| opaque(part)),
    }
}

/// An identifier for a tool call of a provider that gives none.
pub(super) fn made_up_id(at: usize) -> String {
    format!("toolu_{at}")
}

/// The identifier of a call as the format takes it: other providers use characters that it refuses. Calls and results
/// are changed alike and so stay together.
fn id(id: &str) -> Json<'_> {
    let taken = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.chars().all(taken) {
        return Json::Str(id);
    }
    Json::Value(id.chars().map(|c| if taken(c) { c } else { '_' }).collect::<String>().into())
}

/// Whether the thinking can be proved to this format. The proof of another one would be refused; one that says nothing
/// of where it came from may be ours.
pub(super) fn is_signed(reasoning: &Reasoning) -> bool {
    reasoning.signature.is_some() && reasoning.extra.wire().is_none_or(|wire| wire == MESSAGES)
}

fn thinking(reasoning: &Reasoning) -> Object<'_> {
    let block = Object::typed("thinking").with("thinking", &reasoning.text);
    let block = match &reasoning.signature {
        Some(signature) => block.with("signature", signature),
        None => block.with("signature", ""),
    };
    block.with_extra(&reasoning.extra)
}

fn tool_use<'a>(call: &'a ToolCall, id: Json<'a>, input: Box<RawValue>) -> Object<'a> {
    Object::typed("tool_use")
        .with("id", id)
        .with("name", call.name.as_str())
        .with("input", Json::Own(input))
        .with_extra(&call.extra)
}

fn tool_result<'a>(path: &str, result: &'a ToolResult) -> Result<Object<'a>> {
    let mut block = Object::typed("tool_result").with("tool_use_id", id(&result.id));
    match &result.parts[..] {
        [] => {}
        [Part::Text { text, extra }] if extra.is_empty() => block.set("content", text),
        parts => {
            let blocks: Result<Vec<_>> = parts.iter().map(|part| request_block(path, part)).collect();
            let blocks: Vec<_> = blocks?.into_iter().flatten().collect();
            block.set("content", blocks);
        }
    }
    if result.failed {
        block.set("is_error", true);
    }
    Ok(block.with_extra(&result.extra))
}

fn image(source: &Source) -> Object<'_> {
    match source {
        Source::Url(url) => Object::typed("url").with("url", url),
        Source::Base64 { media_type, data } => {
            Object::typed("base64").with("media_type", media_type.as_str()).with("data", data)
        }
    }
}

/// The arguments of a call as the object they are; none are an empty one. `None` when they are something else.
pub(super) fn input(arguments: &Text) -> Option<Box<RawValue>> {
    let text = arguments.to_str();
    let text = text.trim_ascii();
    let text = if text.is_empty() { "{}" } else { text };
    RawValue::from_string(text.to_owned()).ok().filter(|value| value.get().starts_with('{'))
}

fn broken_input(arguments: &Text) -> Box<RawValue> {
    let object = serde_json::json!({ "invalid_arguments": arguments });
    serde_json::value::to_raw_value(&object).unwrap_or_default()
}

fn not_an_object(path: &str, call: &ToolCall) -> Error {
    let message = format!("the arguments of the call of tool {:?} are no JSON object", call.name);
    Error::invalid(vec![FieldError::new(format!("{path}.content"), "invalid_arguments", message)])
}
