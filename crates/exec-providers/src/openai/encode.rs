//! Writes a chat completion request: the caller's own bytes with a few members replaced, or the conversation anew.

use bytes::Bytes;
use exec_core::chat::{Function, Tool, ToolChoice};
use exec_core::{Chat, Extra, Part, Request, Result};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

use super::encode_message::{Messages, write_extra};
use super::read::{STREAM_OPTIONS, StreamOptions};
use super::{CHAT, IN_FUNCTION};
use crate::fault::unwritable;
use crate::format::Encoded;
use crate::http::{Edit, encode_body, splice};

const PATH: &str = "/chat/completions";

/// Writes `request` for `model`.
pub(super) fn chat(request: &Request, model: &str, newer_limit: bool) -> Result<Encoded> {
    let stream = request.options.stream;
    if let Some(bytes) = request.input.bytes_in(CHAT) {
        return received(bytes, request.input.chat()?, model, stream);
    }
    let chat = request.input.chat()?;
    let messages = Messages::of(chat)?;
    let body = Body { chat, messages, model, stream, newer_limit };
    let source = request.input.as_received().map(|(_, bytes)| bytes.clone());
    let body = encode_body(&body, source.as_slice()).map_err(unwritable)?;
    Ok(Encoded { path: PATH, body, dropped: dropped(chat), verbatim: false, hide_usage: false })
}

/// The bytes as they came, with our model and with what makes the stream say its usage.
fn received(bytes: &Bytes, chat: &Chat, model: &str, stream: bool) -> Result<Encoded> {
    let mut edits = vec![Edit::set("model", &model)];
    let mut hide_usage = false;
    if stream {
        let given = StreamOptions::of(chat);
        hide_usage = !given.include_usage();
        edits.push(Edit::set("stream", &true));
        edits.push(Edit::set(STREAM_OPTIONS, &given.with_usage()));
    } else {
        edits.extend([Ok(Edit::remove("stream")), Ok(Edit::remove(STREAM_OPTIONS))]);
    }
    let edits: Result<Vec<_>, _> = edits.into_iter().collect();
    let body = edits.and_then(|edits| splice(bytes, &edits)).map_err(unwritable)?;
    Ok(Encoded { path: PATH, body, dropped: Vec::new(), verbatim: true, hide_usage })
}

/// What of `chat` this format has no words for.
fn dropped(chat: &Chat) -> Vec<String> {
    let mut names = chat.inexpressible_in(CHAT);
    if chat.sampling.top_k.is_some() {
        names.push("top_k".to_owned());
    }
    for part in chat.messages.iter().flat_map(|message| &message.parts) {
        match part {
            Part::Reasoning(_) => names.push("messages[].content[].reasoning".to_owned()),
            Part::ToolResult(result) if result.failed => {
                names.push("messages[].content[].failed".to_owned());
            }
            _ => {}
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

struct Body<'a> {
    chat: &'a Chat,
    messages: Messages<'a>,
    model: &'a str,
    stream: bool,
    newer_limit: bool,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let chat = self.chat;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", self.model)?;
        map.serialize_entry("messages", &self.messages)?;
        if self.stream {
            map.serialize_entry("stream", &true)?;
            map.serialize_entry(STREAM_OPTIONS, &StreamOptions::of(chat).with_usage())?;
        }
        self.tools(&mut map)?;
        self.sampling(&mut map)?;
        write_extra(&mut map, &chat.extra, "", |name| self.writes(name))?;
        map.end()
    }
}

impl Body<'_> {
    fn tools<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let tools: Vec<_> = self.chat.tools.iter().filter_map(WireTool::of).collect();
        if !tools.is_empty() {
            map.serialize_entry("tools", &tools)?;
        }
        match &self.chat.tool_choice {
            None => Ok(()),
            Some(ToolChoice::Auto) => map.serialize_entry("tool_choice", "auto"),
            Some(ToolChoice::None) => map.serialize_entry("tool_choice", "none"),
            Some(ToolChoice::Required) => map.serialize_entry("tool_choice", "required"),
            Some(ToolChoice::Named(name)) => {
                map.serialize_entry("tool_choice", &json!({"type": "function", "function": {"name": name}}))
            }
        }?;
        some(map, "parallel_tool_calls", self.chat.parallel_tool_calls.as_ref())
    }

    fn sampling<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let sampling = &self.chat.sampling;
        let limit = if self.newer_limit { "max_completion_tokens" } else { "max_tokens" };
        some(map, "temperature", sampling.temperature.as_ref())?;
        some(map, "top_p", sampling.top_p.as_ref())?;
        some(map, limit, sampling.max_tokens.as_ref())?;
        some(map, "seed", sampling.seed.as_ref())?;
        some(map, "frequency_penalty", sampling.frequency_penalty.as_ref())?;
        some(map, "presence_penalty", sampling.presence_penalty.as_ref())?;
        some(map, "stop", Some(&sampling.stop).filter(|stop| !stop.is_empty()))
    }

    /// Whether we write the member `name` ourselves, so that an unknown field of that name must not.
    fn writes(&self, name: &str) -> bool {
        match name {
            "model" | "messages" | "stream" | STREAM_OPTIONS | "n" | "tools" => true,
            "tool_choice" => self.chat.tool_choice.is_some(),
            "max_tokens" | "max_completion_tokens" => self.chat.sampling.max_tokens.is_some(),
            _ => false,
        }
    }
}

fn some<M: SerializeMap, T: Serialize>(map: &mut M, key: &str, value: Option<&T>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, value))
}

enum WireTool<'a> {
    Function(&'a Function),
    Opaque(&'a exec_core::Raw),
}

impl<'a> WireTool<'a> {
    fn of(tool: &'a Tool) -> Option<Self> {
        match tool {
            Tool::Function(function) => Some(Self::Function(function)),
            Tool::Opaque(tool) if tool.wire == CHAT.as_str() => Some(Self::Opaque(&tool.value)),
            _ => None,
        }
    }
}

impl Serialize for WireTool<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Opaque(value) => value.serialize(serializer),
            Self::Function(function) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("type", "function")?;
                map.serialize_entry("function", &Inner(function))?;
                outer_extra(&mut map, &function.extra, IN_FUNCTION, &["type", "function"])?;
                map.end()
            }
        }
    }
}

/// Writes the fields of `extra` that did not stand inside the member that `prefix` names.
pub(super) fn outer_extra<M: SerializeMap>(
    map: &mut M,
    extra: &Extra,
    prefix: &str,
    written: &[&str],
) -> Result<(), M::Error> {
    write_extra(map, extra, "", |name| name.starts_with(prefix) || written.contains(&name))
}

struct Inner<'a>(&'a Function);

impl Serialize for Inner<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let function = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &function.name)?;
        some(&mut map, "description", function.description.as_ref())?;
        some(&mut map, "parameters", function.parameters.as_ref())?;
        let known = ["name", "description", "parameters"];
        write_extra(&mut map, &function.extra, IN_FUNCTION, |name| known.contains(&name))?;
        map.end()
    }
}
