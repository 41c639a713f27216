//! Writes the messages of a conversation. Texts that lie in a received body are handed on as they lie there.

use exec_core::chat::{Opaque, Source, ToolCall, ToolResult};
use exec_core::{Chat, Error, Extra, FieldError, Message, Part, Result, Role, Text};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::encode::outer_extra;
use super::{CHAT, IN_FUNCTION, IN_IMAGE, OPAQUE_CALL};

/// Writes the fields of `extra` whose names begin with `prefix`, without it, except those `skip` names.
pub(super) fn write_extra<M: SerializeMap>(
    map: &mut M,
    extra: &Extra,
    prefix: &str,
    skip: impl Fn(&str) -> bool,
) -> Result<(), M::Error> {
    let named = extra.for_wire(CHAT).filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value)));
    for (name, value) in named.filter(|(name, _)| !skip(name)) {
        map.serialize_entry(name, value)?;
    }
    Ok(())
}

/// The messages as this format has them: every result of a tool is a message of its own.
pub(super) struct Messages<'a>(Vec<WireMessage<'a>>);

enum WireMessage<'a> {
    /// A turn, without the results of tools in it.
    Turn(&'a Message),
    /// The result of a tool, with the other fields of its turn if they belong to it.
    Result(&'a ToolResult, Option<&'a Message>),
}

impl<'a> Messages<'a> {
    /// # Errors
    /// `InvalidRequest` for a turn of a tool that holds no result.
    pub(super) fn of(chat: &'a Chat) -> Result<Self> {
        let mut messages = Vec::with_capacity(chat.messages.len());
        for (index, message) in chat.messages.iter().enumerate() {
            let before = messages.len();
            for part in &message.parts {
                if let Part::ToolResult(result) = part {
                    let fields = (message.role == Role::Tool && messages.len() == before).then_some(message);
                    messages.push(WireMessage::Result(result, fields));
                }
            }
            let results = messages.len() - before;
            if message.role == Role::Tool && results == 0 {
                let path = format!("messages[{index}].content");
                return Err(Error::invalid(vec![FieldError::new(
                    path,
                    "required",
                    "needs the result of a tool",
                )]));
            }
            if results == 0 || results < message.parts.len() {
                messages.push(WireMessage::Turn(message));
            }
        }
        Ok(Self(messages))
    }
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.0)
    }
}

impl Serialize for WireMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Turn(message) => turn(&mut map, message)?,
            Self::Result(result, fields) => {
                map.serialize_entry("role", "tool")?;
                map.serialize_entry("tool_call_id", &result.id)?;
                map.serialize_entry("content", &Content::of(&result.parts))?;
                let known = ["role", "tool_call_id", "content", "name"];
                write_extra(&mut map, &result.extra, "", |name| known.contains(&name))?;
                if let Some(message) = fields {
                    let taken = |name: &str| known.contains(&name) || result.extra.get(name).is_some();
                    name(&mut map, message)?;
                    write_extra(&mut map, &message.extra, "", taken)?;
                }
            }
        }
        map.end()
    }
}

fn name<M: SerializeMap>(map: &mut M, message: &Message) -> Result<(), M::Error> {
    message.name.as_ref().map_or(Ok(()), |name| map.serialize_entry("name", name))
}

fn turn<M: SerializeMap>(map: &mut M, message: &Message) -> Result<(), M::Error> {
    let role = match message.role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::Assistant => "assistant",
        // What a tool turn holds besides results is what the person says to them.
        Role::User | Role::Tool => "user",
    };
    map.serialize_entry("role", role)?;
    let content = Content::of(&message.parts);
    if message.role == Role::Assistant && content.0.is_empty() {
        map.serialize_entry("content", &())?;
    } else if content.0.is_empty() && !message.parts.is_empty() {
        // All of it meant nothing here; the turn itself must stay.
        map.serialize_entry("content", "")?;
    } else {
        map.serialize_entry("content", &content)?;
    }
    let calls: Vec<_> = message.parts.iter().filter_map(Call::of).collect();
    if !calls.is_empty() {
        map.serialize_entry("tool_calls", &calls)?;
    }
    // A tool's turn has given its other fields to the first result.
    if message.role == Role::Tool {
        return Ok(());
    }
    name(map, message)?;
    let known = ["role", "content", "name", "tool_calls"];
    write_extra(map, &message.extra, "", |name| known.contains(&name))
}

