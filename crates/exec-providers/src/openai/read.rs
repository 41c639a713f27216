//! Reads a chat completion request without copying what is large in it.

use bytes::Bytes;
use exec_core::chat::{Sampling, Tool};
use exec_core::{Chat, Input, Message, Operation, Options, Request, Result};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{CHAT, read_message, read_tool};
use crate::object::{Object, Path, Reader};

/// What the caller says about the stream it wants; whoever writes the answer looks there.
pub(super) const STREAM_OPTIONS: &str = "stream_options";

/// Reads `body`.
///
/// # Errors
/// `InvalidRequest` with every wrong field.
pub(super) fn request(body: &Bytes) -> Result<Request> {
    let (mut reader, mut fields) = Reader::open(body, CHAT)?;
    let r = &mut reader;
    let root = Path::Root;
    let model = r.model(&mut fields);
    let stream = fields.take("stream").and_then(|raw| r.bool(&root.key("stream"), raw)).unwrap_or(false);
    stream_options(r, &fields);
    one_answer(r, &mut fields);
    let chat = chat(r, fields);
    let (model, chat) = reader.close((model, chat))?;
    let mut request = Request::new(Operation::CHAT, Input::received(CHAT, body.clone(), chat));
    request.model = model.map(Into::into);
    Ok(request.with_options(Options { stream, ..Options::default() }))
}

/// Only checked: it is no part of the conversation and stays among the fields without a name.
fn stream_options<'a>(r: &mut Reader<'a>, fields: &Object<'a>) {
    let path = Path::Root.key(STREAM_OPTIONS);
    let Some(raw) = fields.get(STREAM_OPTIONS).filter(|raw| raw.get() != "null") else { return };
    let Some(mut options) = r.object(&path, raw) else { return };
    if let Some(raw) = options.take("include_usage") {
        r.bool(&path.key("include_usage"), raw);
    }
}

fn one_answer<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) {
    let path = Path::Root.key("n");
    let n = fields.take("n").and_then(|raw| r.integer(&path, raw, 1_u64));
    if n.is_some_and(|n| n > 1) {
        r.error(&path, "unsupported", "must be 1: for several answers send several requests");
    }
}

fn chat<'a>(r: &mut Reader<'a>, mut fields: Object<'a>) -> Chat {
    let mut extra = r.extra();
    let messages = messages(r, &mut fields);
    let tools = tools(r, &mut fields);
    let root = Path::Root;
    let path = root.key("parallel_tool_calls");
    let parallel_tool_calls = fields.take("parallel_tool_calls").and_then(|raw| r.bool(&path, raw));
    let mut tool_choice = None;
    if let Some(raw) = fields.take("tool_choice") {
        tool_choice = read_tool::choice(r, &root.key("tool_choice"), raw);
        // A way of choosing we have no name for is kept as it is.
        if tool_choice.is_none() {
            extra.insert("tool_choice", r.raw(&root.key("tool_choice"), raw));
        }
    }
    let sampling = sampling(r, &mut fields);
    r.rest_into(&root, fields, "", &mut extra);
    Chat { messages, tools, tool_choice, parallel_tool_calls, sampling, extra }
}

fn messages<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) -> Vec<Message> {
    let path = Path::Root.key("messages");
    let Some(raw) = r.required(&path, fields.take("messages")) else { return Vec::new() };
    let Some(items) = r.array(&path, raw) else { return Vec::new() };
    if items.is_empty() {
        r.error(&path, "empty", "must hold at least one message");
    }
    let read = |(index, raw): (usize, &&'a RawValue)| read_message::message(r, &path.index(index), raw);
    items.iter().enumerate().filter_map(read).collect()
}

fn tools<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) -> Vec<Tool> {
    let path = Path::Root.key("tools");
    let items = fields.take("tools").and_then(|raw| r.array(&path, raw)).unwrap_or_default();
    let read = |(index, raw): (usize, &&'a RawValue)| read_tool::tool(r, &path.index(index), raw);
    items.iter().enumerate().filter_map(read).collect()
}

fn sampling<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) -> Sampling {
    let mut number = |key: &str, range| {
        let raw = fields.take(key)?;
        r.number(&Path::Root.key(key), raw, range)
    };
    let (temperature, top_p) = (number("temperature", 0.0..=2.0), number("top_p", 0.0..=1.0));
    let frequency_penalty = number("frequency_penalty", -2.0..=2.0);
    let presence_penalty = number("presence_penalty", -2.0..=2.0);
    Sampling {
        temperature,
        top_p,
        top_k: None,
        max_tokens: max_tokens(r, fields),
        stop: stop(r, fields),
        seed: fields.take("seed").and_then(|raw| r.integer(&Path::Root.key("seed"), raw, i64::MIN)),
        frequency_penalty,
        presence_penalty,
    }
}

/// The limit has an old and a new name.
fn max_tokens<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) -> Option<u64> {
    let mut limit = |key: &str| {
        let raw = fields.take(key)?;
        r.integer(&Path::Root.key(key), raw, 1_u64)
    };
    let (old, new) = (limit("max_tokens"), limit("max_completion_tokens"));
    if old.is_some() && new.is_some() && old != new {
        let message = "must not differ from max_tokens: send one of them";
        r.error(&Path::Root.key("max_completion_tokens"), "conflict", message);
    }
    new.or(old)
}

fn stop<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) -> Vec<String> {
    let path = Path::Root.key("stop");
    let Some(raw) = fields.take("stop") else { return Vec::new() };
    if raw.get().starts_with('"') {
        return r.string(&path, raw).into_iter().collect();
    }
    if !raw.get().starts_with('[') {
        r.error(&path, "invalid_type", "must be a string or an array of strings");
        return Vec::new();
    }
    let items = r.array(&path, raw).unwrap_or_default();
    items.iter().enumerate().filter_map(|(i, raw)| r.string(&path.index(i), raw)).collect()
}

/// What a caller says about the stream it wants.
#[derive(Default)]
pub(super) struct StreamOptions(Map<String, Value>);

impl StreamOptions {
    /// What `chat` says, if it came in this format.
    pub(super) fn of(chat: &Chat) -> Self {
        let given = chat.extra.for_wire(CHAT).find(|(name, _)| *name == STREAM_OPTIONS);
        Self(given.and_then(|(_, options)| options.read().ok()).unwrap_or_default())
    }

    pub(super) fn include_usage(&self) -> bool {
        self.0.get("include_usage").and_then(Value::as_bool).unwrap_or(false)
    }

    /// The same, with the usage asked for.
    pub(super) fn with_usage(mut self) -> Map<String, Value> {
        self.0.insert("include_usage".to_owned(), Value::Bool(true));
        self.0
    }
}
