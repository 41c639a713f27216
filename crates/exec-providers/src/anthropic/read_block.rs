//! Reads the blocks a turn is made of.

use exec_core::Text;
use exec_core::chat::{Extra, Part, Reasoning, Source, ToolCall, ToolResult};
use serde_json::value::RawValue;

use super::MESSAGES;
use super::object::{Object, Reader, join, opaque};

/// Reads a content that is a string or a list of blocks. `results` says whether tool results may be among them; they
/// never are inside each other, so this goes two levels deep and no deeper.
pub(super) fn content<'a>(
    reader: &mut Reader<'a>,
    path: &str,
    content: &'a RawValue,
    results: bool,
) -> Vec<Part> {
    if let Some(text) = Text::of(reader.body, content) {
        reader.check_text(path, content);
        return vec![Part::Text { text, extra: Extra::of(MESSAGES) }];
    }
    if !content.get().starts_with('[') {
        reader.wrong_type(path, "a string or an array of blocks");
        return Vec::new();
    }
    let blocks = reader.array(path, content).unwrap_or_default();
    let mut parts = Vec::with_capacity(blocks.len());
    for (at, block) in blocks.into_iter().enumerate() {
        parts.extend(read_block(reader, &format!("{path}[{at}]"), block, results));
    }
    parts
}

fn read_block<'a>(reader: &mut Reader<'a>, path: &str, json: &'a RawValue, results: bool) -> Option<Part> {
    let mut block = reader.object(path, json)?;
    let kind = reader.text(path, &mut block, "type")?.into_string();
    match kind.as_str() {
        "text" => {
            let text = reader.text(path, &mut block, "text")?;
            Some(Part::Text { text, extra: block.rest(reader.body) })
        }
        "image" => image(reader, path, json, block),
        "tool_use" => tool_use(reader, path, block),
        "tool_result" if results => tool_result(reader, path, block),
        "thinking" => {
            let text = reader.text(path, &mut block, "thinking")?;
            let signature = block.text(reader.body, "signature").filter(|signature| !signature.is_empty());
            Some(Part::Reasoning(Reasoning { text, signature, extra: block.rest(reader.body) }))
        }
        _ => Some(Part::Opaque(opaque(reader.body, kind, json))),
    }
}

fn image<'a>(reader: &mut Reader<'a>, path: &str, json: &'a RawValue, mut block: Object<'a>) -> Option<Part> {
    let Some(source) = block.take("source") else {
        reader.required(join(path, "source"));
        return None;
    };
    let path = join(path, "source");
    let mut source = reader.object(&path, source)?;
    let kind = reader.text(&path, &mut source, "type")?;
    let known = match &*kind.to_str() {
        "base64" => {
            let media_type = reader.text(&path, &mut source, "media_type")?.into_string();
            Source::Base64 { media_type, data: reader.text(&path, &mut source, "data")? }
        }
        "url" => Source::Url(reader.text(&path, &mut source, "url")?),
        _ => return Some(Part::Opaque(opaque(reader.body, "image", json))),
    };
    // A source that says more than we have names for is better kept as it is than lost in part.
    if source.is_empty() {
        Some(Part::Image { source: known, extra: block.rest(reader.body) })
    } else {
        Some(Part::Opaque(opaque(reader.body, "image", json)))
    }
}

fn tool_use<'a>(reader: &mut Reader<'a>, path: &str, mut block: Object<'a>) -> Option<Part> {
    let id = reader.text(path, &mut block, "id");
    let name = reader.text(path, &mut block, "name");
    let Some(input) = block.take("input") else {
        reader.required(join(path, "input"));
        return None;
    };
    if !input.get().starts_with('{') {
        reader.wrong_type(join(path, "input"), "an object");
    }
    Some(Part::ToolCall(ToolCall {
        id: id?.into_string(),
        name: name?.into_string(),
        arguments: input.get().into(),
        extra: block.rest(reader.body),
    }))
}

fn tool_result<'a>(reader: &mut Reader<'a>, path: &str, mut block: Object<'a>) -> Option<Part> {
    let id = reader.text(path, &mut block, "tool_use_id");
    let failed = reader.optional(path, &mut block, "is_error", "true or false").unwrap_or(false);
    let parts = match block.take("content") {
        Some(json) => content(reader, &join(path, "content"), json, false),
        None => Vec::new(),
    };
    let id = id?.into_string();
    Some(Part::ToolResult(ToolResult { id, parts, failed, extra: block.rest(reader.body) }))
}
