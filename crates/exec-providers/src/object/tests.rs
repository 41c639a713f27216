//! What is read one level deep, and what is refused.

use serde_json::value::RawValue;

use super::body::depth;
use super::*;

const WIRE: Wire = Wire::new("test");

fn wide(members: usize) -> String {
    let members: Vec<_> = (0..members).map(|i| format!("\"k{i}\":0")).collect();
    format!("{{{}}}", members.join(","))
}

#[test]
fn brackets_in_strings_are_no_depth() {
    for (json, expected) in
        [("1", 0), ("[]", 1), (r#"{"[[\"[[\\":[{}]}"#, 3), ("[[],[[]]]", 3), ("\"", 0), ("\"\\", 0)]
    {
        assert_eq!(depth(json.as_bytes()), expected, "{json}");
    }
}

#[test]
fn half_a_character_is_replaced() {
    let mut object = Object::parse(r#"{"a":"x\ud83dy","b":"\ud83e\udd80"}"#).unwrap();
    assert!(object.string("a").unwrap().starts_with("x\u{fffd}"));
    assert_eq!(object.string("b").unwrap(), "🦀");
}

#[test]
fn the_last_of_equal_names_counts_and_null_is_none() {
    let mut object = Object::parse(r#"{"a":1,"\u0061":2,"b":null,"c":[{}]}"#).unwrap();
    assert_eq!(object.duplicates(), ["a"]);
    assert_eq!(object.take("a").unwrap().get(), "2");
    assert!(object.take("b").is_none());
    assert_eq!(elements(object.take("c").unwrap()).unwrap()[0].get(), "{}");
    assert!(object.is_empty());
}

#[test]
fn what_is_no_object_or_too_wide_is_refused() {
    for text in ["[]", "1", "{} {}", "{\"a\"", &wide(MAX_MEMBERS + 1)] {
        assert!(Object::parse(text).is_err());
    }
    assert!(Object::parse(&wide(MAX_MEMBERS)).is_ok());
}

#[test]
fn a_list_that_is_too_long_is_refused() {
    let list = format!("[{}0]", "0,".repeat(MAX_ELEMENTS));
    let body = Bytes::from(format!("{{\"list\":{list},\"none\":1}}"));
    let (mut reader, mut object) = Reader::open(&body, WIRE).unwrap();
    for name in ["list", "none"] {
        let raw: &RawValue = object.take(name).unwrap();
        assert!(reader.array(&Path::Root.key(name), raw).is_none());
    }
    let error = reader.close(()).unwrap_err();
    let codes: Vec<_> = error.fields().iter().map(|field| (field.path.as_str(), field.code)).collect();
    assert_eq!(codes, [("list", "too_many"), ("none", "invalid_type")]);
}

#[test]
fn every_error_of_a_whole_body_has_one_path() {
    let deep = "[".repeat(101);
    for (body, code, field, message) in [
        (
            &b"{\"a\":\"\xff\"}"[..],
            "invalid_utf8",
            "invalid_utf8",
            "is not valid UTF-8: byte 6 begins no character",
        ),
        (b" ", "invalid_json", "invalid_json", "is empty: send a JSON object"),
        (b"{\n \"a\":}", "invalid_json", "invalid_json", "is not valid JSON (line 2, column 6)"),
        (deep.as_bytes(), "too_deep", "too_deep", "is nested deeper than 100 levels"),
        (b"[1]", "invalid_json", "invalid_type", "must be an object"),
    ] {
        let body = Bytes::copy_from_slice(body);
        let error = Reader::open(&body, WIRE).err().unwrap();
        let [found] = error.fields() else { panic!("{error:?}") };
        assert_eq!((error.code(), found.code), (code, field));
        assert_eq!((found.path.as_str(), found.message.as_str()), ("body", message));
        assert_eq!(error.message(), format!("body: {message}"));
    }
}
