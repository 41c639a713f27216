//! A kept answer, and what it weighs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use exec_core::chat::Reasoning;
use exec_core::{Chunk, Cost, Error, Operation, Output, Part, Report, Response, Result, Reuse, Text, Wire};
use futures_util::stream;
use tokio::time::Instant;

use super::marks::Subject;

/// A kept answer with everything that is known about it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is about.
    pub subject: Subject,
    /// When it was kept.
    pub kept_at: Instant,
    /// How long it is good.
    pub ttl: Duration,
    /// How long after that it may be of use to anybody.
    pub grace: Duration,
    /// What it weighs, in bytes.
    pub weight: u64,
    pub(super) body: Body,
    pub(super) report: Arc<Report>,
    pub(super) cost: Option<Cost>,
    /// The time of [`Marks`](super::marks::Marks) at which its reading began.
    pub(super) born: u64,
}

/// The answer itself. Every clone shares it.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// It came whole, perhaps with the bytes it was read from.
    Whole(Arc<Output>, Option<(Wire, Bytes)>),
    /// It came in pieces.
    Pieces(Arc<[Chunk]>),
    /// There is none: the call failed.
    Failure(Arc<Error>),
}

/// How old an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Fresh,
    /// Past its time by so much.
    Past(Duration),
}

impl Entry {
    /// One that is never found.
    pub(super) fn placeholder(weight: u32) -> Self {
        Self {
            subject: Subject { tenant: None, operation: Operation::CHAT, model: None, tags: Vec::new() },
            kept_at: Instant::now(),
            ttl: Duration::from_secs(60),
            grace: Duration::ZERO,
            weight: weight.into(),
            body: Body::Pieces(Arc::default()),
            report: Arc::default(),
            cost: None,
            born: 0,
        }
    }

    pub(super) fn age(&self) -> Age {
        match self.kept_at.elapsed().checked_sub(self.ttl) {
            None => Age::Fresh,
            Some(past) => Age::Past(past),
        }
    }

    /// The answer for a caller who did not pay for it.
    pub(super) fn answer(&self, reuse: Reuse) -> Result<Response> {
        respond(&self.body, &self.report, self.cost, Some(reuse))
    }
}

/// An answer made of what is kept or shared; with `reuse`, one that cost nothing.
pub(super) fn respond(
    body: &Body,
    report: &Report,
    cost: Option<Cost>,
    reuse: Option<Reuse>,
) -> Result<Response> {
    let response = match body {
        Body::Failure(error) => return Err(Error::clone(error)),
        Body::Whole(output, received) => {
            let mut output = Output::clone(output);
            if reuse.is_some() {
                output.summary.cost = Some(Cost::default());
            }
            match received {
                Some((wire, bytes)) => Response::verbatim(output, *wire, bytes.clone()),
                None => Response::full(output),
            }
        }
        Body::Pieces(chunks) => {
            // Pieces are only ever kept, so whoever gets them did not pay.
            let (chunks, pieces) = (chunks.clone(), chunks.len());
            Response::stream(stream::iter((0..pieces).map(move |at| Ok(at_no_cost(chunks[at].clone())))))
        }
    };
    Ok(response.with_report(reused(report, cost, reuse)))
}

/// The report of an answer that took no call of its own.
pub(super) fn reused(report: &Report, saved: Option<Cost>, reuse: Option<Reuse>) -> Report {
    match reuse {
        None => report.clone(),
        Some(_) => Report { cached: true, reuse, saved, attempts: 0, ..report.clone() },
    }
}

/// The same chunk for a caller who did not pay for it.
pub(super) fn at_no_cost(chunk: Chunk) -> Chunk {
    match chunk {
        Chunk::End(mut summary) => {
            summary.cost = Some(Cost::default());
            Chunk::End(summary)
        }
        chunk => chunk,
    }
}

/// What an entry weighs besides its answer.
pub(super) const OVERHEAD: usize = 512;

/// What a chunk takes in memory, in bytes, nearly.
pub(super) fn chunk_weight(chunk: &Chunk) -> usize {
    let heap = match chunk {
        Chunk::Text(text) | Chunk::Reasoning(text) | Chunk::Signature(text) => text.len(),
        Chunk::ToolCall(call) => {
            call.arguments.len()
                + call.id.as_ref().map_or(0, String::len)
                + call.name.as_ref().map_or(0, String::len)
        }
        Chunk::Opaque(opaque) => opaque.wire.len() + opaque.kind.len() + opaque.value.bytes().len(),
        Chunk::Data(value) => value.bytes().len(),
        Chunk::Verbatim(event) => event.data.len() + event.means.iter().map(chunk_weight).sum::<usize>(),
        _ => 0,
    };
    heap + size_of::<Chunk>()
}

impl Body {
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Whole(output, received) => {
                let parts: usize = output.parts().iter().map(part_weight).sum();
                let data: usize =
                    output.data.iter().map(|value| value.bytes().len() + size_of_val(value)).sum();
                parts + data + received.as_ref().map_or(0, |(_, bytes)| bytes.len())
            }
            Self::Pieces(chunks) => chunks.iter().map(chunk_weight).sum(),
            Self::Failure(error) => error.message().len(),
        }
    }
}

fn part_weight(part: &Part) -> usize {
    let text = |text: &Text| text.to_str().len();
    let heap = match part {
        Part::Text { text: words, .. } => text(words),
        Part::Reasoning(Reasoning { text: words, signature, .. }) => {
            text(words) + signature.as_ref().map_or(0, text)
        }
        Part::ToolCall(call) => call.id.len() + call.name.len() + text(&call.arguments),
        Part::Opaque(opaque) => opaque.wire.len() + opaque.kind.len() + opaque.value.bytes().len(),
        _ => 0,
    };
    heap + size_of::<Part>()
}
