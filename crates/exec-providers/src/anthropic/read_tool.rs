//! Reads the tools of a request, and whether one must be called.

use exec_core::chat::{Function, Tool, ToolChoice};
use exec_core::{Raw, Text};
use serde_json::value::RawValue;

use super::object::{Object, Reader, join, opaque};

/// What `tool_choice` says.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) choice: Option<ToolChoice>,
    pub(super) parallel: Option<bool>,
    /// The whole of it, when it says more than we have names for.
    pub(super) unread: Option<Raw>,
}

/// Takes the tools out of a request.
pub(super) fn tools<'a>(reader: &mut Reader<'a>, object: &mut Object<'a>) -> Vec<Tool> {
    let Some(tools) = object.take("tools") else { return Vec::new() };
    let tools = reader.array("tools", tools).unwrap_or_default();
    let read = |(at, json)| tool(reader, &format!("tools[{at}]"), json);
    tools.into_iter().enumerate().filter_map(read).collect()
}

fn tool<'a>(reader: &mut Reader<'a>, path: &str, json: &'a RawValue) -> Option<Tool> {
    let mut tool = reader.object(path, json)?;
    let kind: Option<String> = reader.optional(path, &mut tool, "type", "a string");
    match kind {
        // Tools the provider runs itself have types of their own, with a date in them.
        Some(kind) if kind != "custom" => Some(Tool::Opaque(opaque(reader.body, kind, json))),
        _ => function(reader, path, tool),
    }
}

fn function<'a>(reader: &mut Reader<'a>, path: &str, mut tool: Object<'a>) -> Option<Tool> {
    let name = reader.text(path, &mut tool, "name");
    let description = match tool.get("description") {
        Some(value) if value.get() != "null" => reader.text(path, &mut tool, "description"),
        _ => tool.text(reader.body, "description"),
    };
    let schema = tool.take("input_schema");
    match schema {
        None => reader.required(join(path, "input_schema")),
        Some(schema) if !schema.get().starts_with('{') => {
            reader.wrong_type(join(path, "input_schema"), "an object");
        }
        Some(_) => {}
    }
    Some(Tool::Function(Function {
        name: name?.into_string(),
        description,
        parameters: schema.map(|schema| Raw::of(reader.body, schema)),
        extra: tool.rest(reader.body),
    }))
}

/// Takes `tool_choice` out of a request.
pub(super) fn choice<'a>(reader: &mut Reader<'a>, object: &mut Object<'a>) -> Choice {
    let path = "tool_choice";
    let Some(json) = object.take(path) else { return Choice::default() };
    let Some(mut choice) = reader.object(path, json) else { return Choice::default() };
    let kind = reader.text(path, &mut choice, "type").map(Text::into_string);
    let flag = "disable_parallel_tool_use";
    let disabled: Option<bool> = reader.optional(path, &mut choice, flag, "true or false");
    let named = match kind.as_deref() {
        Some("auto") => Some(ToolChoice::Auto),
        Some("any") => Some(ToolChoice::Required),
        Some("none") => Some(ToolChoice::None),
        Some("tool") => {
            reader.text(path, &mut choice, "name").map(|name| ToolChoice::Named(name.into_string()))
        }
        Some(_) => {
            reader.fail("tool_choice.type", "invalid_value", "must be auto, any, tool or none");
            None
        }
        None => None,
    };
    let unread = (!choice.is_empty()).then(|| Raw::of(reader.body, json));
    Choice { choice: named, parallel: disabled.map(|disabled| !disabled), unread }
}
