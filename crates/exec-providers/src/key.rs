//! The key a provider is called with, and the provider's own words without it.

use bytes::Bytes;
use exec_core::{Raw, UpstreamAnswer};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// Larger bodies are not kept for the caller.
pub(crate) const MAX_KEPT: usize = 16 * 1024;

/// The most characters of a message that are repeated.
pub(crate) const MAX_MESSAGE: usize = 2000;

/// A shorter key is none, and would be found in any text.
const MIN_KEY: usize = 4;

/// The key of one provider, or none. Shows it to nobody who does not ask for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key(Option<SecretString>);

impl Key {
    pub(crate) fn new(key: Option<SecretString>) -> Self {
        Self(key.filter(|key| !key.expose_secret().is_empty()))
    }

    /// The key itself, for a header.
    pub(crate) fn expose(&self) -> Option<&str> {
        self.0.as_ref().map(ExposeSecret::expose_secret)
    }

    /// What a provider says, short and without the key.
    pub(crate) fn message(&self, text: &str) -> String {
        // First the key, then the length: a cut key is a key that is not found.
        let text = self.redact(text);
        text.char_indices().nth(MAX_MESSAGE).map_or(text.as_str(), |(end, _)| &text[..end]).to_owned()
    }

    /// `text` without the key.
    pub(crate) fn redact(&self, text: &str) -> String {
        match self.secret() {
            Some(key) => text.replace(key, "[redacted]"),
            None => text.to_owned(),
        }
    }

    /// A body as a JSON tree without the key. `None` if it is no JSON.
    pub(crate) fn clean(&self, body: &[u8]) -> Option<Value> {
        let mut value = serde_json::from_slice(body).ok()?;
        self.redact_value(&mut value);
        Some(value)
    }

    /// The answer as the caller may see it: of a small JSON body every byte, unless the key may be in it.
    pub(crate) fn answer(&self, status: u16, body: &Bytes) -> UpstreamAnswer {
        let clean = Some(body).filter(|body| body.len() <= MAX_KEPT).and_then(|body| self.clean(body));
        let body = clean
            .and_then(|clean| if self.may_be_in(body) { Some(clean.into()) } else { Raw::parse(body).ok() });
        UpstreamAnswer { status, body }
    }

    /// Whether the key is in a JSON text, or an escape by which a part of it could be written. The text is asked and
    /// not the tree, which has lost all but the last of equal names.
    fn may_be_in(&self, json: &[u8]) -> bool {
        let holds = |what: &str| memchr::memmem::find(json, what.as_bytes()).is_some();
        self.secret().is_some_and(|key| [key, "\\u", "\\/"].into_iter().any(holds))
    }

    fn secret(&self) -> Option<&str> {
        self.expose().filter(|key| key.len() >= MIN_KEY)
    }

    fn redact_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(members) => {
                let old = std::mem::take(members);
                members.extend(old.into_iter().map(|(name, mut value)| {
                    self.redact_value(&mut value);
                    (self.redact(&name), value)
                }));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Self::new(Some(key.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(key: &Key, body: &'static str) -> Option<String> {
        let answer = key.answer(400, &Bytes::from_static(body.as_bytes()));
        answer.body.map(|body| body.get().to_owned())
    }

    #[test]
    fn the_key_is_kept_in_no_spelling_and_no_place() {
        let key = Key::from("sk/canary");
        for body in [
            r#"{"a": "sk/canary"}"#,
            r#"{"sk\/canary": 1}"#,
            r#"{"a": ["\u0073k/canary"]}"#,
            r#"{"a": "sk/canary", "a": "x"}"#,
            r#"{"a": "sk\/canar\u0079", "a": "x"}"#,
        ] {
            let kept = kept(&key, body).unwrap();
            assert!(!kept.contains("canar"), "{kept}");
        }
        assert!(!format!("{key:?}").contains("canary"));
    }

    #[test]
    fn what_cannot_hold_the_key_is_kept_byte_for_byte() {
        let body = "{\"z\": 1.50,  \"a\": \"x\\n\\\"y\"}";
        assert_eq!(kept(&Key::from("sk-canary"), body).unwrap(), body);
        let escaped = r#"{"z": "\u00e9",  "a": 1}"#;
        assert_eq!(kept(&Key::default(), escaped).unwrap(), escaped);
        assert_eq!(kept(&Key::from("sk-canary"), escaped).unwrap(), r#"{"a":1,"z":"é"}"#);
        assert_eq!(kept(&Key::default(), "<html>"), None);
    }

    #[test]
    fn a_key_too_short_to_be_one_is_looked_for_nowhere() {
        assert_eq!(Key::from("a").message("a bad day"), "a bad day");
        assert_eq!(Key::from("").expose(), None);
        assert_eq!(Key::from("abcd").message("-abcd-"), "-[redacted]-");
    }
}
