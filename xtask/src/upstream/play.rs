//! Plays an answer onto the wire and breaks it where the scenario says so.
use super::connection::{Flow, Stop};
use super::error::{Failure, Format};
use super::fault::{Break, Faults};
use super::text::Source;
use super::wire::{Head, Wire};
use std::time::Duration;

/// What an event of a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Comes before any content.
    Lead,
    /// Carries content: a token or a part of a tool call.
    Token,
    /// Comes after content.
    Frame,
    /// Ends the stream.
    Done,
}

/// The events of a stream, made one at a time.
pub(super) trait Script {
    /// Appends the next event with LF line ends; `None` after the last.
    fn next(&mut self, out: &mut Vec<u8>) -> Option<Kind>;
    /// Appends an event without content.
    fn ping(&self, out: &mut Vec<u8>);
}

/// A complete answer: JSON before the content, the content, JSON after it.
#[derive(Debug)]
pub(super) struct Unary {
    pub(super) before: Vec<u8>,
    pub(super) source: Source,
    pub(super) after: Vec<u8>,
}

impl Unary {
    /// A body without countable content, breakable in its middle.
    pub(super) fn plain(mut body: Vec<u8>) -> Self {
        let after = body.split_off(body.len() / 2);
        Self { before: body, source: Source::Words(0), after }
    }

    fn len(&self) -> u64 {
        (self.before.len() + self.after.len()) as u64 + self.source.json_len()
    }
}

/// Sends a complete answer. The time all tokens take passes before the head, as with the real APIs.
pub(super) async fn unary(wire: &mut Wire<'_>, mut answer: Unary, faults: &Faults) -> Flow {
    let count = answer.source.count();
    wire.pause(gaps(faults.gap, count)).await?;
    if faults.malformed.is_some() {
        answer.after.pop();
    }
    let clean = matches!(faults.stop, Some((_, Break::CutClean)));
    let length = (!clean).then(|| answer.len());
    wire.head(Head { status: 200, content_type: "application/json", length }, faults).await?;
    wire.pause(faults.first).await?;
    wire.body(&answer.before).await?;
    let mut token = Vec::with_capacity(64);
    for i in 0..count {
        stop_unary(wire, faults, i).await?;
        token.clear();
        answer.source.write(i, &mut token);
        wire.body(&token).await?;
    }
    stop_unary(wire, faults, count).await?;
    wire.body(&answer.after).await?;
    wire.finish().await
}

fn gaps(gap: Duration, tokens: u64) -> Duration {
    gap.saturating_mul(u32::try_from(tokens.saturating_sub(1)).unwrap_or(u32::MAX))
}

/// An error event has no meaning in a complete answer: it is not one of the breaks here.
async fn stop_unary(wire: &mut Wire<'_>, faults: &Faults, sent: u64) -> Flow {
    match faults.stop {
        Some((at, how)) if at == sent && how != Break::Error => stop(wire, how).await,
        _ => Ok(()),
    }
}

/// Sends a stream of events. `gap` and `first` pass before tokens, after what was already said left.
pub(super) async fn stream(
    wire: &mut Wire<'_>,
    script: &mut impl Script,
    model: &str,
    faults: &Faults,
) -> Flow {
    let content_type = "text/event-stream; charset=utf-8";
    wire.head(Head { status: 200, content_type, length: None }, faults).await?;
    let (mut event, mut events, mut sent) = (Vec::with_capacity(1024), 0, 0);
    while let Some(kind) = script.next(&mut event) {
        if kind == Kind::Done && faults.no_done {
            break;
        }
        if kind != Kind::Lead && matches!(faults.stop, Some((at, _)) if at == sent) {
            return stop_stream(wire, model, faults).await;
        }
        if kind == Kind::Token {
            before_token(wire, script, sent, faults).await?;
            sent += 1;
        }
        events += 1;
        decorate(&mut event, events, faults);
        wire.body(&event).await?;
        event.clear();
    }
    wire.finish().await
}

/// The time and the ping before a token.
async fn before_token(wire: &mut Wire<'_>, script: &impl Script, sent: u64, faults: &Faults) -> Flow {
    wire.pause(if sent == 0 { faults.first } else { faults.gap }).await?;
    ping(wire, script, sent, faults).await
}

async fn ping(wire: &mut Wire<'_>, script: &impl Script, sent: u64, faults: &Faults) -> Flow {
    if !faults.ping || sent == 0 {
        return Ok(());
    }
    let mut event = Vec::with_capacity(256);
    script.ping(&mut event);
    decorate(&mut event, 0, faults);
    wire.body(&event).await
}

/// Comments, broken JSON and line ends; events are counted from 1, pings are not counted.
fn decorate(event: &mut Vec<u8>, number: u64, faults: &Faults) {
    if faults.malformed == Some(number) && number > 0 {
        // The last byte of the data is its closing bracket.
        event.remove(event.len() - 3);
    }
    if faults.comments {
        event.splice(0..0, *b": keep-alive\n\n");
    }
    if faults.crlf {
        *event = with_crlf(event);
    }
}

/// Events have LF only as line ends: inside JSON it is escaped.
fn with_crlf(event: &[u8]) -> Vec<u8> {
    let mut wide = Vec::with_capacity(event.len() + 8);
    for &byte in event {
        if byte == b'\n' {
            wide.push(b'\r');
        }
        wide.push(byte);
    }
    wide
}

async fn stop_stream(wire: &mut Wire<'_>, model: &str, faults: &Faults) -> Flow {
    match faults.stop {
        Some((_, Break::Error)) => {
            let mut event = error_event(wire.format, wire.id, model, faults.error.as_deref());
            decorate(&mut event, 0, faults);
            wire.body(&event).await?;
            wire.finish().await
        }
        Some((_, how)) => stop(wire, how).await,
        None => Ok(()),
    }
}

fn error_event(format: Format, id: u64, model: &str, name: Option<&str>) -> Vec<u8> {
    let failure = match (name, format) {
        (Some(name), _) => Failure::named(format, name, model),
        (None, Format::OpenAi) => Failure::of_status(format, 500, model),
        (None, Format::Anthropic) => Failure::of_status(format, 529, model),
    };
    let lead: &[u8] = if format == Format::Anthropic { b"event: error\ndata: " } else { b"data: " };
    [lead, &failure.render(format, id), b"\n\n"].concat()
}

async fn stop(wire: &mut Wire<'_>, how: Break) -> Flow {
    match how {
        Break::Stall => return wire.conn.hang().await,
        Break::CutClean => {
            wire.finish().await?;
            return Err(Stop::Ended);
        }
        Break::Reset | Break::Cut | Break::Error => wire.conn.flush().await?,
    }
    Err(if how == Break::Reset { Stop::Reset } else { Stop::Close })
}
