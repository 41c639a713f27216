//! A provider reached over HTTP: whatever the format, the way there and back is the same.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use exec_core::{
    Capabilities, Context, Error, ErrorKind, Event, Executor, Health, Operation, Output, Provider, Remedy,
    Report, Request, Response, Result,
};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};

use crate::format::{Encoded, Format};
use crate::http::{Incoming, OutgoingRequest, Transport, TransportConfig, TransportError};
use crate::models::ModelMap;
use crate::stream::EventStream;

/// The largest answer that is not streamed.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// How much of a failure's body is read.
const MAX_ERROR_BYTES: usize = 64 << 10;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("exec/", env!("CARGO_PKG_VERSION")));
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A provider reached over HTTP.
pub(crate) struct Remote<F> {
    name: Arc<str>,
    format: F,
    transport: Transport,
    models: ModelMap,
    default_model: Option<Arc<str>>,
    capabilities: Capabilities,
}

/// How a provider is reached over HTTP, and for which models it is asked.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// Address and limits of the connections.
    pub transport: TransportConfig,
    /// The callers' names for models and the provider's.
    pub models: ModelMap,
    /// Asked for when the caller names no model.
    pub default_model: Option<Arc<str>>,
    /// How many tokens of a prompt its models can read, where that is known.
    pub context_window: Option<u64>,
}

impl<F: Format> Remote<F> {
    /// Checks the endpoint and prepares connections; opens none.
    pub(crate) fn new(
        name: impl Into<Arc<str>>,
        format: F,
        endpoint: Endpoint,
    ) -> Result<Self, TransportError> {
        let Endpoint { transport, models, default_model, context_window } = endpoint;
        let transport = Transport::new(&transport)?;
        let (names, any_model) = (models.names().collect(), models.takes_any());
        let capabilities = Capabilities { models: names, any_model, context_window, ..format.capabilities() };
        Ok(Self { name: name.into(), format, transport, models, default_model, capabilities })
    }

    async fn call(&self, request: Request, attempt: u32, context: &Context) -> Result<Response> {
        let report = Report { provider: Some(self.name.clone()), attempts: attempt, ..Report::default() };
        if request.operation == Operation::MODELS {
            return Ok(Response::full(self.list(context).await?).with_report(report));
        }
        let model = self.model_for(&request)?;
        let encoded = self.format.encode(&request, model)?;
        let incoming = self.send(&request, &encoded, context).await?;
        let limits = self.format.limits(&incoming.headers);
        let report = Report {
            model: Some(model.into()),
            dropped: encoded.dropped.clone(),
            limits: limits.map(Arc::new),
            ..report
        };
        if request.options.stream && !is_json(&incoming) {
            self.streamed(incoming, &encoded, report).await
        } else {
            self.whole(incoming, &request.operation, &encoded, report).await
        }
    }

    fn model_for<'a>(&'a self, request: &'a Request) -> Result<&'a str> {
        let asked = request.model.as_deref().or(self.default_model.as_deref()).ok_or_else(|| {
            let message = format!("name a model: `{}` has no default", self.name);
            Error::new(ErrorKind::InvalidRequest, message).with_code("model_required")
        })?;
        self.models.resolve(asked)
    }

    async fn send(&self, request: &Request, encoded: &Encoded, context: &Context) -> Result<Incoming> {
        let mut outgoing = OutgoingRequest::post(encoded.path, encoded.body.clone());
        let accept = if request.options.stream { "text/event-stream" } else { "application/json" };
        outgoing.headers.insert(ACCEPT, HeaderValue::from_static(accept));
        if let Some(key) = &request.options.idempotency_key
            && let Ok(value) = HeaderValue::from_str(key)
        {
            outgoing.headers.insert(IDEMPOTENCY_KEY, value);
        }
        self.format.headers(request, &mut outgoing)?;
        self.dispatch(outgoing, context).await
    }

    /// Sends, and answers with an answer that says success.
    async fn dispatch(&self, mut outgoing: OutgoingRequest, context: &Context) -> Result<Incoming> {
        outgoing.headers.insert(USER_AGENT, AGENT);
        let incoming =
            self.transport.send(outgoing, context.connect_limit()).await.map_err(transport_failed)?;
        if incoming.status.is_success() {
            return Ok(incoming);
        }
        let (status, headers) = (incoming.status.as_u16(), incoming.headers.clone());
        // A failure whose body breaks off or is endless is still the failure its status says.
        let body = incoming.bytes(MAX_ERROR_BYTES).await.unwrap_or_default();
        Err(self.format.error(status, &headers, &body))
    }

