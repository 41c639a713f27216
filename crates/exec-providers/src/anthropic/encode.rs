//! Writes a request: its own bytes when it came in this format, else the conversation in this format's words.

use bytes::Bytes;
use exec_core::chat::{Chat, Message, Part, Role, Tool, ToolChoice};
use exec_core::{Error, ErrorKind, FieldError, Operation, Request, Result};
use serde_json::json;

use super::MESSAGES;
use super::block::{is_signed, request_block};
use super::json::{Json, Object};
use crate::fault::unwritable;
use crate::format::Encoded;
use crate::http::{Body, Edit, encode_body, splice};

const PATH: &str = "/v1/messages";

/// Writes `request` for `model`; `max_tokens` is what is asked for when the caller does not say.
pub(super) fn encode(request: &Request, model: &str, max_tokens: u64) -> Result<Encoded> {
    if request.operation != Operation::CHAT {
        let message = format!("the messages format has no operation {}", request.operation);
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let stream = request.options.stream;
    if let Some(bytes) = request.input.bytes_in(MESSAGES) {
        return Ok(encoded(forward(bytes, model, stream)?, Vec::new(), true));
    }
    let chat = request.input.chat()?;
    let mut dropped = chat.inexpressible_in(MESSAGES);
    let body = body(chat, model, stream, max_tokens, &mut dropped)?;
    dropped.sort_unstable();
    dropped.dedup();
    let sources: Vec<Bytes> =
        request.input.as_received().map(|(_, bytes)| bytes.clone()).into_iter().collect();
    let body = encode_body(&body, &sources).map_err(unwritable)?;
    Ok(encoded(body, dropped, false))
}

fn encoded(body: Body, dropped: Vec<String>, verbatim: bool) -> Encoded {
    Encoded { path: PATH, body, dropped, verbatim, hide_usage: false }
}

fn forward(bytes: &Bytes, model: &str, stream: bool) -> Result<Body> {
    let stream =
        if stream { Edit::set("stream", &true).map_err(unwritable)? } else { Edit::remove("stream") };
    let model = Edit::set("model", &model).map_err(unwritable)?;
    splice(bytes, &[model, stream]).map_err(unwritable)
}

fn body<'a>(
    chat: &'a Chat,
    model: &'a str,
    stream: bool,
    max_tokens: u64,
    dropped: &mut Vec<String>,
) -> Result<Object<'a>> {
    let mut body = Object::default().with("model", model);
    body.set("max_tokens", chat.sampling.max_tokens.unwrap_or(max_tokens));
    body.set_some("system", system(chat, dropped)?);
    let turns = turns(chat, dropped)?;
    if turns.is_empty() {
        let message = "must have at least one turn of a user or assistant";
        return Err(Error::invalid(vec![FieldError::new("messages", "required", message)]));
    }
    body.set("messages", turns);
    if !chat.tools.is_empty() {
        let tools: Vec<_> = chat.tools.iter().filter_map(tool).collect();
        body.set("tools", tools);
    }
    body.set_some("tool_choice", choice(chat, dropped));
    sampling(chat, &mut body, dropped)?;
    // Said even when it is not wanted if a field without a home would say otherwise.
    if stream || chat.extra.get("stream").is_some() {
        body.set("stream", stream);
    }
    Ok(body.with_extra(&chat.extra))
}

fn sampling<'a>(chat: &'a Chat, body: &mut Object<'a>, dropped: &mut Vec<String>) -> Result<()> {
    let sampling = &chat.sampling;
    if sampling.temperature.is_some_and(|temperature| !(0.0..=1.0).contains(&temperature)) {
        let message = "anthropic takes a temperature from 0 to 1: lower it or use another provider";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    body.set_some("temperature", sampling.temperature);
    body.set_some("top_p", sampling.top_p);
    body.set_some("top_k", sampling.top_k);
    // A stop of white space only is refused there and means much elsewhere.
    let stop: Vec<_> = sampling.stop.iter().filter(|stop| !stop.trim().is_empty()).collect();
    if stop.len() < sampling.stop.len() {
        dropped.push("stop".to_owned());
    }
    if !stop.is_empty() {
        body.set("stop_sequences", json!(stop));
    }
    let unknown = [
        ("seed", sampling.seed.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.is_some()),
        ("presence_penalty", sampling.presence_penalty.is_some()),
    ];
    dropped.extend(unknown.iter().filter(|(_, there)| *there).map(|(name, _)| (*name).to_owned()));
    Ok(())
}

