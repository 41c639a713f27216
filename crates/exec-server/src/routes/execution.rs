//! Executions: one path for every format a caller speaks.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use exec_core::{Budget, Context, Error, Executor, FieldError, Options, Request, Result};
use exec_providers::anthropic::AnthropicFront;
use exec_providers::format::{Front, Reply};
use exec_providers::openai::OpenAiFront;
use futures_util::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, sleep};

use super::{App, RequestId, body, tenant};
use crate::shutdown::{InFlight, explained, stopping};
use crate::wire::sse::{EventBody, Life, MakeRenderer};
use crate::wire::{Dialect, EMBEDDINGS, error};

/// Headers of the caller that choose how it is done.
const PROVIDER: &str = "x-exec-provider";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// `false`: only the first choice may be asked.
const FALLBACK: &str = "x-exec-fallback";

/// Headers of the caller that change the answer and go to the provider.
const FORWARDED: [&str; 2] = ["anthropic-beta", "openai-beta"];

/// Fields the provider's format could not express, told to the caller.
const DROPPED: HeaderName = HeaderName::from_static("x-exec-dropped");
const ANSWERED_BY: HeaderName = HeaderName::from_static("x-exec-provider");
/// There when the answer is a stand-in.
const DEGRADED: HeaderName = HeaderName::from_static("x-exec-degraded");
const ACCEL: HeaderName = HeaderName::from_static("x-accel-buffering");

type Call = (State<Arc<App>>, Extension<RequestId>, HeaderMap, Body);

pub(super) async fn native(call: Call) -> Response {
    let front = call.0.native;
    execute(call, Arc::new(front), Dialect::Native).await
}

pub(super) async fn chat(call: Call) -> Response {
    execute(call, Arc::new(OpenAiFront), Dialect::OpenAi).await
}

pub(super) async fn messages(call: Call) -> Response {
    execute(call, Arc::new(AnthropicFront), Dialect::Anthropic).await
}

pub(super) async fn embeddings(call: Call) -> Response {
    execute(call, Arc::new(EMBEDDINGS), Dialect::OpenAi).await
}

async fn execute(call: Call, front: Arc<dyn Front>, dialect: Dialect) -> Response {
    let (State(app), Extension(RequestId(id)), headers, body) = call;
    let Some(in_flight) = app.drain.begin() else {
        return error::answer(&stopping(), dialect, &id);
    };
    let request = match read(&app, &*front, &headers, body).await {
        Ok(request) => request,
        Err(error) => return error::answer(&error, dialect, &id),
    };
    let tenant = app.settings.tenant_header.as_ref().and_then(|name| tenant::of(&headers, name));
    let execution = Execution::new(&app, front, dialect, id, tenant, &request);
    if request.options.stream {
        execution.stream(app, request, in_flight).await
    } else {
        execution.whole(&app, request).await
    }
}

async fn read(app: &App, front: &dyn Front, headers: &HeaderMap, body: Body) -> Result<Request> {
    let body = body::whole(headers, body, &app.settings).await?;
    let mut request = front.read(&body)?;
    let options = with_headers(&request.options, headers)?;
    if let Some(options) = options {
        request.options = Arc::new(options);
    }
    Ok(request)
}

/// What the caller's headers say of how it is to be done; `None` when they say nothing.
///
/// # Errors
/// `InvalidRequest` for a header that says neither yes nor no where it must.
fn with_headers(options: &Options, headers: &HeaderMap) -> Result<Option<Options>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(Arc::<str>::from);
    let provider = text(PROVIDER);
    let idempotency_key = text(IDEMPOTENCY_KEY);
    let forwarded: Vec<_> =
        FORWARDED.iter().filter_map(|name| Some((Arc::from(*name), text(name)?))).collect();
    let no_fallback = match text(FALLBACK).as_deref() {
        None | Some("true") => false,
        Some("false") => true,
        Some(_) => {
            let wrong = FieldError::new(FALLBACK, "invalid_value", "must be true or false");
            return Err(Error::invalid(vec![wrong]));
        }
    };
    if provider.is_none() && idempotency_key.is_none() && forwarded.is_empty() && !no_fallback {
        return Ok(None);
    }
    let mut options = options.clone();
    options.provider = options.provider.or(provider);
    options.idempotency_key = idempotency_key;
    options.headers.extend(forwarded);
    options.no_fallback |= no_fallback;
    Ok(Some(options))
}

