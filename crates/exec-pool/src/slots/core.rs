//! The slots themselves: taking, waiting, giving back.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use tokio::runtime::Id;
use tokio::time::Instant;

use crate::config::Config;
use crate::error::{ConnectError, Stage};
use crate::random::Jitter;
use crate::stats::{Reason, Stats};

use super::line::Line;
use super::parts::{Conn, Leases, Lent, Outcome, Shared, Todo, Waiting};

/// Makes another handle of a connection.
pub(crate) type Share<C> = Box<dyn Fn(&C) -> Option<C> + Send + Sync>;

/// The slots of a pool. `W` wakes one who waits.
pub(crate) struct Slots<C, E: std::error::Error + 'static, W> {
    pub(super) config: Config,
    pub(super) share: Share<C>,
    pub(super) closed: bool,
    /// Used by nobody; the one used last is at the back and is lent first, so that the others can grow old.
    pub(super) idle: VecDeque<Conn<C>>,
    /// Used by at least one, and others may join.
    pub(super) shared: Vec<Shared<C>>,
    /// Lent to one each.
    pub(super) out: usize,
    pub(super) connecting: usize,
    pub(super) checking: usize,
    pub(super) closing: usize,
    pub(super) line: Line<W>,
    pub(super) leases: Leases,
    pub(super) pause: Pause<E>,
    pub(super) jitter: Jitter,
    /// How many connections were made.
    pub(super) made: u64,
    /// The runtime in which the keeper runs.
    pub(super) keeper: Option<Id>,
    /// How many leases the connection made last can serve.
    pub(super) streams: usize,
    /// The counters; the rest of it is filled in when somebody looks.
    pub(super) counts: Stats,
}

/// What is known of failures to connect.
#[derive(Debug)]
pub(super) struct Pause<E: std::error::Error + 'static> {
    pub(super) failures: u32,
    pub(super) until: Option<Instant>,
    pub(super) error: Option<ConnectError<E>>,
}

/// Why nobody can wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full(usize),
    Closed,
}

/// What one needs who waits.
#[derive(Debug)]
pub(crate) struct Wish<W> {
    pub(crate) waker: W,
    pub(crate) site: &'static Location<'static>,
    pub(crate) since: Instant,
    /// When the keeper is to end the wait, if it runs in the runtime `here`. `None`: the caller does.
    pub(crate) until: Option<Instant>,
    pub(crate) here: Option<Id>,
    /// The place of before, of one whose connection turned out to be dead.
    pub(crate) place: Option<u64>,
}

