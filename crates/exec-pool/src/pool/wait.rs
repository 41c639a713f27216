//! The wait for a connection.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep_until};

use super::shared::{Outcome, Seat, Shared};
use crate::error::PoolError;
use crate::lease::Lease;
use crate::manager::Manager;
use crate::slots::{Outcome as End, Refused, Seat as NewSeat, Wish};

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
    /// The place, and where the end is told; `None` when there is nothing to leave.
    place: Option<(u64, Arc<Seat<M>>)>,
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
            again = wait.place.take().map(|(place, _)| place);
            match outcome {
                // If it broke on the way, the place is kept.
                End::Lent(lent) => match self.admit(lent) {
                    Ok(lease) => return Ok(lease),
                    Err(()) => continue,
                },
                End::Failed(error) => return Err(PoolError::Connect(error)),
                End::Late(stage, waited) => return Err(PoolError::Timeout { stage, waited }),
                End::Closed => return Err(PoolError::Closed),
            }
        }
    }
}

impl<M: Manager> Wait<'_, M> {
    /// Takes a connection, or a place in the queue.
    fn enter(&mut self, cx: &Context<'_>) -> Result<Option<Outcome<M>>, PoolError<M::Error>> {
        let Self { site, since, end, again: place, .. } = *self;
        let now = if place.is_some() { Instant::now() } else { since };
        // Who would have to wait goes there without asking first; whoever is served at once is served there too.
        let hope = place.is_none() && !self.shared.crowded.load(Ordering::Relaxed);
        let taken = if hope { self.shared.slots().take(now, site) } else { None };
        if let Some(lent) = taken {
            return Ok(Some(End::Lent(lent)));
        }
        let here = if self.kept { Handle::try_current().ok().map(|handle| handle.id()) } else { None };
        let seat = Arc::new(NewSeat::new(cx.waker().clone()));
        let wish = Wish { waker: seat.clone(), site, since, until: Some(end), here, place };
        let entered = self.shared.act_at(now, |slots, now, todo| slots.wait(wish, now, todo));
        let (place, kept) = entered.map_err(|refused| match refused {
            Refused::Full(waiting) => PoolError::Full { waiting },
            Refused::Closed => PoolError::Closed,
        })?;
        self.kept = kept;
        let seen = seat.look(cx.waker());
        self.place = Some((place, seat));
        Ok(seen)
    }

    /// Ends the wait when its time is over, if nobody else does.
    fn poll_timer(&mut self, place: u64, cx: &mut Context<'_>) -> Poll<Outcome<M>> {
        self.shared.start();
        let end = self.end;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // If the wait has ended by now, its end is about to be told.
        let late = self.shared.slots().late(place, Instant::now());
        late.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<M: Manager> Future for Wait<'_, M> {
    type Output = Result<Outcome<M>, PoolError<M::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let seen = match &self.place {
            Some((_, seat)) => seat.look(cx.waker()),
            None => self.enter(cx)?,
        };
        if let Some(outcome) = seen {
            return Poll::Ready(Ok(outcome));
        }
        match &self.place {
            Some((place, _)) if !(self.kept && self.shared.kept.load(Ordering::SeqCst)) => {
                let place = *place;
                self.poll_timer(place, cx).map(Ok)
            }
            _ => Poll::Pending,
        }
    }
}

impl<M: Manager> Drop for Wait<'_, M> {
    fn drop(&mut self) {
        let Some((place, seat)) = self.place.take() else {
            return;
        };
        let waited = self.shared.slots().leave(place);
        if let (false, Some(End::Lent(lent))) = (waited, seat.leave()) {
            self.shared.give_up(lent);
        }
    }
}