/// One execution on its way.
struct Execution {
    front: Arc<dyn Front>,
    dialect: Dialect,
    context: Context,
    reply: Reply,
}

impl Execution {
    fn new(
        app: &App,
        front: Arc<dyn Front>,
        dialect: Dialect,
        id: Arc<str>,
        tenant: Option<Arc<str>>,
        request: &Request,
    ) -> Self {
        let context = Context::new(id.clone());
        let context = match tenant {
            Some(tenant) => context.with_tenant(tenant),
            None => context,
        };
        let context = context
            .with_events(app.events.0.clone())
            .with_budget(Arc::new(Budget::new(app.attempts, None)))
            .with_cancel(app.drain.over())
            .with_timeout(app.settings.timeout);
        let reply = Reply {
            request_id: id,
            model: request.model.clone(),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            started: Some(Instant::now()),
            include_usage: OpenAiFront::include_usage(request),
            ..Reply::default()
        };
        Self { front, dialect, context, reply }
    }

    /// A complete answer.
    async fn whole(self, app: &App, request: Request) -> Response {
        let answer = async {
            let response = app.engine.execute(request, &self.context).await?;
            let report = response.report.clone();
            let verbatim = response.bytes_in(self.front.wire()).cloned();
            let output = match &verbatim {
                Some(_) => None,
                None => Some(response.collect().await?),
            };
            Ok((report, verbatim, output))
        };
        match self.context.bound(answer).await {
            Ok((report, verbatim, output)) => {
                let reply = Reply { report, ..self.reply };
                let body = verbatim.unwrap_or_else(|| self.front.answer(&output.unwrap_or_default(), &reply));
                answered(Body::from(body), "application/json", &reply)
            }
            Err(error) => self.failed(error),
        }
    }

    /// A streamed answer. An execution that fails while the caller has seen nothing yet is answered with its status;
    /// one that takes longer than a silence may be begins to show that it lives.
    async fn stream(self, app: Arc<App>, request: Request, in_flight: InFlight) -> Response {
        let keep_alive = app.settings.keep_alive;
        let life = Life { keep_alive, context: self.context.clone(), in_flight };
        let context = self.context.clone();
        let mut call: BoxFuture<'static, _> =
            Box::pin(async move { context.bound(app.engine.execute(request, &context)).await });
        let first = tokio::select! {
            biased;
            answer = &mut call => Some(answer),
            () = sleep(keep_alive) => None,
        };
        let front = self.front.clone();
        let renderer: MakeRenderer = Box::new(move |reply| front.renderer(reply));
        let (reply, body) = match first {
            Some(Err(error)) => return self.failed(error),
            Some(Ok(response)) => {
                let reply = Reply { report: response.report.clone(), ..self.reply };
                (reply.clone(), EventBody::streaming(response, reply, renderer, life))
            }
            None => (self.reply.clone(), EventBody::waiting(call, self.reply, renderer, life)),
        };
        let mut response = answered(Body::new(body), "text/event-stream", &reply);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response.headers_mut().insert(ACCEL, HeaderValue::from_static("no"));
        response
    }

    fn failed(&self, error: Error) -> Response {
        error::answer(&explained(error), self.dialect, self.context.id())
    }
}

fn answered(body: Body, kind: &'static str, reply: &Reply) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(value) = reply.report.provider.as_deref().and_then(|name| HeaderValue::from_str(name).ok()) {
        headers.insert(ANSWERED_BY, value);
    }
    if reply.report.degraded {
        headers.insert(DEGRADED, HeaderValue::from_static("true"));
    }
    if let Ok(value) = HeaderValue::from_str(&reply.report.dropped.join(", "))
        && !reply.report.dropped.is_empty()
    {
        headers.insert(DROPPED, value);
    }
    response
}