fn is_system(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// All instructions, wherever they stand, because there is only one place for them.
fn system<'a>(chat: &'a Chat, dropped: &mut Vec<String>) -> Result<Option<Json<'a>>> {
    let mut parts = Vec::new();
    for message in chat.messages.iter().filter(|message| is_system(message)) {
        name_dropped(message, dropped);
        for part in &message.parts {
            match part {
                Part::Text { .. } | Part::Opaque(_) => parts.push(part),
                _ => dropped.push("system.content".to_owned()),
            }
        }
    }
    if let [Part::Text { text, extra }] = parts[..]
        && extra.for_wire(MESSAGES).next().is_none()
    {
        return Ok((!text.is_empty()).then_some(Json::Text(text)));
    }
    let blocks: Result<Vec<_>> = parts.into_iter().map(|part| request_block("system", part)).collect();
    let blocks: Vec<_> = blocks?.into_iter().flatten().collect();
    Ok((!blocks.is_empty()).then_some(Json::List(blocks)))
}

/// One turn as it is written: neighbours with one role are one.
#[derive(Default)]
struct Turn<'a> {
    role: &'static str,
    results: Vec<Json<'a>>,
    content: Vec<Json<'a>>,
    messages: Vec<&'a Message>,
}

fn turns<'a>(chat: &'a Chat, dropped: &mut Vec<String>) -> Result<Vec<Json<'a>>> {
    let mut turns: Vec<Turn<'a>> = Vec::new();
    for (at, message) in chat.messages.iter().enumerate().filter(|(_, message)| !is_system(message)) {
        name_dropped(message, dropped);
        let role = if message.role == Role::Assistant { "assistant" } else { "user" };
        let mut turn = turns.pop_if(|turn| turn.role == role).unwrap_or(Turn { role, ..Turn::default() });
        add(&mut turn, &format!("messages[{at}]"), message)?;
        // A message of which nothing is left is no turn.
        if !(turn.results.is_empty() && turn.content.is_empty()) {
            turns.push(turn);
        }
    }
    Ok(turns.into_iter().map(write_turn).collect())
}

fn add<'a>(turn: &mut Turn<'a>, path: &str, message: &'a Message) -> Result<()> {
    turn.messages.push(message);
    for part in &message.parts {
        let Some(block) = request_block(path, part)? else { continue };
        // The results of tools must come before everything else a turn says.
        if matches!(part, Part::ToolResult(_)) {
            turn.results.push(block);
        } else {
            turn.content.push(block);
        }
    }
    Ok(())
}

fn write_turn(turn: Turn<'_>) -> Json<'_> {
    let object = Object::default().with("role", turn.role);
    let content = match (&turn.messages[..], turn.content.len()) {
        ([message], 1) => match &message.parts[..] {
            [Part::Text { text, extra }] if extra.for_wire(MESSAGES).next().is_none() => {
                Some(Json::Text(text))
            }
            _ => None,
        },
        _ => None,
    };
    let content = content.unwrap_or_else(|| {
        let mut blocks = turn.results;
        blocks.extend(turn.content);
        Json::List(blocks)
    });
    let object = object.with("content", content);
    turn.messages.iter().fold(object, |object, message| object.with_extra(&message.extra)).into()
}

fn name_dropped(message: &Message, dropped: &mut Vec<String>) {
    if message.name.is_some() {
        dropped.push("messages[].name".to_owned());
    }
    let unsigned = |part: &Part| matches!(part, Part::Reasoning(reasoning) if !is_signed(reasoning));
    if message.parts.iter().any(unsigned) {
        dropped.push("messages[].content[].reasoning".to_owned());
    }
}

fn tool(tool: &Tool) -> Option<Json<'_>> {
    match tool {
        Tool::Function(function) => {
            let mut object = Object::default().with("name", function.name.as_str());
            object.set_some("description", function.description.as_ref());
            match &function.parameters {
                Some(schema) if schema.get() != "{}" => object.set("input_schema", schema),
                // A schema must say that it is one of an object.
                _ => object.set("input_schema", json!({"type": "object"})),
            }
            Some(object.with_extra(&function.extra).into())
        }
        Tool::Opaque(opaque) if opaque.wire == MESSAGES.as_str() => Some(Json::Raw(&opaque.value)),
        _ => None,
    }
}

fn choice<'a>(chat: &'a Chat, dropped: &mut Vec<String>) -> Option<Json<'a>> {
    if let Some((_, whole)) = chat.extra.for_wire(MESSAGES).find(|(name, _)| *name == "tool_choice") {
        return Some(Json::Raw(whole));
    }
    if chat.tools.is_empty() {
        if chat.tool_choice.as_ref().is_some_and(|choice| *choice != ToolChoice::None) {
            dropped.push("tool_choice".to_owned());
        }
        return None;
    }
    let disabled = chat.parallel_tool_calls.map(|parallel| !parallel);
    let mut object = match &chat.tool_choice {
        None if disabled != Some(true) => return None,
        None | Some(ToolChoice::Auto) => Object::typed("auto"),
        Some(ToolChoice::None) => return Some(Object::typed("none").into()),
        Some(ToolChoice::Required) => Object::typed("any"),
        Some(ToolChoice::Named(name)) => Object::typed("tool").with("name", name.as_str()),
    };
    object.set_some("disable_parallel_tool_use", disabled);
    Some(object.into())
}