/// The parts that stand in a message's `content`.
struct Content<'a>(Vec<WirePart<'a>>);

enum WirePart<'a> {
    Text(&'a Text, &'a Extra),
    Image(&'a Source, &'a Extra),
    Opaque(&'a Opaque),
}

impl<'a> Content<'a> {
    fn of(parts: &'a [Part]) -> Self {
        let part = |part: &'a Part| match part {
            Part::Text { text, extra } => Some(WirePart::Text(text, extra)),
            Part::Image { source, extra } => Some(WirePart::Image(source, extra)),
            Part::Opaque(opaque) => {
                let ours = opaque.wire == CHAT.as_str() && !opaque.kind.starts_with(OPAQUE_CALL);
                ours.then_some(WirePart::Opaque(opaque))
            }
            _ => None,
        };
        Self(parts.iter().filter_map(part).collect())
    }
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [WirePart::Text(text, extra)] if extra.for_wire(CHAT).next().is_none() => {
                text.serialize(serializer)
            }
            parts => serializer.collect_seq(parts),
        }
    }
}

impl Serialize for WirePart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Self::Opaque(opaque) = self {
            return opaque.value.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Text(text, extra) => {
                map.serialize_entry("type", "text")?;
                map.serialize_entry("text", text)?;
                write_extra(&mut map, extra, "", |name| matches!(name, "type" | "text"))?;
            }
            Self::Image(source, extra) => {
                map.serialize_entry("type", "image_url")?;
                map.serialize_entry("image_url", &ImageUrl(source, extra))?;
                outer_extra(&mut map, extra, IN_IMAGE, &["type", "image_url"])?;
            }
            Self::Opaque(_) => {}
        }
        map.end()
    }
}

struct ImageUrl<'a>(&'a Source, &'a Extra);

impl Serialize for ImageUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Source::Url(url) => map.serialize_entry("url", url)?,
            Source::Base64 { media_type, data } => map.serialize_entry("url", &DataUrl(media_type, data))?,
        }
        write_extra(&mut map, self.1, IN_IMAGE, |name| name == "url")?;
        map.end()
    }
}

struct DataUrl<'a>(&'a str, &'a Text);

impl Serialize for DataUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Written piece by piece, so that the picture is handed on from where it lies.
        serializer.collect_str(&format_args!("data:{};base64,{}", self.0, self.1))
    }
}

enum Call<'a> {
    Function(&'a ToolCall),
    Opaque(&'a Opaque),
}

impl<'a> Call<'a> {
    fn of(part: &'a Part) -> Option<Self> {
        match part {
            Part::ToolCall(call) => Some(Self::Function(call)),
            Part::Opaque(opaque) => {
                let ours = opaque.wire == CHAT.as_str() && opaque.kind.starts_with(OPAQUE_CALL);
                ours.then_some(Self::Opaque(opaque))
            }
            _ => None,
        }
    }
}

impl Serialize for Call<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let call = match self {
            Self::Opaque(opaque) => return opaque.value.serialize(serializer),
            Self::Function(call) => call,
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &call.id)?;
        map.serialize_entry("type", "function")?;
        map.serialize_entry("function", &CallBody(call))?;
        outer_extra(&mut map, &call.extra, IN_FUNCTION, &["id", "type", "function"])?;
        map.end()
    }
}

struct CallBody<'a>(&'a ToolCall);

impl Serialize for CallBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.0.name)?;
        map.serialize_entry("arguments", &self.0.arguments)?;
        write_extra(&mut map, &self.0.extra, IN_FUNCTION, |name| matches!(name, "name" | "arguments"))?;
        map.end()
    }
}
