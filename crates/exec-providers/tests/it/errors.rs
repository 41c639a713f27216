//! What failures mean, as providers word them: every entry of `errors/*.json` is answered by a server and judged.
//!
//! An entry has a body, shortened where nothing depends on it and without names of accounts, and in `from` who sends it.
//! `found` says that the words were read in a public report of the failure; of the others the words or codes are known
//! from documents and use, and the rest is the shape in which that provider answers, or stands for a class of servers.
//! What it must mean is a kind, a remedy, a code and a wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use exec_core::{Chat, Context, Error, Executor, Options, Provider, Remedy, Request};
use exec_providers::Endpoint;
use exec_providers::anthropic::Anthropic;
use exec_providers::http::TransportConfig;
use exec_providers::openai::OpenAi;
use futures_util::StreamExt;
use http::Response;
use http_body_util::Full;
use serde::Deserialize;
use serde_json::Value;

use crate::support::{listen, serve_http, upstream};

const FILES: [(&str, &str); 6] = [
    ("openai", include_str!("errors/openai.json")),
    ("anthropic", include_str!("errors/anthropic.json")),
    ("hosted", include_str!("errors/hosted.json")),
    ("local", include_str!("errors/local.json")),
    ("proxies", include_str!("errors/proxies.json")),
    ("in_answers", include_str!("errors/in_answers.json")),
];

/// Stands for the HTTP date so many seconds from now.
const IN_90_S: &str = "{in 90s}";

/// One failure and what it means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    from: String,
    found: bool,
    format: Speaks,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The text, or JSON.
    body: Value,
    #[serde(default)]
    stream: bool,
    kind: String,
    remedy: String,
    code: String,
    #[serde(default, with = "exec_core::duration::option")]
    retry_after: Option<Duration>,
    #[serde(default)]
    is_unsent: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Speaks {
    OpenAi,
    Anthropic,
}

impl Recorded {
    fn bytes(&self) -> Bytes {
        match &self.body {
            Value::String(text) => text.clone().into(),
            json => json.to_string().into(),
        }
    }

    fn answer(&self) -> Response<Full<Bytes>> {
        let kind = match (&self.body, self.stream && self.status == 200) {
            (Value::String(_), true) => "text/event-stream",
            (Value::String(_), false) => "text/html",
            _ => "application/json",
        };
        let mut answer = Response::builder().status(self.status).header("content-type", kind);
        for (name, value) in &self.headers {
            let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
            answer = answer.header(name, if value == IN_90_S { &date } else { value });
        }
        answer.body(Full::new(self.bytes())).unwrap()
    }

    fn provider(&self, url: String) -> Arc<dyn Provider> {
        let endpoint = Endpoint {
            transport: TransportConfig::new(url),
            default_model: Some("m".into()),
            ..Endpoint::default()
        };
        match self.format {
            Speaks::OpenAi => OpenAi::new(Some("sk-canary-123456".into())).connect("p", endpoint),
            Speaks::Anthropic => Anthropic::new().with_key("sk-canary-123456".into()).connect("p", endpoint),
        }
        .unwrap()
    }

    async fn error(&self, url: String) -> Error {
        let options = Options { stream: self.stream, ..Options::default() };
        let request = Request::chat(Chat::user("hello")).with_options(options);
        match self.provider(url).execute(request, &Context::new("1")).await {
            Err(error) => error,
            Ok(answer) => {
                let chunks: Vec<_> = answer.into_chunks().collect().await;
                chunks.into_iter().find_map(Result::err).unwrap_or_else(|| panic!("no error: {}", self.from))
            }
        }
    }

    fn check(&self, error: &Error) -> Result<(), String> {
        let remedy = match error.remedy() {
            Remedy::Retry => "retry",
            Remedy::Elsewhere => "elsewhere",
            _ => "stop",
        };
        let means = (error.kind().as_str(), remedy, error.code(), error.is_unsent());
        let should = (&*self.kind, &*self.remedy, &*self.code, self.is_unsent);
        if means != should {
            return Err(format!("means {means:?}, not {should:?}: {error}"));
        }
        let dated = self.headers.values().any(|value| value == IN_90_S);
        let slack = Duration::from_secs(if dated { 60 } else { 0 });
        let waits = match (error.retry_after(), self.retry_after) {
            (Some(is), Some(should)) => is <= should && is + slack >= should,
            (is, should) => is == should,
        };
        if !waits {
            return Err(format!("waits {:?}, not {:?}", error.retry_after(), self.retry_after));
        }
        self.check_upstream(error)
    }

    /// The provider's own words are kept if they are JSON.
    fn check_upstream(&self, error: &Error) -> Result<(), String> {
        if self.status == 200 {
            return Ok(());
        }
        let kept = error.upstream().ok_or("nothing is kept")?;
        let is_json = serde_json::from_slice::<Value>(&self.bytes()).is_ok();
        let same = kept.body.as_ref().map(|body| body.bytes().clone()) == is_json.then(|| self.bytes());
        if kept.status == self.status && same { Ok(()) } else { Err(format!("keeps {kept:?}")) }
    }
}

fn recorded() -> Vec<Recorded> {
    let read = |(name, text): (&str, &str)| -> Vec<Recorded> {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("errors/{name}.json: {error}"))
    };
    FILES.into_iter().flat_map(read).collect()
}

#[tokio::test]
async fn every_recorded_failure_means_what_it_should() {
    let all = Arc::new(recorded());
    assert!(all.len() >= 80, "{}", all.len());
    let (listener, address) = listen().await;
    let answers = all.clone();
    let _owner = upstream(listener, move |socket| {
        let answers = answers.clone();
        async move {
            let answer = |request: http::Request<hyper::body::Incoming>| {
                let number = request.uri().path().split('/').nth(1).unwrap().parse::<usize>().unwrap();
                std::future::ready(answers[number].answer())
            };
            serve_http(socket, answer).await;
        }
    });
    let mut wrong = Vec::new();
    for (number, one) in all.iter().enumerate() {
        let error = one.error(format!("http://{address}/{number}")).await;
        let found = if one.found { "found" } else { "known" };
        let why = one.check(&error).err();
        wrong.extend(why.map(|why| format!("{} ({found}, {}): {why}", one.from, one.status)));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}
