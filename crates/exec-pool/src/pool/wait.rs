//! The wait for a connection.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

use super::shared::Shared;
use crate::error::PoolError;
use crate::lease::Lease;
use crate::manager::Manager;
use crate::slots::{Outcome, Refused, Seen, Wish};

type Look<M> = Seen<<M as Manager>::Connection, <M as Manager>::Error>;
type Ended<M> = Outcome<<M as Manager>::Connection, <M as Manager>::Error>;

/// A place in the queue. Dropping it leaves the queue.
struct Wait<'a, M: Manager> {
    shared: &'a Arc<Shared<M>>,
    site: &'static Location<'static>,
    since: Instant,
    end: Instant,
    /// Whether the keeper may end it. A timer costs more than the wait most often does; the keeper has one for all whose
    /// time is the same.
    kept: bool,
    /// The timer of those whom the keeper does not look after.
    timer: Option<Pin<Box<Sleep>>>,
    /// The place of before.
    again: Option<u64>,
    place: Option<u64>,
}

impl<M: Manager> Shared<M> {
    pub(super) async fn lend(
        self: &Arc<Self>,
        limit: Option<Duration>,
        since: Instant,
        site: &'static Location<'static>,
    ) -> Result<Lease<M>, PoolError<M::Error>> {
        let end = since + limit.unwrap_or(self.config.wait);
        let (kept, mut again) = (limit.is_none(), None);
        loop {
            // The second time it is late for the keeper to note the end.
            let kept = kept && again.is_none();
            let mut wait = Wait { shared: self, site, since, end, kept, timer: None, again, place: None };
            let outcome = (&mut wait).await?;
            again = wait.place.take();
            match outcome {
                // If it broke on the way, the place is kept.
                Outcome::Lent(lent) => match self.admit(lent) {
                    Ok(lease) => return Ok(lease),
                    Err(()) => continue,
                },
                Outcome::Failed(error) => return Err(PoolError::Connect(error)),
                Outcome::Late(stage, waited) => return Err(PoolError::Timeout { stage, waited }),
                Outcome::Closed => return Err(PoolError::Closed),
            }
        }
    }
}

impl<M: Manager> Wait<'_, M> {
    fn enter(&mut self, cx: &Context<'_>) -> Result<Look<M>, PoolError<M::Error>> {
        let Self { site, since, end, kept, again: place, .. } = *self;
        let now = if place.is_some() { Instant::now() } else { since };
        let entered = self.shared.act_at(now, |slots, now, todo| {
            if let Some(lent) = slots.take(now, site) {
                return Ok((None, Seen::Ended(Outcome::Lent(lent))));
            }
            let here = if kept { Handle::try_current().ok().map(|handle| handle.id()) } else { None };
            let wish = Wish { waker: cx.waker().clone(), site, since, until: Some(end), here, place };
            let (place, seen) = slots.wait(wish, now, todo)?;
            Ok((Some(place), seen))
        });
        let (place, seen) = entered.map_err(|refused| match refused {
            Refused::Full(waiting) => PoolError::Full { waiting },
            Refused::Closed => PoolError::Closed,
        })?;
        self.place = place;
        Ok(seen)
    }

    /// Ends the wait when its time is over, if nobody else does.
    fn poll_timer(&mut self, place: u64, cx: &mut Context<'_>) -> Poll<Ended<M>> {
        self.shared.start();
        let end = self.end;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        timer.as_mut().poll(cx).map(|()| self.shared.slots().late(place, Instant::now()))
    }
}

impl<M: Manager> Future for Wait<'_, M> {
    type Output = Result<Ended<M>, PoolError<M::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let seen = match self.place {
            Some(place) => self.shared.slots().look(place, |waker| waker.clone_from(cx.waker())),
            None => self.enter(cx)?,
        };
        match (seen, self.place) {
            (Seen::Ended(outcome), _) => Poll::Ready(Ok(outcome)),
            (Seen::Waiting { kept: false }, Some(place)) => self.poll_timer(place, cx).map(Ok),
            (Seen::Waiting { .. }, _) => Poll::Pending,
        }
    }
}

impl<M: Manager> Drop for Wait<'_, M> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let rest = self.shared.act(|slots, now, todo| slots.leave(place, now, todo));
            drop(rest);
        }
    }
}
