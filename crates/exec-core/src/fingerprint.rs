//! The canonical key of a request: equal requests have equal keys, and whatever can change the answer changes the key.

use std::fmt;

use blake3::Hasher;
use serde_json::Value;

use crate::request::{Options, Request};
use crate::{Raw, Result};

/// 128 bits of BLAKE3 over the canonical form of a request.
///
/// Collision-resistant, so that nobody can forge a prompt with the key of somebody else's. The tenant is not in it:
/// whoever keeps answers adds the scope.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

/// Members of a received body that say how to answer and not what is asked; the model is taken from the request, where
/// it stands after routing.
pub(crate) const NOT_ASKED: [&str; 3] = ["model", "stream", "stream_options"];

impl Fingerprint {
    /// The key of `request`. O(n) in its input; the received bytes are parsed if nobody did before.
    ///
    /// The order of members and the spelling of numbers make no difference; an absent member is not its default.
    ///
    /// # Errors
    /// `InvalidRequest` when the input is not JSON.
    pub fn of(request: &Request) -> Result<Self> {
        let mut hasher = Hasher::new();
        let Request { operation, model, input, options } = request;
        write_str(&mut hasher, operation.as_str());
        write_option(&mut hasher, model.as_deref());
        write_options(&mut hasher, options);
        let wire = input.as_received().map(|(wire, _)| wire.as_str());
        write_option(&mut hasher, wire);
        write_input(&mut hasher, input.value()?, wire.is_some());
        let mut key = [0; 16];
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Ok(Self(key))
    }

    /// The key as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Names every option, so that a new one does not compile until somebody decides whether it is part of what is asked.
fn write_options(hasher: &mut Hasher, options: &Options) {
    let Options {
        stream: _,
        priority: _,
        strategy: _,
        provider,
        cache: _,
        idempotency_key: _,
        no_fallback: _,
        restartable: _,
        headers,
        metadata: _,
    } = options;
    write_option(hasher, provider.as_deref());
    write_len(hasher, headers.len());
    for (name, value) in headers {
        write_str(hasher, name);
        write_str(hasher, value);
    }
}

fn write_input(hasher: &mut Hasher, input: &Value, received: bool) {
    match input {
        Value::Object(members) if received => {
            let asked = || members.iter().filter(|(name, _)| !NOT_ASKED.contains(&name.as_str()));
            write_members(hasher, asked().count(), asked());
        }
        value => write_value(hasher, value),
    }
}

// Every value is written as a tag, its length where it has one, and its content, so that no two values share a form.
fn write_value(hasher: &mut Hasher, value: &Value) {
    match value {
        Value::Null => tag(hasher, b'n'),
        Value::Bool(flag) => tag(hasher, if *flag { b't' } else { b'f' }),
        Value::Number(number) => write_number(hasher, number),
        Value::String(text) => {
            tag(hasher, b's');
            write_str(hasher, text);
        }
        Value::Array(items) => {
            tag(hasher, b'a');
            write_len(hasher, items.len());
            items.iter().for_each(|item| write_value(hasher, item));
        }
        Value::Object(members) => write_members(hasher, members.len(), members.iter()),
    }
}

// A JSON map is sorted by name already, whatever the order it was received in.
fn write_members<'a>(
    hasher: &mut Hasher,
    len: usize,
    members: impl Iterator<Item = (&'a String, &'a Value)>,
) {
    tag(hasher, b'o');
    write_len(hasher, len);
    for (name, value) in members {
        write_str(hasher, name);
        write_value(hasher, value);
    }
}

fn write_number(hasher: &mut Hasher, number: &serde_json::Number) {
    if let Some(n) = number.as_i128() {
        tag(hasher, b'i');
        hasher.update(&n.to_le_bytes());
        return;
    }
    let float = number.as_f64().unwrap_or(f64::NAN);
    // Below 2^53 every whole float is exactly one integer, so `1.0` and `1e0` are `1`.
    if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 {
        tag(hasher, b'i');
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        hasher.update(&(float as i128).to_le_bytes());
    } else {
        tag(hasher, b'd');
        hasher.update(&float.to_bits().to_le_bytes());
    }
}

fn write_option(hasher: &mut Hasher, text: Option<&str>) {
    match text {
        Some(text) => {
            tag(hasher, 1);
            write_str(hasher, text);
        }
        None => tag(hasher, 0),
    }
}

fn write_str(hasher: &mut Hasher, text: &str) {
    write_len(hasher, text.len());
    hasher.update(text.as_bytes());
}

fn write_len(hasher: &mut Hasher, len: usize) {
    hasher.update(&(len as u64).to_le_bytes());
}

fn tag(hasher: &mut Hasher, tag: u8) {
    hasher.update(&[tag]);
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The key of one JSON value, by the same rules.
impl From<&Raw> for Fingerprint {
    fn from(raw: &Raw) -> Self {
        let mut hasher = Hasher::new();
        write_value(&mut hasher, &raw.to_value());
        let mut key = [0; 16];
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(key)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Input, Operation, Wire};

    const WIRE: Wire = Wire::new("test.chat");

    fn key(text: &str) -> Fingerprint {
        let input = Input::json(WIRE, Bytes::copy_from_slice(text.as_bytes()));
        Fingerprint::of(&Request::new(Operation::CHAT, input).with_model("m")).unwrap()
    }

    #[test]
    fn order_spacing_and_spelling_make_no_difference() {
        assert_eq!(key(r#"{"a":1,"b":[1.0,2]}"#), key(r#"{ "b" : [1e0, 2], "a" : 1 }"#));
        assert_eq!(key(r#"{"a":1,"stream":true,"model":"x"}"#), key(r#"{"a":1}"#));
    }

    #[test]
    fn absent_is_not_default_and_types_are_kept_apart() {
        let forms = [
            r"{}",
            r#"{"t":null}"#,
            r#"{"t":0}"#,
            r#"{"t":"0"}"#,
            r#"{"t":false}"#,
            r#"{"t":[]}"#,
            r#"{"t":0.5}"#,
        ];
        for (i, a) in forms.iter().enumerate() {
            for b in &forms[i + 1..] {
                assert_ne!(key(a), key(b), "{a} {b}");
            }
        }
    }

    #[test]
    fn what_says_how_is_left_out_and_what_says_what_is_not() {
        let base = Request::new(Operation::CHAT, json!({"a": 1}));
        let with = |change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            Fingerprint::of(&base.clone().with_options(options)).unwrap()
        };
        let plain = Fingerprint::of(&base).unwrap();
        assert_eq!(plain, with(|o| o.stream = true));
        assert_eq!(plain, with(|o| o.strategy = Some("batch".into())));
        assert_ne!(plain, with(|o| o.provider = Some("p".into())));
        assert_ne!(plain, with(|o| o.headers.push(("beta".into(), "x".into()))));
        assert_ne!(plain, Fingerprint::of(&base.clone().with_model("m")).unwrap());
        assert_ne!(plain, Fingerprint::of(&Request::new(Operation::EMBED, json!({"a": 1}))).unwrap());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "[a-z]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,3}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn keys_are_equal_exactly_when_values_are(a in value(), b in value()) {
            let (ka, kb) = (Fingerprint::from(&Raw::from(a.clone())), Fingerprint::from(&Raw::from(b.clone())));
            prop_assert_eq!(a == b, ka == kb);
            prop_assert_eq!(ka, Fingerprint::from(&Raw::from(a)));
        }
    }
}
