//! Whatever can change an answer changes its key, and what cannot does not.

use bytes::Bytes;
use exec_core::{CachePolicy, Context, Input, Operation, Options, Priority, Raw, Request, Scope, Wire};
use exec_middleware::cache::Key;
use proptest::prelude::*;
use serde_json::{Value, json};

const WIRE: Wire = Wire::new("test.chat");

/// A request with every field a conversation has, and some it has no name for.
fn body() -> Value {
    json!({
        "messages": [
            {"role": "system", "content": "be brief", "name": "op"},
            {"role": "user", "content": [
                {"type": "text", "text": "what is\n\"this\" 😀"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1}"}}
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"}
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "looks", "strict": true,
            "parameters": {"type": "object", "properties": {"at": {"type": "integer", "minimum": 0}}}}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "parallel_tool_calls": false,
        "temperature": 0.25, "top_p": 0.9, "top_k": 40, "max_tokens": 900, "stop": ["\n", "end"], "seed": 7,
        "frequency_penalty": 0.5, "presence_penalty": -0.5, "logit_bias": {"50256": -100}, "logprobs": true,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        "num_ctx": 4096, "user": "u", "some_field_of_tomorrow": {"deep": [1, {"er": null}]}
    })
}

fn key_of(text: String) -> Key {
    let input = Input::json(WIRE, Bytes::from(text));
    let request = Request::new(Operation::CHAT, input).with_model("m");
    Key::of(&request, &Context::new("1"), Scope::Tenant).unwrap()
}

fn key(body: &Value) -> Key {
    key_of(body.to_string())
}

/// The path of every value in `value`, itself included.
fn paths(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| paths(item, &format!("{at}/{n}"), all));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, item)| paths(item, &format!("{at}/{name}"), all));
        }
        _ => {}
    }
}

/// Something else than `value`, and near to it.
fn altered(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![json!(false), json!(""), json!([])],
        Value::Bool(flag) => vec![json!(!flag), Value::Null, json!(u8::from(*flag))],
        Value::Number(n) => {
            let n = n.as_f64().unwrap();
            vec![json!(n + 1.0), json!(n + 1e-9), json!(-n - 1e-3), json!(n.to_string()), Value::Null]
        }
        Value::String(text) => {
            vec![json!(format!("{text} ")), json!(text.to_uppercase() + "é"), json!([text]), Value::Null]
        }
        Value::Array(items) => {
            let mut more = items.clone();
            more.push(Value::Null);
            let turned: Vec<_> = items.iter().rev().cloned().collect();
            let mut all = vec![Value::Array(more), json!([items]), json!({})];
            all.extend((turned != *items).then_some(Value::Array(turned)));
            all
        }
        Value::Object(members) => {
            let mut more = members.clone();
            more.insert("added".into(), Value::Null);
            vec![Value::Object(more), json!([members]), Value::Null]
        }
    }
}

#[test]
fn any_value_that_is_altered_and_any_member_that_is_left_out_changes_the_key() {
    let (body, mut all) = (body(), Vec::new());
    paths(&body, "", &mut all);
    let mut mutants = std::collections::HashSet::from([body.to_string()]);
    for path in &all {
        for other in altered(body.pointer(path).unwrap()) {
            let mut mutant = body.clone();
            *mutant.pointer_mut(path).unwrap() = other;
            mutants.insert(mutant.to_string());
        }
        if let Some((parent, name)) = path.rsplit_once('/') {
            let mut mutant = body.clone();
            if let Some(Value::Object(members)) = mutant.pointer_mut(parent) {
                members.remove(name);
                mutants.insert(mutant.to_string());
            }
        }
    }
    assert!(mutants.len() > 250, "{}", mutants.len());
    // Compared with all others as well: no two mutants are alike.
    let mut seen = std::collections::HashMap::new();
    for mutant in mutants {
        if let Some(twin) = seen.insert(key_of(mutant.clone()), mutant.clone()) {
            panic!("one key for\n{mutant}\n{twin}");
        }
    }
}

#[test]
fn everything_beside_the_input_is_decided() {
    let base = || Request::new(Operation::CHAT, Input::json(WIRE, Bytes::from_static(b"{}"))).with_model("m");
    let of = |request: &Request, context: &Context, scope| Key::of(request, context, scope).unwrap();
    let nobody = Context::new("1");
    let plain = of(&base(), &nobody, Scope::Tenant);
    let with = |change: &dyn Fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        of(&base().with_options(options), &Context::new("other id"), Scope::Tenant)
    };
    for same in [
        with(&|o| o.priority = Priority::Urgent),
        with(&|o| o.strategy = Some("s".into())),
        with(&|o| o.cache = CachePolicy::Refresh),
        with(&|o| o.idempotency_key = Some("k".into())),
        with(&|o| o.metadata = Some(Raw::from(json!({"a": 1})))),
    ] {
        assert_eq!(same, plain);
    }
    let tenant = |name: &str| Context::new("1").with_tenant(name);
    let different = [
        plain,
        with(&|o| o.stream = true),
        with(&|o| o.provider = Some("p".into())),
        with(&|o| o.headers = vec![("beta".into(), "x".into())]),
        with(&|o| o.headers = vec![("betax".into(), "".into())]),
        of(&base().with_model("n"), &nobody, Scope::Tenant),
        of(&Request { model: None, ..base() }, &nobody, Scope::Tenant),
        of(&Request { operation: Operation::EMBED, ..base() }, &nobody, Scope::Tenant),
        of(&Request { input: json!({}).into(), ..base() }, &nobody, Scope::Tenant),
        of(&base(), &tenant("a"), Scope::Tenant),
        of(&base(), &tenant("b"), Scope::Tenant),
    ];
    let all: std::collections::HashSet<_> = different.iter().collect();
    assert_eq!(all.len(), different.len());
    assert_eq!(of(&base(), &tenant("a"), Scope::Global), of(&base(), &tenant("b"), Scope::Global));
}

/// `value` as text with its members in another order, spaces, and numbers spelled otherwise.
fn shuffled(value: &Value, seed: u64) -> String {
    let space = [" ", "\n", "", "\t "][(seed % 4) as usize];
    match value {
        Value::Object(members) => {
            let mut parts: Vec<String> = members
                .iter()
                .map(|(name, item)| {
                    format!("{space}{}{space}:{}", Value::from(name.as_str()), shuffled(item, seed + 1))
                })
                .collect();
            let turn = seed as usize % parts.len().max(1);
            parts.rotate_left(turn);
            format!("{{{}{space}}}", parts.join(","))
        }
        Value::Array(items) => {
            let parts: Vec<String> = items.iter().map(|item| shuffled(item, seed + 1)).collect();
            format!("[{}{space}]", parts.join(","))
        }
        Value::Number(number) if seed.is_multiple_of(2) => format!("{:e}", number.as_f64().unwrap()),
        Value::Number(number) if number.is_i64() && seed.is_multiple_of(3) => format!("{number}.0"),
        other => format!("{space}{other}{space}"),
    }
}

proptest! {
    #[test]
    fn order_spaces_and_spelling_change_nothing(seed: u32) {
        prop_assert_eq!(key_of(shuffled(&body(), seed.into())), key(&body()));
    }
}
