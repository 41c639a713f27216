//! Reads tools, the choice among them, and calls of them.

use exec_core::Part;
use exec_core::chat::{Function, Tool, ToolCall, ToolChoice};
use serde_json::value::RawValue;

use super::{IN_FUNCTION, OPAQUE_CALL};
use crate::object::{Path, Reader};

pub(super) fn tool<'a>(r: &mut Reader<'a>, path: &Path<'_>, raw: &'a RawValue) -> Option<Tool> {
    let mut fields = r.object(path, raw)?;
    let kind = r.name(path, &mut fields, "type")?;
    if kind != "function" {
        return Some(Tool::Opaque(r.opaque(path, kind, raw)));
    }
    let at = path.key("function");
    let raw = r.required(&at, fields.take("function"))?;
    let mut inner = r.object(&at, raw)?;
    let name = r.name(&at, &mut inner, "name")?;
    let description = inner.take("description").and_then(|raw| r.text(&at.key("description"), raw));
    let parameters = inner.take("parameters").map(|raw| {
        if !raw.get().starts_with('{') {
            r.error(&at.key("parameters"), "invalid_type", "must be an object: a JSON Schema");
        }
        r.raw(&at.key("parameters"), raw)
    });
    let mut extra = r.rest(path, fields);
    r.rest_into(&at, inner, IN_FUNCTION, &mut extra);
    Some(Tool::Function(Function { name, description, parameters, extra }))
}

/// The choice, if it is one we have a name for.
pub(super) fn choice<'a>(r: &mut Reader<'a>, path: &Path<'_>, raw: &'a RawValue) -> Option<ToolChoice> {
    if raw.get().starts_with('{') {
        return named(raw);
    }
    match r.string(path, raw)?.as_str() {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        _ => {
            r.error(path, "invalid_value", "must be auto, none, required or an object that names a function");
            None
        }
    }
}

fn named(raw: &RawValue) -> Option<ToolChoice> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Choice {
        r#type: String,
        function: Name,
    }
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Name {
        name: String,
    }
    let choice: Choice = serde_json::from_str(raw.get()).ok()?;
    (choice.r#type == "function").then_some(ToolChoice::Named(choice.function.name))
}

/// A call the model made in an earlier turn.
pub(super) fn call<'a>(r: &mut Reader<'a>, path: &Path<'_>, raw: &'a RawValue) -> Option<Part> {
    let mut fields = r.object(path, raw)?;
    let kind = match fields.take("type") {
        Some(raw) => r.string(&path.key("type"), raw)?,
        None => "function".to_owned(),
    };
    if kind != "function" {
        let kind = [OPAQUE_CALL, &kind].concat();
        return Some(Part::Opaque(r.opaque(path, kind, raw)));
    }
    let id = r.name(path, &mut fields, "id");
    let at = path.key("function");
    let raw = r.required(&at, fields.take("function"))?;
    let mut inner = r.object(&at, raw)?;
    let name = r.name(&at, &mut inner, "name");
    let arguments = r.member(&at, &mut inner, "arguments");
    let mut extra = r.rest(path, fields);
    r.rest_into(&at, inner, IN_FUNCTION, &mut extra);
    Some(Part::ToolCall(ToolCall { id: id?, name: name?, arguments: arguments?, extra }))
}
