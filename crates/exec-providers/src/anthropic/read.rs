//! Reads a request: everything it says and everything that is wrong with it, without copying what is large.

use bytes::Bytes;
use exec_core::chat::{Chat, Extra, Message, Part, Role, Sampling};
use exec_core::{Input, Operation, Options, Request, Result};
use serde_json::value::RawValue;

use super::{MESSAGES, read_block, read_tool};
use crate::object::{Object, Path, Reader};

/// Reads a body of `/v1/messages`.
///
/// # Errors
/// `InvalidRequest` with every wrong field.
pub(super) fn read(body: &Bytes) -> Result<Request> {
    let (mut reader, mut fields) = Reader::open(body, MESSAGES)?;
    let r = &mut reader;
    let model = r.model(&mut fields);
    let stream = fields.take("stream").and_then(|raw| r.bool(&Path::Root.key("stream"), raw));
    let chat = chat(r, fields);
    let (model, chat) = reader.close((model, chat))?;
    let mut request = Request::new(Operation::CHAT, Input::received(MESSAGES, body.clone(), chat));
    request.model = model.map(Into::into);
    Ok(request.with_options(Options { stream: stream.unwrap_or(false), ..Options::default() }))
}

fn chat<'a>(r: &mut Reader<'a>, mut fields: Object<'a>) -> Chat {
    let sampling = sampling(r, &mut fields);
    let mut messages = system(r, &mut fields);
    messages.extend(turns(r, &mut fields));
    let tools = read_tool::tools(r, &mut fields);
    let choice = read_tool::choice(r, &mut fields);
    let mut extra = r.rest(&Path::Root, fields);
    if let Some(unread) = choice.unread {
        extra.insert("tool_choice", unread);
    }
    let (tool_choice, parallel_tool_calls) = (choice.choice, choice.parallel);
    Chat { messages, tools, tool_choice, parallel_tool_calls, sampling, extra }
}

fn sampling<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) -> Sampling {
    let path = Path::Root.key("max_tokens");
    let max_tokens = r.required(&path, fields.take("max_tokens"));
    let max_tokens = max_tokens.and_then(|raw| r.integer(&path, raw, 1_u64));
    let mut number = |name: &str| {
        let raw = fields.take(name)?;
        r.number(&Path::Root.key(name), raw, 0.0..=1.0)
    };
    let (temperature, top_p) = (number("temperature"), number("top_p"));
    let top_k = fields.take("top_k");
    let stop = fields.take("stop_sequences");
    Sampling {
        temperature,
        top_p,
        top_k: top_k.and_then(|raw| r.read(&Path::Root.key("top_k"), raw, "a whole number from 0")),
        max_tokens,
        stop: stop
            .and_then(|raw| r.read(&Path::Root.key("stop_sequences"), raw, "an array of strings"))
            .unwrap_or_default(),
        ..Sampling::default()
    }
}

fn system<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) -> Vec<Message> {
    let Some(system) = fields.take("system") else { return Vec::new() };
    let parts = read_block::content(r, &Path::Root.key("system"), system, false);
    if parts.is_empty() {
        return Vec::new();
    }
    vec![Message { role: Role::System, parts, name: None, extra: r.extra() }]
}

fn turns<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) -> Vec<Message> {
    let path = Path::Root.key("messages");
    let mut turns = Vec::new();
    let Some(raw) = r.required(&path, fields.take("messages")) else { return turns };
    let Some(messages) = r.array(&path, raw) else { return turns };
    if messages.is_empty() {
        r.error(&path, "required", "must have at least one message");
    }
    for (at, message) in messages.into_iter().enumerate() {
        turn(r, &path.index(at), message, &mut turns);
    }
    turns
}

fn turn<'a>(r: &mut Reader<'a>, path: &Path<'_>, message: &'a RawValue, turns: &mut Vec<Message>) {
    let Some(mut message) = r.object(path, message) else { return };
    let role = match r.name(path, &mut message, "role").as_deref() {
        Some("assistant") => Role::Assistant,
        Some("user") | None => Role::User,
        Some(_) => {
            let message = "must be user or assistant; instructions go into the top-level system";
            r.error(&path.key("role"), "invalid_value", message);
            Role::User
        }
    };
    let at = path.key("content");
    let Some(content) = r.required(&at, message.take("content")) else { return };
    let parts = read_block::content(r, &at, content, true);
    split(role, parts, r.rest(path, message), turns);
}

/// Gives each tool result of a user's turn a message of its own, as everybody else has it. Written in this format they
/// become one turn again.
fn split(role: Role, parts: Vec<Part>, extra: Extra, turns: &mut Vec<Message>) {
    let mut extra = Some(extra);
    let mut message = |role, parts| {
        let extra = extra.take().unwrap_or_else(|| Extra::of(MESSAGES));
        Message { role, parts, name: None, extra }
    };
    if role != Role::User || !parts.iter().any(|part| matches!(part, Part::ToolResult(_))) {
        turns.push(message(role, parts));
        return;
    }
    let mut words = Vec::new();
    for part in parts {
        if matches!(part, Part::ToolResult(_)) {
            if !words.is_empty() {
                turns.push(message(Role::User, std::mem::take(&mut words)));
            }
            turns.push(message(Role::Tool, vec![part]));
        } else {
            words.push(part);
        }
    }
    if !words.is_empty() {
        turns.push(message(Role::User, words));
    }
}