impl<C, E: std::error::Error + 'static, W> Slots<C, E, W> {
    pub(crate) fn new(config: Config, seed: u64, share: Share<C>) -> Self {
        Self {
            config,
            share,
            closed: false,
            idle: VecDeque::new(),
            shared: Vec::new(),
            out: 0,
            connecting: 0,
            checking: 0,
            closing: 0,
            line: Line::default(),
            leases: Leases::default(),
            pause: Pause { failures: 0, until: None, error: None },
            jitter: Jitter::new(seed),
            made: 0,
            keeper: None,
            streams: 1,
            counts: Stats::default(),
        }
    }

    pub(super) fn total(&self) -> usize {
        self.idle.len() + self.in_use() + self.connecting
    }

    pub(super) fn in_use(&self) -> usize {
        self.out + self.shared.len() + self.checking + self.closing
    }

    /// A connection that can be lent without more ado. Nobody who waits is overtaken.
    pub(crate) fn take(&mut self, now: Instant, site: &'static Location<'static>) -> Option<Lent<C>> {
        if self.closed || !self.line.is_empty() {
            return None;
        }
        let conn = match self.join(now) {
            Some(conn) => conn,
            None if self.idle.back().is_some_and(|newest| self.is_fresh(newest, now)) => {
                let newest = self.idle.pop_back()?;
                self.hand_out(newest)
            }
            None => return None,
        };
        self.counts.lent += 1;
        self.counts.waits.add_at_once();
        Some(Lent { conn, lease: self.leases.add(site, now), waited: Duration::ZERO })
    }

    /// Waits behind all others, or at the place of before. Says which place that is, and whether the keeper ends the wait
    /// when it is time.
    pub(crate) fn wait(
        &mut self,
        wish: Wish<W>,
        now: Instant,
        todo: &mut Todo<C, E, W>,
    ) -> Result<(u64, bool), Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        if self.line.len() >= self.config.max_waiting && wish.place.is_none() {
            self.counts.refused += 1;
            return Err(Refused::Full(self.line.len()));
        }
        let Wish { waker, site, since, until, here, place } = wish;
        let until = until.filter(|_| here.is_some() && self.keeper == here);
        let waiting = Waiting { waker, site, since, until };
        let place = match place {
            Some(place) => {
                self.line.back_to(place, waiting);
                place
            }
            None => self.line.push(waiting),
        };
        self.pump(now, todo);
        Ok((place, until.is_some()))
    }

    /// Whether somebody waits.
    pub(crate) fn is_crowded(&self) -> bool {
        !self.line.is_empty()
    }

    /// The keeper runs in this runtime from now on, or in none.
    pub(crate) fn set_keeper(&mut self, keeper: Option<Id>) {
        self.keeper = keeper;
    }

    /// The caller at `place` waits no longer. False when the wait has ended: then its end is told, or will be.
    pub(crate) fn leave(&mut self, place: u64) -> bool {
        let waited = self.line.remove(place).is_some();
        self.counts.left += u64::from(waited);
        waited
    }

    /// What came for a caller who had left goes to the next. Returns what to drop when the lock is free.
    pub(crate) fn give_up(
        &mut self,
        lent: Lent<C>,
        now: Instant,
        todo: &mut Todo<C, E, W>,
    ) -> Option<Conn<C>> {
        self.counts.left += 1;
        self.take_back(lent, None, now, todo)
    }

    /// The time of the caller at `place` is over, and it ends the wait itself. `None` when the wait has ended already.
    pub(crate) fn late(&mut self, place: u64, now: Instant) -> Option<Outcome<C, E>> {
        let stage = self.stage(place);
        let waiting = self.line.remove(place)?;
        Some(self.end_late(stage, now.saturating_duration_since(waiting.since)))
    }

    /// Undoes a lease that nobody has used. Returns what to drop when the lock is free.
    pub(crate) fn take_back(
        &mut self,
        lent: Lent<C>,
        fate: Option<Reason>,
        now: Instant,
        todo: &mut Todo<C, E, W>,
    ) -> Option<Conn<C>> {
        self.counts.lent -= 1;
        self.counts.waits.remove(lent.waited);
        self.give_back(lent.lease, lent.conn, fate, now, todo)
    }

    /// A lease ends; with a `fate` its connection is closed. If it was used, [`Conn::used`] has noted it. Returns what to
    /// drop when the lock is free.
    pub(crate) fn give_back(
        &mut self,
        lease: usize,
        conn: Conn<C>,
        fate: Option<Reason>,
        now: Instant,
        todo: &mut Todo<C, E, W>,
    ) -> Option<Conn<C>> {
        self.leases.remove(lease);
        if let Some(at) = self.shared_at(&conn) {
            self.leave_shared(at, fate, now, todo);
            return Some(conn);
        }
        let fate = self.fate(&conn, fate, now);
        self.out -= 1;
        let sure = self.is_fresh(&conn, now);
        self.settle(conn, fate, sure, now, todo);
        None
    }

    /// The connection of a lease belongs to its caller from now on.
    pub(crate) fn detach(&mut self, lease: usize, conn: &Conn<C>, now: Instant, todo: &mut Todo<C, E, W>) {
        self.leases.remove(lease);
        match self.shared_at(conn) {
            Some(at) => self.leave_shared(at, Some(Reason::Detached), now, todo),
            None => {
                self.out -= 1;
                self.counts.closed.count(Reason::Detached);
                self.look_whether_empty(todo);
                self.pump(now, todo);
            }
        }
    }

    /// What is to become of a connection that comes back; `None`: it stays.
    pub(super) fn fate(&self, conn: &Conn<C>, fate: Option<Reason>, now: Instant) -> Option<Reason> {
        if self.closed {
            return fate.or(Some(Reason::Closed));
        }
        let shrunk = || (self.total() - self.closing > self.config.max).then_some(Reason::Shrunk);
        fate.or_else(shrunk).or_else(|| conn.is_over(now).then_some(Reason::Lifetime))
    }

    /// A connection that nobody uses any more goes to the next if it is `sure` to work, or rests, or is closed.
    pub(super) fn settle(
        &mut self,
        conn: Conn<C>,
        fate: Option<Reason>,
        sure: bool,
        now: Instant,
        todo: &mut Todo<C, E, W>,
    ) {
        if let Some(reason) = fate {
            return self.retire(conn, reason, now, todo);
        }
        if self.line.is_empty() {
            return self.idle.push_back(conn);
        }
        if sure {
            return self.deliver(conn, now, todo);
        }
        self.idle.push_back(conn);
        self.pump(now, todo);
    }

    pub(super) fn retire(&mut self, conn: Conn<C>, reason: Reason, now: Instant, todo: &mut Todo<C, E, W>) {
        self.closing += 1;
        todo.more().close.push((conn, reason));
        self.pump(now, todo);
    }

    pub(super) fn shared_at(&self, conn: &Conn<C>) -> Option<usize> {
        self.shared.iter().position(|shared| shared.conn.dates.id == conn.dates.id)
    }

    /// One lease of a shared connection less.
    fn leave_shared(&mut self, at: usize, fate: Option<Reason>, now: Instant, todo: &mut Todo<C, E, W>) {
        let shared = &mut self.shared[at];
        shared.used -= 1;
        shared.retired = shared.retired.or(fate);
        if shared.used > 0 {
            return self.pump(now, todo);
        }
        let fate = self.fate(&self.shared[at].conn, self.shared[at].retired, now);
        let mut conn = self.shared.swap_remove(at).conn;
        (conn.dates.used, conn.dates.good) = (now, now);
        self.settle(conn, fate, true, now, todo);
    }

    pub(super) fn is_fresh(&self, conn: &Conn<C>, now: Instant) -> bool {
        now.saturating_duration_since(conn.dates.good) < self.config.trust && !conn.is_over(now)
    }

    /// What the one at `place` waits for: those in front get what is on its way.
    pub(super) fn stage(&self, place: u64) -> Stage {
        let coming = self.checking + self.connecting;
        match self.line.iter().take(coming).position(|(other, _)| other == place) {
            Some(at) if at < self.checking => Stage::Check,
            Some(_) => Stage::Connect,
            None => Stage::Queue,
        }
    }

    pub(super) fn end_late(&mut self, stage: Stage, waited: Duration) -> Outcome<C, E> {
        if let Some(error) = &self.pause.error {
            self.counts.failed += 1;
            return Outcome::Failed(error.clone());
        }
        *match stage {
            Stage::Queue => &mut self.counts.timeouts.queue,
            Stage::Connect => &mut self.counts.timeouts.connect,
            Stage::Check => &mut self.counts.timeouts.check,
        } += 1;
        Outcome::Late(stage, waited)
    }
}

impl<C, E: std::error::Error + 'static, W> fmt::Debug for Slots<C, E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
