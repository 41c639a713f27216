//! What time does to the slots, and what an operator does: old connections, late callers, another size, the end.

use std::time::Duration;

use tokio::time::Instant;

use super::core::Slots;
use super::parts::{Outcome, Todo};
use crate::config::Config;
use crate::error::LeaseInfo;
use crate::random::shortened;
use crate::stats::{Reason, Stats};

impl<C, E: std::error::Error + 'static, W> Slots<C, E, W> {
    /// Does what is due, and says when to come again.
    ///
    /// A wait that begins later ends no earlier than [`Config::wait`] from now, and what comes back later is due later than
    /// what is there: so nobody has to call the keeper for either, as long as it comes at least that often.
    pub(crate) fn keep(&mut self, now: Instant, todo: &mut Todo<C, E, W>) -> Instant {
        self.end_waits(now, todo);
        self.close_old(now, todo);
        self.ask_idle(now, todo);
        self.pump(now, todo);
        self.next_visit(now)
    }

    fn end_waits(&mut self, now: Instant, todo: &mut Todo<C, E, W>) {
        let late = self.line.iter().filter(|(_, waiting)| waiting.until.is_some());
        let late: Vec<_> = late
            .take_while(|(_, waiting)| waiting.until.is_some_and(|until| until <= now))
            .map(|(place, _)| (place, self.stage(place)))
            .collect();
        for (place, stage) in late {
            let Some(waiting) = self.line.remove(place) else {
                continue;
            };
            let outcome = self.end_late(stage, now.saturating_duration_since(waiting.since));
            todo.tell(waiting.waker, outcome);
        }
    }

    fn close_old(&mut self, now: Instant, todo: &mut Todo<C, E, W>) {
        let (limit, spare) = (self.config.idle, self.idle.len().saturating_sub(self.config.min_idle));
        let mut closed = 0;
        let mut kept = std::collections::VecDeque::with_capacity(self.idle.len());
        // The longest unused are in front.
        for conn in self.idle.drain(..) {
            let reason = if conn.is_over(now) {
                Some(Reason::Lifetime)
            } else if closed < spare && !limit.is_zero() && now >= conn.dates.used + limit {
                Some(Reason::Idle)
            } else {
                None
            };
            match reason {
                Some(reason) => {
                    closed += 1;
                    todo.more().close.push((conn, reason));
                }
                None => kept.push_back(conn),
            }
        }
        self.idle = kept;
        self.closing += closed;
    }

    /// Has the idle connections checked whose time for it has come.
    fn ask_idle(&mut self, now: Instant, todo: &mut Todo<C, E, W>) {
        let mut at = 0;
        while at < self.idle.len() {
            if self.question_at(at).is_some_and(|due| due <= now)
                && let Some(conn) = self.idle.remove(at)
            {
                self.checking += 1;
                todo.more().check.push(conn);
            } else {
                at += 1;
            }
        }
    }

    fn question_at(&self, at: usize) -> Option<Instant> {
        let keep_alive = self.config.keep_alive;
        let conn = self.idle.get(at).filter(|_| !keep_alive.is_zero())?;
        Some(conn.dates.good + shortened(keep_alive, conn.dates.jitter, self.config.jitter))
    }

    fn next_visit(&self, now: Instant) -> Instant {
        let spare = self.idle.len() > self.config.min_idle && !self.config.idle.is_zero();
        let oldest = self.idle.front().filter(|_| spare).map(|conn| conn.dates.used + self.config.idle);
        let ends = self.idle.iter().filter_map(|conn| conn.dates.ends).min();
        let questions = (0..self.idle.len()).filter_map(|at| self.question_at(at)).min();
        let waits = self.line.iter().find_map(|(_, waiting)| waiting.until);
        let leak =
            (!self.config.leak.is_zero()).then(|| self.leases.next_overdue(self.config.leak)).flatten();
        let due = [oldest, ends, questions, waits, leak, self.pause.until.filter(|until| *until > now)];
        due.into_iter()
            .flatten()
            .min()
            .unwrap_or(now + LONG)
            .clamp(now + BREATH / 10, now + self.at_least_every())
    }

    /// Often enough for whatever begins after a visit.
    fn at_least_every(&self) -> Duration {
        let Config { wait, idle, lifetime, keep_alive, leak, jitter, .. } = self.config;
        let limits = [idle, leak, shortened(lifetime, 1.0, jitter), shortened(keep_alive, 1.0, jitter)];
        let shortest = limits.into_iter().filter(|limit| !limit.is_zero()).min();
        shortest.map_or(wait, |limit| limit.max(BREATH)).min(wait)
    }

    /// Leases to report as leaked, each once.
    pub(crate) fn leaks(&mut self, now: Instant) -> Vec<LeaseInfo> {
        if self.config.leak.is_zero() {
            return Vec::new();
        }
        let leaks = self.leases.overdue(self.config.leak, now);
        self.counts.suspected_leaks += leaks.len() as u64;
        leaks
    }

    /// The leases that are out.
    pub(crate) fn leases(&self, now: Instant) -> Vec<LeaseInfo> {
        self.leases.list(now)
    }

    /// Another size. Idle connections that are too many are closed, those in use when they come back.
    pub(crate) fn resize(&mut self, max: usize, min_idle: usize, now: Instant, todo: &mut Todo<C, E, W>) {
        (self.config.max, self.config.min_idle) = (max, min_idle);
        while !self.closed && self.total() - self.closing > max {
            let Some(conn) = self.idle.pop_front() else {
                break;
            };
            self.closing += 1;
            todo.more().close.push((conn, Reason::Shrunk));
        }
        todo.more().ring = true;
        self.pump(now, todo);
    }

    /// The end: whoever waits is told, what is idle is closed, what is in use when it comes back.
    pub(crate) fn close(&mut self, todo: &mut Todo<C, E, W>) {
        self.closed = true;
        while let Some((_, waiting)) = self.line.pop() {
            todo.tell(waiting.waker, Outcome::Closed);
        }
        self.closing += self.idle.len();
        todo.more().close.extend(self.idle.drain(..).map(|conn| (conn, Reason::Closed)));
        self.look_whether_empty(todo);
    }

    /// All who wait.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &W> {
        self.line.iter().map(|(_, waiting)| &waiting.waker)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// A look at everything.
    pub(crate) fn stats(&self) -> Stats {
        Stats {
            max: self.config.max,
            total: self.total(),
            idle: self.idle.len(),
            in_use: self.in_use(),
            connecting: self.connecting,
            checking: self.checking,
            closing: self.closing,
            leases: self.leases.len(),
            waiting: self.line.len(),
            ..self.counts.clone()
        }
    }
}

/// When nothing is due.
const LONG: Duration = Duration::from_secs(3600);
/// The keeper does not come more often for what has not begun.
const BREATH: Duration = Duration::from_millis(10);
