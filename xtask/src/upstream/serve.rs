//! From a connection to answers: reads requests, finds the scenario, accounts for what became of it.
use super::ask::{Answer, Ask};
use super::connection::{Connection, Flow, Stop};
use super::error::{Failure, Format, HTML};
use super::fault::{Break, Faults, Instead};
use super::play::{self, Unary};
use super::prefill::{check_prefill, prefill};
use super::request::{NoRequest, Request};
use super::stats::Ledger;
use super::wire::{Wire, reason};
use super::{anthropic, control, embeddings, models, openai};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Connections served at one time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 16_384;
/// Wait after a failed accept.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);
const JSON: &str = "application/json";

/// Accepts until it is dropped, which ends all its connections.
pub(super) async fn accept(listener: tokio::net::TcpListener, ledger: Arc<Ledger>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => {
                match accepted {
                    Ok((stream, _)) => drop(connections.spawn(connection(stream, Arc::clone(&ledger)))),
                    // Out of descriptors, most likely: trying again at once would only burn the processor.
                    Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, ledger: Arc<Ledger>) {
    let _open = ledger.connect();
    // Without it only the timing of small writes is worse.
    drop(stream.set_nodelay(true));
    let mut conn = Connection::new(stream);
    loop {
        let request = match Request::read(&mut conn).await {
            Ok(request) => request,
            Err(NoRequest::Gone) => return,
            Err(NoRequest::Bad(status)) => return refuse(conn, status).await,
        };
        conn.last_write = None;
        let ended = serve(&mut conn, &ledger, &request).await;
        match ended {
            Ok(()) | Err(Stop::Ended) if request.keep_alive() => {}
            Ok(()) | Err(Stop::Ended) => return conn.close(Stop::Close).await,
            Err(how) => return conn.close(how).await,
        }
    }
}

async fn refuse(mut conn: Connection, status: u16) {
    let head =
        format!("HTTP/1.1 {status} {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", reason(status));
    conn.out.extend_from_slice(head.as_bytes());
    // The connection is closed whether or not the client reads this.
    let _ = conn.flush().await;
    conn.close(Stop::Close).await;
}

async fn serve(conn: &mut Connection, ledger: &Ledger, request: &Request) -> Flow {
    if let Some(page) = control::page(request, ledger) {
        let mut wire = Wire::new(conn, Format::OpenAi, 0, request.keep_alive(), &Faults::default());
        return wire.respond(200, JSON, &page, &Faults::default()).await;
    }
    let ask = Ask::read(&request.body);
    let in_flight = ledger.begin(request, ask.model());
    let ended = answer(conn, ledger, request, &ask, in_flight.id).await;
    match ended {
        Ok(()) => in_flight.completed(),
        Err(Stop::Left) => in_flight.left(request, ask.model(), conn.last_write),
        Err(_) => in_flight.broken(),
    }
    ended
}

async fn answer(conn: &mut Connection, ledger: &Ledger, request: &Request, ask: &Ask, id: u64) -> Flow {
    let format = format(request);
    let parsed = spec(request, ask).map(Faults::parse).unwrap_or(Ok(Faults::default()));
    let (faults, wrong) = match parsed {
        Ok(faults) => (faults, None),
        Err(reason) => (Faults::default(), Some(reason)),
    };
    let faults = if ledger.concerns(&faults) { faults } else { Faults::default() };
    let mut wire = Wire::new(conn, format, id, request.keep_alive(), &faults);
    if let Some(reason) = wrong {
        return fail(&mut wire, &Failure::invalid(reason, Some("x-fault")), &faults).await;
    }
    if let Err(failure) = authorize(format, request) {
        return fail(&mut wire, &failure, &faults).await;
    }
    wire.pause(faults.headers).await?;
    match faults.instead {
        Some(Instead::Hang) => return wire.conn.hang().await,
        Some(Instead::Reset) => return Err(Stop::Reset),
        None => {}
    }
    if let Some(failure) = asked_failure(ledger, format, ask.model(), &faults) {
        return match faults.error.as_deref() {
            Some("bad_json") => wire.respond(failure.status, "text/html", HTML, &faults).await,
            _ => fail(&mut wire, &failure, &faults).await,
        };
    }
    route(&mut wire, request, ask, &faults).await
}

/// Where the scenario is: the header wins over the model.
fn spec<'a>(request: &'a Request, ask: &'a Ask) -> Option<&'a str> {
    request.header("x-fault").or_else(|| ask.model().strip_prefix("fault:"))
}

fn format(request: &Request) -> Format {
    let path = request.path();
    let anthropic = path.starts_with("/v1/messages")
        || (path.starts_with("/v1/models") && request.header("anthropic-version").is_some());
    if anthropic { Format::Anthropic } else { Format::OpenAi }
}

fn authorize(format: Format, request: &Request) -> Result<(), Failure> {
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let key = match format {
        Format::OpenAi => bearer,
        Format::Anthropic => request.header("x-api-key").or(bearer),
    };
    match key {
        None | Some("" | "bad-key") => Err(Failure::unauthorized(format, key.filter(|key| !key.is_empty()))),
        Some(_) if format == Format::Anthropic && request.header("anthropic-version").is_none() => {
            Err(Failure::invalid("anthropic-version: header is required", None))
        }
        Some(_) => Ok(()),
    }
}

/// The failure a scenario asks for instead of an answer.
fn asked_failure(ledger: &Ledger, format: Format, model: &str, faults: &Faults) -> Option<Failure> {
    if faults.flap.is_some_and(|times| ledger.flaps(&faults.spec, times)) {
        return Some(Failure::of_status(format, 503, model));
    }
    let in_stream = matches!(faults.stop, Some((_, Break::Error)));
    let failure = match (&faults.error, faults.status) {
        (Some(_), _) if in_stream => return None,
        (Some(name), _) if name == "bad_json" => Failure::of_status(format, 400, model),
        (Some(name), _) => Failure::named(format, name, model),
        (None, Some(status)) => Failure::of_status(format, status, model),
        (None, None) => return None,
    };
    let failure = if faults.unlimited { failure.without_hint() } else { failure };
    let status = faults.status.unwrap_or(failure.status);
    Some(Failure { status, ..failure })
}

async fn fail(wire: &mut Wire<'_>, failure: &Failure, faults: &Faults) -> Flow {
    let body = failure.render(wire.format, wire.id);
    wire.respond(failure.status, JSON, &body, faults).await
}

async fn route(wire: &mut Wire<'_>, request: &Request, ask: &Ask, faults: &Faults) -> Flow {
    let (method, path) = (request.method(), request.path());
    match (method, path) {
        ("POST", "/v1/chat/completions" | "/v1/messages") => chat(wire, request, ask, faults).await,
        ("POST", "/v1/embeddings") => plain(wire, embeddings::answer(&request.body), faults).await,
        ("GET", "/v1/models") => plain(wire, Ok(models::list(wire.format)), faults).await,
        (_, "/v1/chat/completions" | "/v1/messages" | "/v1/embeddings" | "/v1/models") => {
            fail(wire, &Failure::no_method(wire.format, method, path), faults).await
        }
        _ => match path.strip_prefix("/v1/models/") {
            Some(id) if method == "GET" => plain(wire, models::one(wire.format, id), faults).await,
            _ => fail(wire, &Failure::no_path(wire.format, method, path), faults).await,
        },
    }
}

async fn plain(wire: &mut Wire<'_>, body: Result<Vec<u8>, Failure>, faults: &Faults) -> Flow {
    match body {
        Ok(body) => play::unary(wire, Unary::plain(body), faults).await,
        Err(failure) => fail(wire, &failure, faults).await,
    }
}

async fn chat(wire: &mut Wire<'_>, request: &Request, ask: &Ask, faults: &Faults) -> Flow {
    let prefill = prefill(&request.body);
    let checked =
        ask.check(wire.format).and_then(|()| check_prefill(wire.format, prefill.as_deref(), faults));
    if let Err(failure) = checked {
        return fail(wire, &failure, faults).await;
    }
    let mut answer = Answer::new(wire.id, ask, request, faults);
    if let Some(said) = prefill {
        answer.go_on_from(&said);
    }
    match (ask.stream.unwrap_or(false), wire.format) {
        (false, Format::OpenAi) => play::unary(wire, openai::unary(answer), faults).await,
        (false, Format::Anthropic) => play::unary(wire, anthropic::unary(answer), faults).await,
        (true, Format::OpenAi) => {
            play::stream(wire, &mut openai::Chunks::new(answer), ask.model(), faults).await
        }
        (true, Format::Anthropic) => {
            play::stream(wire, &mut anthropic::Events::new(answer), ask.model(), faults).await
        }
    }
}
