//! Bodies that share their large parts, and edits of single members, against the plain way to do it.

use std::collections::BTreeMap;

use bytes::Bytes;
use exec_providers::http::rope::SHARE_FROM;
use exec_providers::http::{Body, Edit, JsonError, encode_body, splice};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

fn copied(body: &Body, sources: &[Bytes]) -> usize {
    let inside = |segment: &&Bytes| {
        sources
            .iter()
            .any(|source| source.as_ptr_range().contains(&segment.as_ptr()))
    };
    body.segments()
        .iter()
        .filter(|segment| !inside(segment))
        .map(Bytes::len)
        .sum()
}

#[derive(Serialize)]
struct Wrapper<'a> {
    model: &'a str,
    messages: &'a RawValue,
    file: &'a str,
    tail: BTreeMap<&'a str, u32>,
}

#[test]
fn a_large_raw_value_is_shared_not_copied() {
    let raw = Bytes::from(format!("[\"{}\"]", "a\\n".repeat(20 << 20 >> 2)));
    let file = Bytes::from("f".repeat(SHARE_FROM));
    let value = Wrapper {
        model: "m",
        messages: serde_json::from_slice(&raw).unwrap(),
        file: std::str::from_utf8(&file).unwrap(),
        tail: BTreeMap::from([("x", 1)]),
    };
    let sources = [raw.clone(), file.clone()];
    let body = encode_body(&value, &sources).unwrap();
    let plain = serde_json::to_vec(&value).unwrap();
    assert!(body.to_bytes() == plain, "same text");
    assert_eq!(body.len(), plain.len() as u64);
    assert!(copied(&body, &sources) < 64 * 1024);
    assert_eq!(body.segments().len(), 5);
    let without = encode_body(&value, &[]).unwrap();
    assert!(without.to_bytes() == plain, "same text without sources");
}

#[test]
fn small_or_foreign_pieces_are_copied() {
    let source = Bytes::from("s".repeat(SHARE_FROM - 1));
    let small = std::str::from_utf8(&source).unwrap();
    let foreign = "x".repeat(SHARE_FROM * 2);
    let body = encode_body(&[small, &foreign], std::slice::from_ref(&source)).unwrap();
    assert_eq!(body.segments().len(), 1);
    assert_eq!(
        format!("{body:?}"),
        format!("Body {{ segments: 1, length: {} }}", body.len())
    );
}

fn spliced(source: &str, edits: &[Edit]) -> String {
    let body = splice(&Bytes::from(source.to_owned()), edits).unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

fn set(key: &str, value: &Value) -> Edit {
    Edit::set(key, value).unwrap()
}

#[test]
fn members_are_set_and_removed_in_place() {
    let model = || set("model", &json!("x"));
    let cases = [
        (r#"{}"#, r#"{"model":"x"}"#),
        (" { } ", r#" {"model":"x" } "#),
        (r#"{"model":"a"}"#, r#"{"model":"x"}"#),
        (
            r#"{ "a" : {"model": 1} , "model" : [2] }"#,
            r#"{ "a" : {"model": 1} , "model" : "x" }"#,
        ),
        (r#"{"mod\u0065l":null}"#, r#"{"mod\u0065l":"x"}"#),
        (
            r#"{"model":1,"b":2,"model":3}"#,
            r#"{"model":"x","b":2,"model":"x"}"#,
        ),
        (r#"{"s":"\"model\":1"}"#, r#"{"s":"\"model\":1","model":"x"}"#),
    ];
    for (source, expected) in cases {
        assert_eq!(spliced(source, &[model()]), expected);
    }
    let remove = |source| spliced(source, &[Edit::remove("a")]);
    assert_eq!(remove(r#"{"a":1}"#), "{}");
    assert_eq!(remove(r#"{"a":1, "b":2}"#), r#"{"b":2}"#);
    assert_eq!(remove(r#"{"b":2, "a":1 }"#), r#"{"b":2 }"#);
    assert_eq!(remove(r#"{"b":1,"a":1,"a":2,"c":3}"#), r#"{"b":1,"c":3}"#);
    assert_eq!(
        spliced("{}", &[set("a", &json!(1)), set("a", &json!(2))]),
        r#"{"a":2}"#
    );
    assert_eq!(spliced("{}", &[set("a", &json!(1)), Edit::remove("a")]), "{}");
}

#[test]
fn what_is_no_object_is_refused_without_showing_it() {
    for source in [
        "",
        "[]",
        "1",
        "{",
        r#"{"a":}"#,
        "{} x",
        r#"{"secret":1,}"#,
        "{'a':1}",
    ] {
        let error = splice(&Bytes::from(source), &[Edit::remove("a")]).unwrap_err();
        assert!(matches!(error, JsonError::Source { .. }), "{source}");
        assert!(!error.to_string().contains("secret"));
    }
    assert!(splice(&Bytes::from_static(b"{\"a\":\"\xff\"}"), &[]).is_err());
}

#[test]
fn a_large_source_is_not_copied() {
    let source = Bytes::from(format!(
        "{{\"a\":\"{}\",\"model\":1,\"stream\":true}}",
        "x".repeat(1 << 20)
    ));
    let edits = [
        set("model", &json!("x")),
        set("stream_options", &json!({"include_usage": true})),
    ];
    let body = splice(&source, &edits).unwrap();
    assert!(copied(&body, std::slice::from_ref(&source)) < 200);
    let value: Value = serde_json::from_slice(&body.to_bytes()).unwrap();
    assert_eq!((&value["model"], &value["stream"]), (&json!("x"), &json!(true)));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        "[a\"\\\\{},:\n€]{0,6}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[ab]", 1 => "[a\"\\\\:}\n]{0,3}"]
}

fn object() -> impl Strategy<Value = (String, Map<String, Value>)> {
    let space = "[ \n\t]{0,2}";
    let member = (key(), value(), space, any::<bool>());
    (prop::collection::vec(member, 0..6), space).prop_map(|(members, outer)| {
        let text = members.iter().map(|(key, value, space, pretty)| {
            let value = if *pretty {
                format!("{value:#}")
            } else {
                value.to_string()
            };
            let key = Value::from(key.as_str()).to_string().replace('a', "\\u0061");
            format!("{space}{key}{space}:{space}{value}{space}")
        });
        let text = format!(
            "{outer}{{{outer}{}{outer}}}{outer}",
            text.collect::<Vec<_>>().join(",")
        );
        (
            text,
            members.into_iter().map(|(key, value, ..)| (key, value)).collect(),
        )
    })
}

proptest! {
    #[test]
    fn edits_match_the_same_edits_of_a_value(
        (text, mut model) in object(),
        edits in prop::collection::vec((key(), prop::option::of(value())), 0..4),
    ) {
        let list: Vec<Edit> = edits.iter().map(|(key, value)| match value {
            Some(value) => Edit::set(key.as_str(), value).unwrap(),
            None => Edit::remove(key.as_str()),
        }).collect();
        for (key, value) in edits {
            match value {
                Some(value) => { model.insert(key, value); }
                None => { model.remove(&key); }
            }
        }
        let body = splice(&Bytes::from(text), &list).unwrap().to_bytes();
        let result: Map<String, Value> = serde_json::from_slice(&body).unwrap();
        prop_assert_eq!(result, model);
    }
}
