//! Reads one message of a chat completion request, and its parts.

use exec_core::chat::{Source, ToolResult};
use exec_core::{Message, Part, Role, Text};
use serde_json::value::RawValue;

use super::{IN_IMAGE, read_tool};
use crate::object::{Object, Path, Reader};

pub(super) fn message<'a>(r: &mut Reader<'a>, path: &Path<'_>, raw: &'a RawValue) -> Option<Message> {
    let mut fields = r.object(path, raw)?;
    let role = role(r, path, &mut fields)?;
    let name = fields.take("name").and_then(|raw| r.string(&path.key("name"), raw));
    let content = fields.take("content");
    if role != Role::Assistant {
        r.required(&path.key("content"), content);
    }
    let read = |raw| r.content(&path.key("content"), raw, "a string or an array of parts", part);
    let mut parts = content.map(read).unwrap_or_default();
    if role == Role::Tool {
        parts = vec![tool_result(r, path, &mut fields, parts)];
    }
    if role == Role::Assistant
        && let Some(raw) = fields.take("tool_calls")
    {
        let path = path.key("tool_calls");
        let items = r.array(&path, raw).unwrap_or_default();
        parts.extend(items.iter().enumerate().filter_map(|(i, raw)| read_tool::call(r, &path.index(i), raw)));
    }
    Some(Message { role, parts, name, extra: r.rest(path, fields) })
}

fn role<'a>(r: &mut Reader<'a>, path: &Path<'_>, fields: &mut Object<'a>) -> Option<Role> {
    let role = match r.name(path, fields, "role")?.as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" => Role::Tool,
        _ => {
            let message = "must be one of system, developer, user, assistant, tool";
            r.error(&path.key("role"), "invalid_value", message);
            return None;
        }
    };
    Some(role)
}

fn tool_result<'a>(r: &mut Reader<'a>, path: &Path<'_>, fields: &mut Object<'a>, parts: Vec<Part>) -> Part {
    let id = r.name(path, fields, "tool_call_id");
    Part::ToolResult(ToolResult { id: id.unwrap_or_default(), parts, failed: false, extra: r.extra() })
}

fn part<'a>(r: &mut Reader<'a>, path: &Path<'_>, raw: &'a RawValue) -> Option<Part> {
    let mut fields = r.object(path, raw)?;
    let kind = r.name(path, &mut fields, "type")?;
    match kind.as_str() {
        "text" => {
            let text = r.member(path, &mut fields, "text")?;
            Some(Part::Text { text, extra: r.rest(path, fields) })
        }
        "image_url" => image(r, path, fields),
        _ => Some(Part::Opaque(r.opaque(path, kind, raw))),
    }
}

fn image<'a>(r: &mut Reader<'a>, path: &Path<'_>, mut fields: Object<'a>) -> Option<Part> {
    let at = path.key("image_url");
    let raw = r.required(&at, fields.take("image_url"))?;
    let mut inner = r.object(&at, raw)?;
    let url_path = at.key("url");
    let url_raw = r.required(&url_path, inner.take("url"))?;
    let url = r.text(&url_path, url_raw)?;
    let mut extra = r.rest(path, fields);
    r.rest_into(&at, inner, IN_IMAGE, &mut extra);
    Some(Part::Image { source: source(url_raw, url), extra })
}

fn source(raw: &RawValue, url: Text) -> Source {
    let inline = raw.get().starts_with("\"data:").then(|| url.split_once(',')).flatten();
    match inline {
        Some((head, data)) => match media_type(&head) {
            Some(media_type) => Source::Base64 { media_type: media_type.to_owned(), data },
            None => Source::Url(url),
        },
        None => Source::Url(url),
    }
}

/// `image/png` of `data:image/png;base64`.
fn media_type(head: &str) -> Option<&str> {
    head.strip_prefix("data:")?.strip_suffix(";base64").filter(|media_type| !media_type.is_empty())
}
