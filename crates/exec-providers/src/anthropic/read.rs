//! Reads a request: everything it says and everything that is wrong with it, without copying what is large.

use std::ops::RangeInclusive;

use bytes::Bytes;
use exec_core::chat::{Chat, Extra, Message, Part, Role, Sampling};
use exec_core::{Error, ErrorKind, Input, Operation, Options, Request, Result, Text};
use serde_json::value::RawValue;

use super::MESSAGES;
use super::object::{Object, Reader, depth, join};
use super::{read_block, read_tool};

/// Deeper values could not be read as a tree by whoever looks at them later.
const MAX_DEPTH: usize = 100;

/// Reads a body of `/v1/messages`.
pub(super) fn read(body: &Bytes) -> Result<Request> {
    let json = parse(body)?;
    let mut reader = Reader { body, errors: Vec::new() };
    let Some(mut object) = reader.object("", json) else { return Err(Error::invalid(reader.errors)) };
    let model = reader.text("", &mut object, "model");
    if model.as_ref().is_some_and(|model| model.to_str().trim().is_empty()) {
        reader.fail("model", "required", "must not be empty");
    }
    let stream = reader.optional::<bool>("", &mut object, "stream", "true or false");
    let chat = chat(&mut reader, object);
    if !reader.errors.is_empty() {
        return Err(Error::invalid(reader.errors));
    }
    let input = Input::received(MESSAGES, body.clone(), chat);
    let options = Options { stream: stream.unwrap_or(false), ..Options::default() };
    let request = Request::new(Operation::CHAT, input).with_options(options);
    Ok(request.with_model(&*model.unwrap_or_default().to_str()))
}

fn parse(body: &Bytes) -> Result<&RawValue> {
    let text = std::str::from_utf8(body).map_err(|fault| {
        let message = format!("the body is not valid utf-8 at byte {}", fault.valid_up_to());
        Error::new(ErrorKind::InvalidRequest, message).with_code("invalid_utf8")
    })?;
    let json = serde_json::from_str(text).map_err(|fault| {
        let (line, column) = (fault.line(), fault.column());
        let message = format!("the body is not valid JSON at line {line}, column {column}");
        Error::new(ErrorKind::InvalidRequest, message).with_code("invalid_json")
    })?;
    if depth(text) > MAX_DEPTH {
        let message = format!("the body is nested deeper than {MAX_DEPTH} levels");
        return Err(Error::new(ErrorKind::InvalidRequest, message).with_code("too_deep"));
    }
    Ok(json)
}

fn chat<'a>(reader: &mut Reader<'a>, mut object: Object<'a>) -> Chat {
    let sampling = sampling(reader, &mut object);
    let mut messages = system(reader, &mut object);
    messages.extend(turns(reader, &mut object));
    let tools = read_tool::tools(reader, &mut object);
    let choice = read_tool::choice(reader, &mut object);
    let mut extra = object.rest(reader.body);
    if let Some(unread) = choice.unread {
        extra.insert("tool_choice", unread);
    }
    Chat {
        messages,
        tools,
        tool_choice: choice.choice,
        parallel_tool_calls: choice.parallel,
        sampling,
        extra,
    }
}

fn sampling<'a>(reader: &mut Reader<'a>, object: &mut Object<'a>) -> Sampling {
    let whole = "a whole number from 0";
    let max_tokens = reader.optional("", object, "max_tokens", whole);
    match max_tokens {
        Some(0) => reader.fail("max_tokens", "out_of_range", "must be at least 1"),
        None if !reader.errors.iter().any(|error| error.path == "max_tokens") => {
            reader.required("max_tokens");
        }
        _ => {}
    }
    Sampling {
        temperature: number(reader, object, "temperature", 0.0..=1.0),
        top_p: number(reader, object, "top_p", 0.0..=1.0),
        top_k: reader.optional("", object, "top_k", whole),
        max_tokens,
        stop: reader.optional("", object, "stop_sequences", "an array of strings").unwrap_or_default(),
        ..Sampling::default()
    }
}

fn number<'a>(
    reader: &mut Reader<'a>,
    object: &mut Object<'a>,
    name: &str,
    range: RangeInclusive<f64>,
) -> Option<f64> {
    let number = reader.optional("", object, name, "a number")?;
    if !range.contains(&number) {
        let message = format!("must be from {} to {}", range.start(), range.end());
        reader.fail(name, "out_of_range", message);
    }
    Some(number)
}

fn system<'a>(reader: &mut Reader<'a>, object: &mut Object<'a>) -> Vec<Message> {
    let Some(system) = object.take("system") else { return Vec::new() };
    let parts = read_block::content(reader, "system", system, false);
    if parts.is_empty() {
        return Vec::new();
    }
    vec![Message { role: Role::System, parts, name: None, extra: Extra::of(MESSAGES) }]
}

fn turns<'a>(reader: &mut Reader<'a>, object: &mut Object<'a>) -> Vec<Message> {
    let Some(messages) = object.take("messages") else {
        reader.required("messages");
        return Vec::new();
    };
    let messages = reader.array("messages", messages);
    if messages.as_ref().is_some_and(Vec::is_empty) {
        reader.fail("messages", "required", "must have at least one message");
    }
    let mut turns = Vec::new();
    for (at, message) in messages.unwrap_or_default().into_iter().enumerate() {
        turn(reader, &format!("messages[{at}]"), message, &mut turns);
    }
    turns
}

fn turn<'a>(reader: &mut Reader<'a>, path: &str, message: &'a RawValue, turns: &mut Vec<Message>) {
    let Some(mut message) = reader.object(path, message) else { return };
    let role = reader.text(path, &mut message, "role").map(Text::into_string);
    let role = match role.as_deref() {
        Some("assistant") => Role::Assistant,
        Some("user") | None => Role::User,
        Some(_) => {
            let message = "must be user or assistant; instructions go into the top-level system";
            reader.fail(join(path, "role"), "invalid_value", message);
            Role::User
        }
    };
    let Some(content) = message.take("content") else {
        return reader.required(join(path, "content"));
    };
    let parts = read_block::content(reader, &join(path, "content"), content, true);
    split(role, parts, message.rest(reader.body), turns);
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
