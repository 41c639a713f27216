//! Which tools a simulator calls, and with what: arguments that its trivial reading of their JSON Schema allows.

use exec_core::chat::{Function, Role, Tool, ToolChoice};
use exec_core::{Chat, Chunk, ToolDelta};
use serde_json::{Map, Value, json};

use super::rng::Rng;

/// The most calls in one answer.
const MAX_CALLS: usize = 16;

/// The deepest a schema is followed; below it everything is `null`.
const MAX_DEPTH: usize = 8;

/// The most items put into an array because its schema asks for them.
const MAX_ITEMS: u64 = 16;

/// The most values in the arguments of one call.
const MAX_VALUES: u32 = 1024;

/// How many characters of arguments make a token.
const TOKEN_CHARS: usize = 8;

/// The calls the conversation asks for, as tokens; empty when it asks for words.
///
/// A tool is called when `tool_choice` demands it, or when the last turn is the user's and has `[call:NAME]` in it.
pub(super) fn calls(rng: &mut Rng, chat: &Chat) -> Vec<Chunk> {
    let mut tokens = Vec::new();
    for (index, function) in (0..).zip(called(chat)) {
        let id = format!("call_simulator_{:016x}", rng.next());
        let first =
            ToolDelta { index, id: Some(id), name: Some(function.name.clone()), ..ToolDelta::default() };
        tokens.push(Chunk::ToolCall(first));
        let arguments: Vec<char> = arguments(function).to_string().chars().collect();
        tokens.extend(arguments.chunks(TOKEN_CHARS).map(|piece| {
            Chunk::ToolCall(ToolDelta { index, arguments: piece.iter().collect(), ..ToolDelta::default() })
        }));
    }
    tokens
}

fn called(chat: &Chat) -> Vec<&Function> {
    let functions =
        || chat.tools.iter().filter_map(|tool| if let Tool::Function(f) = tool { Some(f) } else { None });
    let named = |name: &str| functions().find(|f| f.name == name);
    let most = if chat.parallel_tool_calls == Some(false) { 1 } else { MAX_CALLS };
    match &chat.tool_choice {
        Some(ToolChoice::None) => Vec::new(),
        Some(ToolChoice::Named(name)) => named(name).into_iter().collect(),
        choice => {
            let prompt = prompt(chat);
            let mut calls: Vec<_> = markers(&prompt).filter_map(named).take(most).collect();
            if calls.is_empty() && *choice == Some(ToolChoice::Required) {
                calls.extend(functions().next());
            }
            calls
        }
    }
}

/// The words of the last turn, if it is the user's.
fn prompt(chat: &Chat) -> String {
    chat.messages.last().filter(|m| m.role == Role::User).map(exec_core::Message::text).unwrap_or_default()
}

fn markers(prompt: &str) -> impl Iterator<Item = &str> {
    prompt.split("[call:").skip(1).filter_map(|rest| rest.split_once(']')).map(|(name, _)| name)
}

/// Arguments for `function`: every required property with a simple value of its type.
fn arguments(function: &Function) -> Value {
    let mut sampler = Sampler { left: MAX_VALUES };
    match function.parameters.as_ref().map(|schema| sampler.sample(&schema.to_value(), 0)) {
        Some(value @ Value::Object(_)) => value,
        _ => json!({}),
    }
}

/// Makes values, so many and no more.
struct Sampler {
    left: u32,
}

impl Sampler {
    fn sample(&mut self, schema: &Value, depth: usize) -> Value {
        if depth >= MAX_DEPTH || self.left == 0 {
            return Value::Null;
        }
        self.left -= 1;
        if let Some(value) = schema.get("const").or_else(|| schema.pointer("/enum/0")) {
            return value.clone();
        }
        if let Some(option) = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema.get(key)?.get(0)) {
            return self.sample(option, depth + 1);
        }
        match kind(schema) {
            Some("object") => self.object(schema, depth),
            Some("array") => self.array(schema, depth),
            Some("string") => json!(text(schema)),
            Some("integer") => whole(least(schema)),
            Some("number") => json!(least(schema)),
            Some("boolean") => json!(true),
            _ => Value::Null,
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let required = schema.get("required").and_then(Value::as_array);
        let mut members = Map::new();
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            let property = schema.get("properties").and_then(|p| p.get(name)).unwrap_or(&Value::Null);
            members.insert(name.to_owned(), self.sample(property, depth + 1));
        }
        Value::Object(members)
    }

    fn array(&mut self, schema: &Value, depth: usize) -> Value {
        let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(MAX_ITEMS);
        let item = schema.get("items").unwrap_or(&Value::Null);
        (0..count).map(|_| self.sample(item, depth + 1)).collect()
    }
}

/// The type a schema names; the first that is not `null` where it names several. A schema with properties is an object.
fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => Some(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => schema.get("properties").map(|_| "object"),
    }
}

fn text(schema: &Value) -> String {
    let bound = |key| schema.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let least = bound("minLength").unwrap_or(0).min(256);
    let most = bound("maxLength").unwrap_or(usize::MAX).max(least);
    "simulated ".chars().cycle().take(least.max("simulated".len()).min(most)).collect()
}

