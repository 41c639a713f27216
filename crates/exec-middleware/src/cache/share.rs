//! Listening to a call that may be shared: the answer each listener gets, under the limits of its own context.

use std::sync::Arc;

use exec_core::{Chunk, Context, Cost, Error, ErrorKind, Report, Response, Result, Reuse};
use futures_util::{Stream, StreamExt};

use super::core::Core;
use super::entry::{Body, at_no_cost, respond, reused};
use super::flights::{Listener, News};
use super::relay::Gone;
use crate::timeout::Limited;

/// The answer for one listener, who pays for it if it is the one who `leads`.
pub(super) async fn answer(
    core: &Arc<Core>,
    mut listener: Listener,
    leads: bool,
    context: &Context,
) -> Result<Response> {
    let news = context.bound(async { Ok(listener.next().await) }).await?;
    let reuse = (!leads).then_some(Reuse::Coalesced);
    match news {
        Some(Ok(News::Found(entry))) => {
            if leads {
                core.hit(&entry, context)
            } else {
                core.save(entry.cost);
                entry.answer(Reuse::Coalesced)
            }
        }
        Some(Ok(News::Whole(body, report))) => {
            let cost = if let Body::Whole(output, _) = &body { output.summary.cost } else { None };
            if !leads {
                core.save(cost);
            }
            respond(&body, &report, cost, reuse)
        }
        Some(Ok(News::Began(report))) => Ok(stream(core.clone(), listener, &report, reuse, context)),
        Some(Ok(News::Failed(error))) => Err(error),
        Some(Ok(News::Piece(_))) | None => Err(gone(Gone::Broken)),
        Some(Err(why)) => Err(gone(why)),
    }
}

fn stream(
    core: Arc<Core>,
    listener: Listener,
    report: &Report,
    reuse: Option<Reuse>,
    context: &Context,
) -> Response {
    let pieces = pieces(core, listener, reuse.is_some());
    let limited = Limited::new(pieces.boxed(), None, None, context);
    Response::stream(limited).with_report(reused(report, None, reuse))
}

fn pieces(core: Arc<Core>, listener: Listener, free: bool) -> impl Stream<Item = Result<Chunk>> + Send {
    listener.map(move |news| match news {
        Ok(News::Piece(chunk)) if free => {
            if let Chunk::End(summary) = &chunk {
                core.save(summary.cost);
            }
            Ok(at_no_cost(chunk))
        }
        Ok(News::Piece(chunk)) => Ok(chunk),
        Ok(News::Failed(error)) => Err(error),
        Ok(News::Found(_) | News::Whole(..) | News::Began(_)) => Err(gone(Gone::Broken)),
        Err(why) => Err(gone(why)),
    })
}

/// What a listener is told that gets no more.
fn gone(why: Gone) -> Error {
    match why {
        Gone::Lagged => {
            let message =
                "the shared answer went on for too long without this reader: read it faster, or ask again";
            Error::new(ErrorKind::Overloaded, message).with_code("shared_call_lagged")
        }
        Gone::Broken => {
            let message = "the call that was shared broke; the log of the caller who made it says how";
            Error::new(ErrorKind::Internal, message).with_code("shared_call_broke")
        }
    }
}

impl Core {
    /// What somebody did not pay.
    pub(super) fn save(&self, cost: Option<Cost>) {
        if let Some(cost) = cost {
            self.count.saved.add(cost.total().as_micros());
        }
    }
}