    async fn whole(
        &self,
        incoming: Incoming,
        operation: &Operation,
        encoded: &Encoded,
        report: Report,
    ) -> Result<Response> {
        let body = incoming.bytes(MAX_ANSWER_BYTES).await.map_err(transport_failed)?;
        let answer = self.format.decode(operation, &body)?;
        let report = Report { id: answer.id, model: answer.model.or(report.model), ..report };
        let response = if encoded.verbatim {
            Response::verbatim(answer.output, self.format.wire(operation), body)
        } else {
            Response::full(answer.output)
        };
        Ok(response.with_report(report))
    }

    async fn streamed(&self, incoming: Incoming, encoded: &Encoded, report: Report) -> Result<Response> {
        let mut stream = EventStream::new(incoming.body, self.format.decoder(encoded));
        stream.commit().await?;
        let report = Report { id: stream.id(), model: stream.model().or(report.model), ..report };
        Ok(Response::stream(stream).with_report(report))
    }

    async fn list(&self, context: &Context) -> Result<Output> {
        let models = self.fetch_models(context).await?;
        Ok(Output::values_of(models.iter().map(|name| serde_json::json!(&**name).into())))
    }

    async fn fetch_models(&self, context: &Context) -> Result<Vec<Arc<str>>> {
        let mut outgoing = OutgoingRequest::get(self.format.models_path());
        self.format.headers(&Request::new(Operation::MODELS, exec_core::Input::none()), &mut outgoing)?;
        let incoming = self.dispatch(outgoing, context).await?;
        let body: Bytes = incoming.bytes(MAX_ANSWER_BYTES).await.map_err(transport_failed)?;
        self.format.models(&body)
    }
}

#[async_trait]
impl<F: Format> Executor for Remote<F> {
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        let attempt = context.budget().take_attempt()?;
        context.emit(&Event::Dispatched { provider: self.name.clone(), attempt });
        let answer = context.bound(self.call(request, attempt, context)).await;
        answer.map_err(|error| error.with_provider(self.name.clone()))
    }
}

#[async_trait]
impl<F: Format> Provider for Remote<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Lists the models, which costs nothing. Bounded by the transport's limits and the caller's.
    async fn check(&self) -> Health {
        let context = Context::new("check").with_timeout(CHECK_LIMIT);
        match context.bound(self.fetch_models(&context)).await {
            Ok(_) => Health::Healthy,
            Err(error) if error.remedy() == Remedy::Retry => Health::Degraded,
            Err(_) => Health::Unhealthy,
        }
    }
}

/// How long a check may take.
const CHECK_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

fn is_json(incoming: &Incoming) -> bool {
    let kind = incoming.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// What a failure of the transport means for the call.
pub(crate) fn transport_failed(error: TransportError) -> Error {
    use TransportError as T;
    let (kind, code, remedy) = match &error {
        T::Busy => (ErrorKind::Overloaded, "connections_busy", Remedy::Elsewhere),
        T::Connect { timed_out: true, .. } => (ErrorKind::Unavailable, "connect_timeout", Remedy::Elsewhere),
        T::Connect { .. } => (ErrorKind::Unavailable, "connect_failed", Remedy::Elsewhere),
        T::Closed { .. } => (ErrorKind::Upstream, "connection_closed", Remedy::Retry),
        T::Reset => (ErrorKind::Upstream, "connection_reset", Remedy::Retry),
        T::Incomplete => (ErrorKind::Upstream, "stream_cut", Remedy::Retry),
        T::TimedOut => (ErrorKind::Upstream, "connection_timed_out", Remedy::Elsewhere),
        T::TooLarge { .. } => (ErrorKind::Upstream, "answer_too_large", Remedy::Stop),
        T::Protocol => (ErrorKind::Upstream, "bad_http", Remedy::Elsewhere),
        _ => (ErrorKind::Internal, "bad_request", Remedy::Stop),
    };
    let message = format!("the provider could not be asked: {}", with_causes(&error));
    let unsent = error.unsent();
    Error::new(kind, message).with_code(code).with_remedy(remedy).with_unsent(unsent).with_source(error)
}

/// The error and what caused it, down to the operating system's words. None of them holds a secret.
fn with_causes(error: &TransportError) -> String {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let words = error.to_string();
        if !message.ends_with(&words) {
            message = format!("{message}: {words}");
        }
        cause = error.source();
    }
    message
}