fn least(schema: &Value) -> f64 {
    let number = |key| schema.get(key).and_then(Value::as_f64);
    let above = number("exclusiveMinimum").map(|n| n + 1.0);
    number("minimum").or(above).or_else(|| Some(number("maximum")?.min(1.0))).unwrap_or(1.0)
}

/// The first whole number from `bound` on.
#[expect(clippy::cast_possible_truncation, reason = "a bound beyond the integers stops at their end")]
fn whole(bound: f64) -> Value {
    json!(bound.ceil() as i64)
}

#[cfg(test)]
mod tests {
    use exec_core::chat::ToolResult;
    use exec_core::{Message, Part};

    use super::*;

    fn chat(prompt: &str, choice: Option<ToolChoice>) -> Chat {
        let schema = json!({
            "type": "object",
            "required": ["city", "days", "unit", "tags", "where", "exact", "share"],
            "properties": {
                "city": {"type": "string", "minLength": 12}, "days": {"type": "integer", "minimum": 3},
                "unit": {"enum": ["celsius", "kelvin"]}, "tags": {"type": "array", "items": {"type": ["null", "string"]}, "minItems": 2},
                "where": {"anyOf": [{"type": "object", "required": ["x"], "properties": {"x": {"type": "number"}}}]},
                "exact": {"type": "boolean"}, "share": {"type": "number", "maximum": 0.5}, "optional": {"type": "string"}
            }
        });
        let function = |name: &str, parameters| {
            Tool::Function(Function { name: name.to_owned(), parameters, ..Function::default() })
        };
        let tools = vec![function("weather", Some(schema.into())), function("time", None)];
        Chat { tools, tool_choice: choice, ..Chat::user(prompt) }
    }

    fn made(chat: &Chat) -> Vec<(String, Value)> {
        let mut fold = exec_core::Fold::default();
        calls(&mut Rng::of(&[1]), chat).into_iter().for_each(|chunk| fold.push(chunk).unwrap());
        let read = |call: &exec_core::chat::ToolCall| {
            assert!(call.id.starts_with("call_simulator_"));
            (call.name.clone(), serde_json::from_str(&call.arguments.to_str()).unwrap())
        };
        fold.finish().tool_calls().map(read).collect()
    }

    #[test]
    fn arguments_fit_their_schema() {
        let calls = made(&chat("x", Some(ToolChoice::Required)));
        let expected = json!({
            "city": "simulated si", "days": 3, "unit": "celsius", "tags": ["simulated", "simulated"],
            "where": {"x": 1.0}, "exact": true, "share": 0.5
        });
        assert_eq!(calls, [("weather".to_owned(), expected)]);
    }

    #[test]
    fn a_tool_is_called_when_it_is_asked_for() {
        let names = |chat: &Chat| made(chat).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let marked = "[call:time] [call:weather] [call:nothing] [call:";
        assert_eq!(names(&chat("x", Some(ToolChoice::Named("time".to_owned())))), ["time"]);
        assert_eq!(names(&chat(marked, None)), ["time", "weather"]);
        assert_eq!(names(&chat(marked, Some(ToolChoice::Required))), ["time", "weather"]);
        assert_eq!(names(&Chat { parallel_tool_calls: Some(false), ..chat(marked, None) }), ["time"]);
        assert!(names(&chat("x", None)).is_empty());
        assert!(names(&chat(marked, Some(ToolChoice::None))).is_empty());
        assert!(names(&chat("x", Some(ToolChoice::Named("other".to_owned())))).is_empty());
    }

    #[test]
    fn an_answered_call_is_not_made_again() {
        let mut chat = chat("[call:time]", None);
        let result = ToolResult {
            id: "1".to_owned(),
            parts: vec![Part::text("noon")],
            failed: false,
            extra: Default::default(),
        };
        chat.messages.push(Message { parts: vec![Part::ToolResult(result)], ..Message::new(Role::Tool, "") });
        assert!(made(&chat).is_empty());
    }

    #[test]
    fn a_schema_that_asks_for_too_much_gets_less() {
        let mut schema = json!({"type": "string", "minLength": 100_000});
        for _ in 0..6 {
            schema = json!({"type": "array", "minItems": 1_000, "items": schema});
        }
        let schema = json!({"type": "object", "required": ["a"], "properties": {"a": schema}});
        let function = Function { parameters: Some(schema.into()), ..Function::default() };
        assert!(arguments(&function).to_string().len() < 512 * 1024);
    }

    #[test]
    fn a_schema_without_end_is_followed_only_so_deep() {
        let mut schema = json!({"type": "string"});
        for _ in 0..50 {
            schema = json!({"type": "object", "required": ["a"], "properties": {"a": schema}});
        }
        let function = Function { parameters: Some(schema.into()), ..Function::default() };
        assert_eq!(arguments(&function).to_string().matches("\"a\"").count(), MAX_DEPTH);
    }
}
