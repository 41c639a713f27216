//! Whose call it is.

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName};

/// Headers whose value must not be seen by whoever sees a tenant.
const SECRET: [HeaderName; 5] = [
    AUTHORIZATION,
    COOKIE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
];

/// Longer ones are names of nothing.
const MAX_BYTES: usize = 128;

/// The tenant that the header `name` says. What is a secret, long or no text is told by its digest.
pub(super) fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Arc<str>> {
    let value = headers.get(name).filter(|value| !value.is_empty())?;
    match value.to_str() {
        Ok(text) if text.len() <= MAX_BYTES && !SECRET.contains(name) => Some(text.into()),
        _ => Some(format!("digest:{}", &blake3::hash(value.as_bytes()).to_hex()[..32]).into()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn tenant(name: &HeaderName, value: &str) -> Option<Arc<str>> {
        let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_str(value).unwrap())]);
        of(&headers, name)
    }

    #[test]
    fn a_plain_name_stays_and_a_secret_is_digested() {
        let team = HeaderName::from_static("x-team");
        assert_eq!(tenant(&team, "blue").as_deref(), Some("blue"));
        assert_eq!(tenant(&team, ""), None);
        assert_eq!(of(&HeaderMap::new(), &team), None);
        let one = tenant(&AUTHORIZATION, "Bearer canary-1").unwrap();
        assert!(!one.contains("canary") && one.len() < 64, "{one}");
        assert_eq!(tenant(&AUTHORIZATION, "Bearer canary-1").unwrap(), one);
        assert_ne!(tenant(&AUTHORIZATION, "Bearer canary-2").unwrap(), one);
        assert_ne!(tenant(&team, &"a".repeat(129)), tenant(&team, &"a".repeat(130)));
    }
}
