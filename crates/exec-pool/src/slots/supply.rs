//! Bringing connections and those who wait together: what is idle, what is shared, what is made, what is checked.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::core::Slots;
use super::parts::{Conn, Dates, Lent, Outcome, Shared, Todo, Waiting};
use crate::config::OnConnectError;
use crate::error::ConnectError;
use crate::random::shortened;
use crate::stats::Reason;

impl<C, E: std::error::Error + 'static, W> Slots<C, E, W> {
    /// Lends what can be lent, checks what must be checked first, and has made what is missing.
    pub(crate) fn pump(&mut self, now: Instant, todo: &mut Todo<C, E, W>) {
        if self.closed {
            return;
        }
        self.peak();
        if !self.idle.is_empty() || !self.shared.is_empty() {
            while !self.line.is_empty() && self.serve(now, todo) {}
            while self.line.len() > self.checking && self.ask(now, todo) {}
        }
        let missing = self.missing(now);
        if missing > 0 {
            self.connecting += missing;
            todo.more().open += missing;
        }
    }

    /// Lends to the first who waits, if there is something to lend.
    fn serve(&mut self, now: Instant, todo: &mut Todo<C, E, W>) -> bool {
        if let Some(conn) = self.join(now) {
            self.hand_over(conn, now, todo);
            return true;
        }
        // One that was just asked may lie below one that was used later.
        let fresh = self.idle.iter().rposition(|conn| self.is_fresh(conn, now));
        match fresh.and_then(|at| self.idle.remove(at)) {
            Some(conn) => {
                self.deliver(conn, now, todo);
                true
            }
            None => false,
        }
    }

    /// Has one checked that was idle for long, for one who waits. False when there is none.
    fn ask(&mut self, now: Instant, todo: &mut Todo<C, E, W>) -> bool {
        let Some(conn) = self.idle.pop_back() else {
            return false;
        };
        if conn.is_over(now) {
            self.closing += 1;
            todo.more().close.push((conn, Reason::Lifetime));
        } else {
            self.checking += 1;
            todo.more().check.push(conn);
        }
        true
    }

    /// How many connections to begin to make: for those who wait and are not served by what is on its way, and for the
    /// idle ones that must be there.
    fn missing(&self, now: Instant) -> usize {
        let free = self.config.max.saturating_sub(self.total());
        if free == 0 || self.pause.until.is_some_and(|until| now < until) {
            return 0;
        }
        let wanted =
            self.line.len().div_ceil(self.streams) + self.config.min_idle.saturating_sub(self.idle.len());
        // While nothing can be reached one attempt at a time is enough.
        let at_once = if self.pause.failures > 0 { 1 } else { self.config.max_connecting };
        wanted
            .saturating_sub(self.connecting + self.checking)
            .min(at_once.saturating_sub(self.connecting))
            .min(free)
    }

    /// A handle of the shared connection that the fewest use.
    pub(super) fn join(&mut self, now: Instant) -> Option<Conn<C>> {
        while !self.shared.is_empty() {
            let free = self.shared.iter_mut().filter(|shared| shared.has_room(now));
            let free = free.min_by_key(|shared| shared.used)?;
            if let Some(inner) = (self.share)(&free.conn.inner) {
                free.used += 1;
                return Some(free.conn.handle(inner));
            }
            free.retired = Some(Reason::Broken);
        }
        None
    }

    /// A connection that nobody uses is used from now on: by one, or by its first of several.
    pub(super) fn hand_out(&mut self, mut conn: Conn<C>) -> Conn<C> {
        if conn.dates.streams > 1 {
            if let Some(inner) = (self.share)(&conn.inner) {
                let handle = conn.handle(inner);
                self.shared.push(Shared { conn, used: 1, retired: None });
                self.peak();
                return handle;
            }
            conn.dates.streams = 1;
        }
        self.out += 1;
        self.peak();
        conn
    }

    fn peak(&mut self) {
        self.counts.peak_in_use = self.counts.peak_in_use.max(self.in_use());
    }

    /// Lends a connection that nobody uses to the first who waits; the others may join it.
    pub(super) fn deliver(&mut self, conn: Conn<C>, now: Instant, todo: &mut Todo<C, E, W>) {
        let several = conn.dates.streams > 1;
        let conn = self.hand_out(conn);
        self.hand_over(conn, now, todo);
        if several {
            self.pump(now, todo);
        }
    }

    fn hand_over(&mut self, conn: Conn<C>, now: Instant, todo: &mut Todo<C, E, W>) {
        let Some((_, Waiting { waker, site, since, .. })) = self.line.pop() else {
            return;
        };
        let waited = now.saturating_duration_since(since);
        let lease = self.leases.add(site, now);
        self.counts.lent += 1;
        self.counts.waits.add(waited);
        todo.tell(waker, Outcome::Lent(Lent { conn, lease, waited }));
    }

    /// A connection was made; it serves at most `streams` leases at once.
    pub(crate) fn opened(&mut self, inner: C, streams: usize, now: Instant, todo: &mut Todo<C, E, W>) {
        self.counts.created += 1;
        self.streams = streams.max(1);
        self.made += 1;
        let jitter = self.jitter.even();
        let lifetime = self.config.lifetime;
        let ends = (!lifetime.is_zero()).then(|| now + shortened(lifetime, jitter, self.config.jitter));
        let dates = Dates { id: self.made, streams: self.streams, jitter, ends, used: now, good: now };
        let conn = Conn { inner, dates: Box::new(dates) };
        self.pause.failures = 0;
        self.pause.until = None;
        self.pause.error = None;
        let fate = self.fate(&conn, None, now);
        self.connecting -= 1;
        self.settle(conn, fate, true, now, todo);
        self.pump(now, todo);
    }

    /// A connection could not be made.
    pub(crate) fn not_opened(&mut self, error: &ConnectError<E>, now: Instant, todo: &mut Todo<C, E, W>) {
        self.connecting -= 1;
        if self.closed {
            return self.look_whether_empty(todo);
        }
        self.counts.connect_failures += 1;
        self.rest(now);
        self.pause.error = Some(error.clone());
        todo.more().ring = true;
        if self.config.on_connect_error == OnConnectError::Fail && self.total() == self.closing {
            while let Some((_, waiting)) = self.line.pop() {
                self.counts.failed += 1;
                todo.tell(waiting.waker, Outcome::Failed(error.clone()));
            }
        }
        self.pump(now, todo);
    }

    /// Nothing is tried for a while: twice as long as before, with up to half of it random.
    fn rest(&mut self, now: Instant) {
        let doubled = 2_u32.saturating_pow(self.pause.failures);
        let pause = self.config.backoff.saturating_mul(doubled).min(self.config.backoff_max);
        self.pause.failures = self.pause.failures.saturating_add(1);
        self.pause.until = Some(now + shortened(pause, self.jitter.random(), 0.5));
    }

    /// A check found the connection well.
    pub(crate) fn checked(&mut self, mut conn: Conn<C>, now: Instant, todo: &mut Todo<C, E, W>) {
        let fate = self.fate(&conn, None, now);
        self.checking -= 1;
        conn.dates.good = now;
        if fate.is_none() && self.line.is_empty() {
            // Nobody has used it: it grows old as if it had not been asked.
            let at = self.idle.partition_point(|other| other.dates.used <= conn.dates.used);
            self.idle.insert(at, conn);
            return self.pump(now, todo);
        }
        conn.dates.used = now;
        self.settle(conn, fate, true, now, todo);
    }

    /// A check found the connection dead, or did not end: so the others are in doubt, and all are asked at once.
    pub(crate) fn found_dead(&mut self, conn: Conn<C>, now: Instant, todo: &mut Todo<C, E, W>) {
        self.counts.checks_failed += 1;
        self.checking -= 1;
        if !self.closed {
            let idle = std::mem::take(&mut self.idle);
            let (fresh, doubtful): (VecDeque<_>, VecDeque<_>) =
                idle.into_iter().partition(|conn| self.is_fresh(conn, now));
            self.idle = fresh;
            self.checking += doubtful.len();
            todo.more().check.extend(doubtful);
        }
        self.retire(conn, Reason::Dead, now, todo);
    }

    /// The check of a connection was cut off, and with it the connection.
    pub(crate) fn lost_in_check(&mut self, now: Instant, todo: &mut Todo<C, E, W>) {
        self.checking -= 1;
        self.closing += 1;
        let reason = if self.closed { Reason::Closed } else { Reason::Dead };
        self.gone(reason, now, todo);
    }

    /// A connection is closed for good.
    pub(crate) fn gone(&mut self, reason: Reason, now: Instant, todo: &mut Todo<C, E, W>) {
        self.closing -= 1;
        self.counts.closed.count(reason);
        self.look_whether_empty(todo);
        self.pump(now, todo);
    }

    pub(super) fn look_whether_empty(&self, todo: &mut Todo<C, E, W>) {
        if self.closed && self.total() == 0 {
            todo.more().empty = true;
        }
    }
}
