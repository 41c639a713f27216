//! Reads a complete answer, and the list of models.

use std::sync::Arc;

use bytes::Bytes;
use exec_core::chat::{Opaque, Part, Reasoning, ToolCall};
use exec_core::{Operation, Output, Raw, Result, Summary, Text};
use serde_json::value::RawValue;

use super::usage::{self, Counts};
use super::{MESSAGES, error};
use crate::format::Answer;
use crate::key::Key;
use crate::object::{Object, elements};

/// Reads a message; an error that came with a good status is that error.
pub(super) fn decode(operation: &Operation, body: &Bytes, key: &Key) -> Result<Answer> {
    if *operation != Operation::CHAT {
        return Err(error::malformed("an answer to what it was not asked"));
    }
    let no_message = || error::malformed("an answer that is no message");
    let text = std::str::from_utf8(body).map_err(|_| no_message())?;
    let mut message = Object::parse(text).map_err(|_| no_message())?;
    if message.read::<String>("type").as_deref() == Some("error") || message.take("error").is_some() {
        return Err(error::of_event(body, key));
    }
    let content = message.take("content").and_then(elements).ok_or_else(no_message)?;
    let mut output = Output::default();
    for block in content {
        output.push(part(body, block).ok_or_else(no_message)?);
    }
    let mut counts = Counts::default();
    if let Some(usage) = message.take("usage") {
        counts.update(usage);
    }
    output.summary = Summary {
        finish: usage::finish(message.read::<String>("stop_reason").as_deref()),
        stop_sequence: message.read("stop_sequence"),
        usage: counts.usage(),
        cost: None,
    };
    Ok(Answer { output, id: name(&mut message, "id"), model: name(&mut message, "model") })
}

/// Takes an identifier out.
pub(super) fn name(object: &mut Object<'_>, name: &str) -> Option<Arc<str>> {
    object.read::<String>(name).map(Arc::from)
}

/// A block that is kept as it came.
pub(super) fn opaque(source: &Bytes, kind: impl Into<String>, json: &RawValue) -> Opaque {
    Opaque::new(MESSAGES, kind, Raw::of(source, json))
}

fn part(source: &Bytes, json: &RawValue) -> Option<Part> {
    let mut block = Object::of(json)?;
    let kind: String = block.read("type")?;
    Some(match kind.as_str() {
        "text" => {
            let text = block.text(source, "text")?;
            Part::Text { text, extra: block.rest_without_nulls(source, MESSAGES) }
        }
        "tool_use" => Part::ToolCall(ToolCall {
            id: block.read("id")?,
            name: block.read("name")?,
            arguments: Text::from_utf8(Raw::of(source, block.take("input")?).bytes().clone())?,
            extra: block.rest_without_nulls(source, MESSAGES),
        }),
        "thinking" => {
            let text = block.text(source, "thinking")?;
            let signature = block.text(source, "signature").filter(|signature| !signature.is_empty());
            // A proof without words cannot be told from that of the thinking before it, so it stays in its block.
            if text.is_empty() {
                return Some(Part::Opaque(opaque(source, kind, json)));
            }
            Part::Reasoning(Reasoning { text, signature, extra: block.rest_without_nulls(source, MESSAGES) })
        }
        _ => Part::Opaque(opaque(source, kind, json)),
    })
}

/// The names in a list of models.
pub(super) fn models(body: &Bytes) -> Result<Vec<Arc<str>>> {
    let no_list = || error::malformed("an answer that is no list of models");
    let text = std::str::from_utf8(body).map_err(|_| no_list())?;
    let mut list = Object::parse(text).map_err(|_| no_list())?;
    let data = list.take("data").and_then(elements).ok_or_else(no_list)?;
    let id = |entry| name(&mut Object::of(entry)?, "id");
    data.into_iter().map(|entry| id(entry).ok_or_else(no_list)).collect()
}
