//! Reads the blocks a turn is made of.

use exec_core::chat::{Part, Reasoning, Source, ToolCall, ToolResult};
use serde_json::value::RawValue;

use crate::object::{Object, Path, Reader};

/// Reads a content that is a string or a list of blocks. `results` says whether tool results may be among them; they
/// never are inside each other, so this goes two levels deep and no deeper.
pub(super) fn content<'a>(
    r: &mut Reader<'a>,
    path: &Path<'_>,
    content: &'a RawValue,
    results: bool,
) -> Vec<Part> {
    let block = |r: &mut Reader<'a>, path: &Path<'_>, raw: &'a RawValue| block(r, path, raw, results);
    r.content(path, content, "a string or an array of blocks", block)
}

fn block<'a>(r: &mut Reader<'a>, path: &Path<'_>, raw: &'a RawValue, results: bool) -> Option<Part> {
    let mut block = r.object(path, raw)?;
    let kind = r.name(path, &mut block, "type")?;
    match kind.as_str() {
        "text" => {
            let text = r.member(path, &mut block, "text")?;
            Some(Part::Text { text, extra: r.rest(path, block) })
        }
        "image" => image(r, path, raw, block),
        "tool_use" => tool_use(r, path, block),
        "tool_result" if results => tool_result(r, path, block),
        "thinking" => {
            let text = r.member(path, &mut block, "thinking")?;
            let signature = block.take("signature").and_then(|raw| r.text(&path.key("signature"), raw));
            let signature = signature.filter(|signature| !signature.is_empty());
            Some(Part::Reasoning(Reasoning { text, signature, extra: r.rest(path, block) }))
        }
        _ => Some(Part::Opaque(r.opaque(path, kind, raw))),
    }
}

fn image<'a>(r: &mut Reader<'a>, path: &Path<'_>, raw: &'a RawValue, mut block: Object<'a>) -> Option<Part> {
    let at = path.key("source");
    let source = r.required(&at, block.take("source"))?;
    let mut source = r.object(&at, source)?;
    let known = match r.name(&at, &mut source, "type")?.as_str() {
        "base64" => {
            let media_type = r.name(&at, &mut source, "media_type")?;
            Source::Base64 { media_type, data: r.member(&at, &mut source, "data")? }
        }
        "url" => Source::Url(r.member(&at, &mut source, "url")?),
        _ => return Some(Part::Opaque(r.opaque(path, "image", raw))),
    };
    // A source that says more than we have names for is better kept as it is than lost in part.
    if source.is_empty() {
        Some(Part::Image { source: known, extra: r.rest(path, block) })
    } else {
        Some(Part::Opaque(r.opaque(path, "image", raw)))
    }
}

fn tool_use<'a>(r: &mut Reader<'a>, path: &Path<'_>, mut block: Object<'a>) -> Option<Part> {
    let id = r.name(path, &mut block, "id");
    let name = r.name(path, &mut block, "name");
    let at = path.key("input");
    let input = r.required(&at, block.take("input"))?;
    if !input.get().starts_with('{') {
        r.wrong_type::<()>(&at, "an object");
    }
    let arguments = r.json_text(&at, input)?;
    let extra = r.rest(path, block);
    Some(Part::ToolCall(ToolCall { id: id?, name: name?, arguments, extra }))
}

fn tool_result<'a>(r: &mut Reader<'a>, path: &Path<'_>, mut block: Object<'a>) -> Option<Part> {
    let id = r.name(path, &mut block, "tool_use_id");
    let failed = block.take("is_error").and_then(|raw| r.bool(&path.key("is_error"), raw)).unwrap_or(false);
    let content = block.take("content");
    let parts = content.map(|raw| self::content(r, &path.key("content"), raw, false)).unwrap_or_default();
    let extra = r.rest(path, block);
    Some(Part::ToolResult(ToolResult { id: id?, parts, failed, extra }))
}
