//! A provider that is down for a while: the fifteenth scenario of the suite, and the outage of fifteen requests.

use super::house::{House, Plan, Route, SECOND_MODEL};
use super::settings;
use super::verdict::{Checks, Finding, Verdict};
use crate::lab::{Dialect, Heard, Lab, Told};
use crate::shell::Result;
use std::time::Duration;
use tokio::time::Instant;
use xtask::upstream::{DEFAULT_TOKENS, text};

/// A sequence of requests across an outage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// How long the first provider is down.
    lasts: Duration,
    /// Requests, and the time from one to the next.
    requests: u32,
    every: Duration,
    /// Longer is a hang.
    limit: Duration,
    /// Calls of the first provider while these requests find it down, if that is bounded.
    most: Option<u64>,
    /// How long after the outage the first provider must answer again.
    back: Duration,
    /// Settings of both providers, and of the fallback over them.
    member: &'static str,
    fallback: &'static str,
}

/// Twenty requests, one every 4 s, across 60 s.
pub(super) const FLAPPING: Outage = Outage {
    id: "S15",
    title: "first provider down for 60 s, then healthy; twenty requests, one every 4 s",
    lasts: Duration::from_secs(60),
    requests: 20,
    every: Duration::from_secs(4),
    limit: Duration::from_secs(30),
    most: None,
    back: Duration::from_secs(30),
    member: settings::MEMBER,
    fallback: settings::FALLBACK,
};

/// Fifteen requests in a row.
pub(super) const FIFTEEN: Outage = Outage {
    id: "outage",
    title: "first provider down for 8 s; fifteen requests in that time, then more until it is used again",
    lasts: Duration::from_secs(8),
    requests: 15,
    every: Duration::from_millis(200),
    limit: Duration::from_secs(30),
    most: Some(5),
    back: settings::OPEN,
    member: settings::MEMBER,
    fallback: settings::FALLBACK,
};

/// The same with the breaker of the fallback itself.
pub(super) const FIFTEEN_BY_MODE: Outage = Outage {
    id: "outage by mode",
    title: "the same, `mode = \"circuit_breaker\"` with `failures = 5` instead of guards of each provider",
    member: "",
    fallback: "mode = \"circuit_breaker\"\nbreaker = { failures = 5, open = \"10s\" }",
    ..FIFTEEN
};

/// How long to ask for the return of the first provider beyond its bound, to say how late it was.
const BEYOND: Duration = Duration::from_secs(20);
/// The time between two requests that only look whether the first provider is back.
const LOOK: Duration = Duration::from_millis(500);

impl Outage {
    pub(super) async fn run(self, lab: &Lab, route: Route, dialect: Dialect) -> Result<Finding> {
        let model = format!("fault:status=503,for={}s", self.lasts.as_secs());
        let plan = Plan {
            route,
            models: [&model, SECOND_MODEL],
            member: self.member,
            fallback: self.fallback,
            server: "",
        };
        let house = House::open(lab, &plan, &[]).await?;
        let mut checks = Checks::new();
        let start = Instant::now();
        let down = self.during(&mut checks, &house, dialect, start).await;
        if let Some(most) = self.most {
            checks.must(down <= most, || {
                format!("{down} calls of the first while it was down, more than {most}")
            });
            checks.saw(format_args!("at most {most} calls of the first while it was down"));
        }
        self.afterwards(&mut checks, &house, dialect, start + self.lasts).await;
        let mut finding = checks.finding(self.id, route.name());
        for wrong in &mut finding.wrong {
            *wrong = format!("{}: {wrong}", dialect.name());
        }
        Ok(finding)
    }

    /// The requests of the sequence, streamed and whole in turn; gives the calls of the first provider meanwhile.
    async fn during(&self, checks: &mut Checks, house: &House, dialect: Dialect, start: Instant) -> u64 {
        let mut answered = 0;
        for n in 0..self.requests {
            tokio::time::sleep_until(start + self.every * n).await;
            let (heard, told) = house.ask(dialect, n % 2 == 0, self.limit).await;
            answered += u32::from(is_answer(&told));
            checks.must(told.broken.is_empty(), || format!("request {n}: {:?}", told.broken));
            checks.note(Verdict::Safe, is_answer(&told), || {
                format!("request {n}: {}, {:?}", heard.status, told.failure)
            });
        }
        checks.saw(format_args!("{answered} of {} requests answered", self.requests));
        house.first.stats().calls
    }

    /// Asks until the first provider answers again.
    async fn afterwards(&self, checks: &mut Checks, house: &House, dialect: Dialect, up: Instant) {
        let until = up.max(Instant::now()) + self.back + BEYOND;
        while Instant::now() < until {
            let (heard, told) = house.ask(dialect, true, self.limit).await;
            if is_answer(&told) && is_from_first(&heard) {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        let late = Instant::now().saturating_duration_since(up);
        checks.must(late <= self.back, || {
            format!("the first was not used again within {late:?} of its recovery")
        });
        checks.saw(format_args!("the first used again within {} s of its recovery", self.back.as_secs()));
    }
}

fn is_answer(told: &Told) -> bool {
    told.complete && told.text == text(DEFAULT_TOKENS)
}

fn is_from_first(heard: &Heard) -> bool {
    heard.header("x-exec-provider") == Some("first")
}
