//! The canonical key of a request: equal requests have equal keys, and whatever can change the answer changes the key.

mod canonical;

use std::fmt;

use self::canonical::Canonical;
use crate::request::{Form, Options, Request, not_a};
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

/// What the form needs besides the input, at a guess.
const ROOM: usize = 512;

impl Fingerprint {
    /// The key of `request`. O(n) in its input, which is read once and not kept.
    ///
    /// The order of members and the spelling of numbers make no difference; an absent member is not its default.
    ///
    /// # Errors
    /// `InvalidRequest` when the input is not JSON. The insides of strings are hashed and not checked.
    pub fn of(request: &Request) -> Result<Self> {
        let Request { operation, model, input, options } = request;
        let json = input.form();
        let mut form = Canonical::with_capacity(json.size() + ROOM);
        form.str(operation.as_str());
        form.option(model.as_deref());
        write_options(&mut form, options);
        form.option(input.as_received().map(|(wire, _)| wire.as_str()));
        write_input(&mut form, &json)?;
        Ok(Self::of_form(&form))
    }

    /// The key as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn of_form(form: &Canonical) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&blake3::hash(form.as_bytes()).as_bytes()[..16]);
        Self(key)
    }
}

/// Names every option, so that a new one does not compile until somebody decides whether it is part of what is asked.
fn write_options(form: &mut Canonical, options: &Options) {
    let Options {
        stream: _,
        priority: _,
        strategy: _,
        provider,
        cache: _,
        idempotency_key: _,
        no_fallback,
        restartable: _,
        headers,
        metadata: _,
    } = options;
    form.option(provider.as_deref());
    form.len(usize::from(*no_fallback));
    form.len(headers.len());
    for (name, value) in headers {
        form.str(name);
        form.str(value);
    }
}

fn write_input(form: &mut Canonical, input: &Form<'_>) -> Result<()> {
    let text = |value: serde_json::Result<Vec<u8>>| value.map_err(|error| not_a("JSON value", &error));
    match input {
        Form::Received(bytes) => form.json(bytes, &NOT_ASKED),
        Form::Value(value) => form.json(&text(serde_json::to_vec(value))?, &[]),
        Form::Chat(chat) => form.json(&text(serde_json::to_vec(chat))?, &[]),
        Form::Nothing => form.json(b"null", &[]),
    }
    .map_err(|error| not_a("JSON value", &error))
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
        let mut form = Canonical::with_capacity(raw.bytes().len() + ROOM);
        // It was checked when it was made: the error never comes.
        let _checked = form.json(raw.bytes(), &[]);
        Self::of_form(&form)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use serde_json::{Value, json};

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
            "[a-zé😀\"\\\\\n/]{0,4}".prop_map(Value::from),
            (-1e18..1e18).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,3}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    /// The same value written otherwise: every text in escapes, members in reverse and twice, spaces everywhere.
    fn respelled(value: &Value) -> String {
        match value {
            Value::String(text) => {
                let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
                format!(" \"{units}\"\n")
            }
            Value::Array(items) => {
                format!("[ {} ]", items.iter().map(respelled).collect::<Vec<_>>().join(" ,\t"))
            }
            Value::Object(members) => {
                let name = |name: &String| respelled(&Value::from(name.as_str()));
                let stale = members.keys().map(|key| format!("{} : [0]", name(key)));
                let members =
                    members.iter().rev().map(|(key, value)| format!("{}:{}", name(key), respelled(value)));
                format!("{{{}}}", stale.chain(members).collect::<Vec<_>>().join(","))
            }
            other => format!(" {other} "),
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "01",
            "-",
            "1.e2",
            "tru",
            "nulll",
            "\"a",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "1 2",
            "{1:2}",
            "+1",
        ] {
            let input = Input::json(WIRE, Bytes::copy_from_slice(text.as_bytes()));
            let refused = Fingerprint::of(&Request::new(Operation::CHAT, input.clone()));
            assert!(refused.is_err() && input.value().is_err(), "{text}");
        }
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        for (n, fine) in [(127, true), (129, false), (1_000_000, false)] {
            let input = Input::json(WIRE, deep(n).into_bytes().into());
            assert_eq!(Fingerprint::of(&Request::new(Operation::CHAT, input)).is_ok(), fine, "{n}");
        }
    }

    #[test]
    fn one_input_has_one_key_however_it_is_held() {
        let chat = crate::Chat::user("a \"quoted\" \u{1f600}\n").with_system("x");
        let value = serde_json::to_value(&chat).unwrap();
        let of = |input: Input| Fingerprint::of(&Request::new(Operation::CHAT, input)).unwrap();
        assert_eq!(of(chat.into()), of(value.into()));
    }

    proptest! {
        #[test]
        fn spelling_makes_no_difference(value in value()) {
            let plain = Fingerprint::from(&Raw::from(value.clone()));
            let other = Raw::parse(&respelled(&value).into_bytes().into()).unwrap();
            prop_assert_eq!(plain, Fingerprint::from(&other));
        }

        #[test]
        fn keys_are_equal_exactly_when_values_are(a in value(), b in value()) {
            let (ka, kb) = (Fingerprint::from(&Raw::from(a.clone())), Fingerprint::from(&Raw::from(b.clone())));
            prop_assert_eq!(a == b, ka == kb);
            prop_assert_eq!(ka, Fingerprint::from(&Raw::from(a)));
        }
    }
}
