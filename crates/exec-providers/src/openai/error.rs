//! Reads what a provider says when it fails, without ever repeating the key it was called with.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use exec_core::Error;
use http::HeaderMap;

use super::error_rules::{self, Said};
use super::limits::{go_duration, header};
use crate::key::{Key, MAX_MESSAGE};
use crate::retry_after::{retry_after, until_renewed};

/// Reads failures of a provider that is called with one key.
#[derive(Default)]
pub(super) struct ErrorReader {
    pub(super) key: Key,
}

impl ErrorReader {
    /// What an answer with a status that is no success means.
    pub(super) fn http(&self, status: u16, headers: &HeaderMap, body: &Bytes) -> Error {
        let said = self.said(body);
        let verdict = error_rules::judge(status, &said, headers);
        let error = verdict.into_error(status, &self.message(&said));
        let wait = retry_after(headers, SystemTime::now()).or_else(|| said.wait(error.kind()));
        let error = waiting(error, wait.or_else(|| limit_reset(status, headers)));
        error.with_upstream(self.key.answer(status, body))
    }

    /// What an error inside a successful answer means: an `error` member, or a text that is no JSON at all.
    pub(super) fn in_answer(&self, body: &Bytes) -> Error {
        let said = self.said(body);
        let status = said.status.unwrap_or(200);
        let verdict = error_rules::judge(status, &said, &HeaderMap::new());
        let error = verdict.into_error(status, &self.message(&said));
        let wait = said.wait(error.kind());
        let error = waiting(error, wait);
        error.with_upstream(self.key.answer(status, body))
    }

    fn message(&self, said: &Said) -> String {
        self.key.message(said.message.as_deref().unwrap_or("the provider gave no reason"))
    }

    /// What the body says, without the key.
    fn said(&self, body: &Bytes) -> Said {
        let said = self.key.clean(body).as_ref().map(Said::of);
        said.or_else(|| self.plain(body)).unwrap_or_default()
    }

    /// A short text that is no page of HTML.
    fn plain(&self, body: &Bytes) -> Option<Said> {
        let text = std::str::from_utf8(body).ok()?.trim();
        let readable = !text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains('<');
        readable.then(|| Said::plain(self.key.redact(text)))
    }
}

fn waiting(error: Error, wait: Option<Duration>) -> Error {
    match wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// When the limits that are used up are renewed. A remaining count of -1 is what some servers send for "unknown".
fn limit_reset(status: u16, headers: &HeaderMap) -> Option<Duration> {
    if status != 429 {
        return None;
    }
    let reset = |what: &str| {
        let wait = go_duration(header(headers, &format!("x-ratelimit-reset-{what}"))?)?;
        let spent = header(headers, &format!("x-ratelimit-remaining-{what}")) == Some("0");
        Some((spent, wait))
    };
    until_renewed(["requests", "tokens"].into_iter().filter_map(reset))
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
