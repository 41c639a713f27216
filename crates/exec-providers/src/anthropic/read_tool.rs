//! Reads the tools of a request, and whether one must be called.

use exec_core::Raw;
use exec_core::chat::{Function, Tool, ToolChoice};
use serde_json::value::RawValue;

use crate::object::{Object, Path, Reader};

/// What `tool_choice` says.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) choice: Option<ToolChoice>,
    pub(super) parallel: Option<bool>,
    /// The whole of it, when it says more than we have names for.
    pub(super) unread: Option<Raw>,
}

/// Takes the tools out of a request.
pub(super) fn tools<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) -> Vec<Tool> {
    let path = Path::Root.key("tools");
    let items = fields.take("tools").and_then(|raw| r.array(&path, raw)).unwrap_or_default();
    items.into_iter().enumerate().filter_map(|(at, raw)| tool(r, &path.index(at), raw)).collect()
}

fn tool<'a>(r: &mut Reader<'a>, path: &Path<'_>, raw: &'a RawValue) -> Option<Tool> {
    let mut tool = r.object(path, raw)?;
    let kind = tool.take("type").and_then(|raw| r.string(&path.key("type"), raw));
    match kind {
        // Tools the provider runs itself have types of their own, with a date in them.
        Some(kind) if kind != "custom" => Some(Tool::Opaque(r.opaque(path, kind, raw))),
        _ => function(r, path, tool),
    }
}

fn function<'a>(r: &mut Reader<'a>, path: &Path<'_>, mut tool: Object<'a>) -> Option<Tool> {
    let name = r.name(path, &mut tool, "name");
    let description = tool.take("description").and_then(|raw| r.text(&path.key("description"), raw));
    let at = path.key("input_schema");
    let parameters = r.required(&at, tool.take("input_schema")).map(|raw| {
        if !raw.get().starts_with('{') {
            r.wrong_type::<()>(&at, "an object");
        }
        r.raw(&at, raw)
    });
    let extra = r.rest(path, tool);
    Some(Tool::Function(Function { name: name?, description, parameters, extra }))
}

/// Takes `tool_choice` out of a request.
pub(super) fn choice<'a>(r: &mut Reader<'a>, fields: &mut Object<'a>) -> Choice {
    let path = Path::Root.key("tool_choice");
    let Some(raw) = fields.take("tool_choice") else { return Choice::default() };
    let Some(mut choice) = r.object(&path, raw) else { return Choice::default() };
    let kind = r.name(&path, &mut choice, "type");
    let flag = "disable_parallel_tool_use";
    let disabled = choice.take(flag).and_then(|raw| r.bool(&path.key(flag), raw));
    let named = match kind.as_deref() {
        Some("auto") => Some(ToolChoice::Auto),
        Some("any") => Some(ToolChoice::Required),
        Some("none") => Some(ToolChoice::None),
        Some("tool") => r.name(&path, &mut choice, "name").map(ToolChoice::Named),
        Some(_) => {
            r.error(&path.key("type"), "invalid_value", "must be auto, any, tool or none");
            None
        }
        None => None,
    };
    let unread = (!choice.is_empty()).then(|| r.raw(&path, raw));
    Choice { choice: named, parallel: disabled.map(|disabled| !disabled), unread }
}
