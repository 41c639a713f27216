//! The books: what callers counted, what the server counted, and what must be nothing in the end.

use super::figures::Figures;
use super::operation::Outcome;
use super::setup::{REQUESTS, Setup, TOKENS, WINDOW};
use crate::shell::Result;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long everything may take to come to rest.
const QUIET: Duration = Duration::from_secs(30);
/// The time between two looks.
const LOOK: Duration = Duration::from_millis(50);
/// How long a page of the server may take.
const PAGE: Duration = Duration::from_secs(10);
/// Sentences about wrong outcomes that are kept.
const KEPT: usize = 5;
/// How much more memory the server may take after the last round than after the second, in KiB. The first rounds fill
/// buffers, pools and the allocator's arenas.
const GROWTH: u64 = 16 * 1024;

/// What must be 0 when nobody calls: every gauge of something that is taken.
const TAKEN: [&str; 5] = [
    "exec_in_flight",
    "exec_calls_in_flight",
    "exec_limit_in_flight",
    "exec_limit_waiting",
    "exec_breaker_probes",
];

/// How the operations of a round ended, as their callers know it.
#[derive(Debug, Default)]
pub(super) struct Account {
    answered: u64,
    failed: u64,
    refused: u64,
    late: u64,
    left: u64,
    wrong: u64,
    kept: Vec<String>,
    /// Who failed, and with which code.
    codes: BTreeMap<String, u64>,
    pub(super) took: Duration,
}

impl Account {
    pub(super) const HEAD: &str = "round  operations  answered    failed   refused      late      left     wrong  per second   memory KiB";

    pub(super) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Answered => self.answered += 1,
            Outcome::Failed(code) => self.told(code, |account| &mut account.failed),
            Outcome::Refused(code) => self.told(code, |account| &mut account.refused),
            Outcome::Late(code) => self.told(code, |account| &mut account.late),
            Outcome::Left => self.left += 1,
            Outcome::Wrong(why) => {
                self.wrong += 1;
                self.keep(why);
            }
        }
    }

    fn told(&mut self, code: String, count: impl FnOnce(&mut Self) -> &mut u64) {
        *count(self) += 1;
        *self.codes.entry(code).or_default() += 1;
    }

    fn keep(&mut self, why: String) {
        if self.kept.len() < KEPT {
            self.kept.push(why);
        }
    }

    pub(super) fn join(&mut self, other: Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.refused += other.refused;
        self.late += other.late;
        self.left += other.left;
        self.wrong += other.wrong;
        self.took += other.took;
        for (code, count) in other.codes {
            *self.codes.entry(code).or_default() += count;
        }
        other.kept.into_iter().for_each(|why| self.keep(why));
    }

    pub(super) fn operations(&self) -> u64 {
        self.answered + self.failed + self.refused + self.late + self.left + self.wrong
    }

    fn row(&self, round: usize, memory: u64) -> String {
        let Self { answered, failed, refused, late, left, wrong, .. } = self;
        let operations = self.operations();
        let rate = operations as f64 / self.took.as_secs_f64();
        format!(
            "{round:5} {operations:11} {answered:9} {failed:9} {refused:9} {late:9} {left:9} {wrong:9} {rate:11.0} {memory:12}"
        )
    }
}

/// The accounts of all rounds, and how the server was before them.
#[derive(Debug)]
pub(super) struct Books {
    all: Account,
    /// Memory after each round.
    memory: Vec<u64>,
    /// Files the server had open before the first caller, without connections to upstreams.
    files: u64,
    problems: Vec<String>,
}

impl Books {
    pub(super) async fn open(setup: &Setup) -> Result<Self> {
        // The first look makes what looking takes.
        figures(setup).await?;
        let files = setup.gateway.files()? - setup.upstream_open();
        Ok(Self { all: Account::default(), memory: Vec::new(), files, problems: Vec::new() })
    }

    /// Waits for rest, and looks whether anything is left taken.
    pub(super) async fn close_round(&mut self, setup: &Setup, account: Account) -> Result {
        let until = Instant::now() + QUIET;
        let mut taken = taken(setup).await?;
        while !taken.is_empty() && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            taken = self::taken(setup).await?;
        }
        let round = self.memory.len() + 1;
        self.problems.extend(taken.into_iter().map(|what| format!("after round {round}: {what}")));
        let memory = setup.gateway.memory()?;
        println!("{}", account.row(round, memory));
        self.memory.push(memory);
        self.all.join(account);
        Ok(())
    }

    /// What the whole run comes to; true if nothing is wrong.
    pub(super) async fn settle(mut self, setup: &Setup) -> Result<bool> {
        // Windows end, so that what is left of the limits says whether anything was never given back.
        tokio::time::sleep(WINDOW * 2).await;
        let figures = figures(setup).await?;
        println!();
        self.outcomes();
        self.calls(&figures);
        self.arrivals(setup, &figures);
        self.limits(&figures);
        self.open_files(setup)?;
        self.growth();
        let codes = self.all.codes.iter().map(|(code, count)| format!("{count} {code}"));
        println!("       told: {}", codes.collect::<Vec<_>>().join(", "));
        for problem in &self.problems {
            println!("WRONG  {problem}");
        }
        for why in &self.all.kept {
            println!("WRONG  {why}");
        }
        Ok(self.problems.is_empty() && self.all.wrong == 0)
    }

    fn must(&mut self, holds: bool, what: String) {
        println!("{}  {what}", if holds { "   ok" } else { "WRONG" });
        if !holds {
            self.problems.push(what);
        }
    }

    fn outcomes(&mut self) {
        let Account { answered, failed, refused, late, left, wrong, .. } = self.all;
        let operations = self.all.operations();
        let sum =
            format!("{answered} answered + {failed} failed + {refused} refused + {late} late + {left} left");
        self.must(
            wrong == 0,
            format!("{operations} operations = {sum}, and {wrong} that ended in no way they may"),
        );
        // Otherwise it is refusing that is soaked. How many are late says how busy the machine is.
        self.must(
            answered * 2 > operations,
            format!(
                "more than half answered: {answered} of {operations}; {late} late though nothing went wrong"
            ),
        );
    }

    /// The server's own count against that of the callers. Those who left may have been counted as anything, or not at all
    /// if they left before the server had read their request.
    fn calls(&mut self, figures: &Figures) {
        let of = |outcome: &str| figures.sum("exec_calls_total", &[&format!("outcome=\"{outcome}\"")]) as u64;
        let [completed, failed, rejected, cancelled] =
            ["completed", "failed", "rejected", "cancelled"].map(of);
        let all = completed + failed + rejected + cancelled;
        let Account { answered, failed: told, refused, late, left, .. } = self.all;
        let within = |server: u64, callers: u64| (callers..=callers + left).contains(&server);
        let operations = self.all.operations();
        let sum =
            format!("{completed} completed + {failed} failed + {rejected} rejected + {cancelled} cancelled");
        let fits = all <= operations && all + left >= operations;
        self.must(fits, format!("the server counted {all} = {sum}; {left} of the {operations} left"));
        self.must(
            within(completed, answered),
            format!("{completed} completed, of which {answered} were read to the end"),
        );
        let (there, here) = (failed + rejected, told + refused + late);
        self.must(within(there, here), format!("{there} failed or rejected, of which {here} were told"));
        self.must(cancelled <= left, format!("{cancelled} cancelled, {left} left"));
        let pipeline = |name: &str| {
            let all = figures.of(name).filter(|(labels, _)| !labels.contains("provider="));
            all.map(|(_, value)| value).sum::<f64>()
        };
        let limit = pipeline("exec_limit_admitted_total") + pipeline("exec_limit_turned_away_total");
        self.must(limit == all as f64, format!("the limit of all calls saw {limit} of {all}"));
    }

    /// What was let through to a provider against what arrived there.
    fn arrivals(&mut self, setup: &Setup, figures: &Figures) {
        let (operations, left) = (self.all.operations() as f64, self.all.left as f64);
        let rejected = figures.sum("exec_rate_limit_refused_total", &[]);
        self.must(rejected == 0.0, format!("the rate limit refused {rejected}"));
        for (name, upstream) in [("first", &setup.first), ("second", &setup.second)] {
            let label = format!("provider=\"{name}\"");
            let admitted = figures.sum("exec_limit_admitted_total", &[&label]);
            let calls = upstream.stats().calls as f64;
            // A call that was let through and left before it was sent, or found its connection closed, did not arrive.
            let fits = calls <= admitted && admitted - calls <= left + operations / 100.0;
            self.must(fits, format!("{name}: {admitted} calls let through, {calls} arrived"));
            let recorded = figures.sum("exec_breaker_calls_total", &[&label]);
            let refused = figures.sum("exec_breaker_calls_total", &[&label, "outcome=\"rejected\""]);
            let turned = figures.sum("exec_limit_turned_away_total", &[&label]);
            let passed = recorded - refused;
            let adds = (passed - admitted - turned).abs() < 0.5;
            self.must(
                adds,
                format!(
                    "{name}: {passed} passed the breaker = {admitted} let through + {turned} turned away"
                ),
            );
        }
    }

    /// What was set aside was given back or used, and windows forget.
    fn limits(&mut self, figures: &Figures) {
        for (unit, whole) in [("requests", REQUESTS), ("tokens", TOKENS)] {
            let left = figures.sum("exec_rate_limit_left", &[&format!("unit=\"{unit}\"")]);
            self.must(left == f64::from(whole), format!("{unit} of the rate limit left: {left} of {whole}"));
        }
    }

    fn open_files(&mut self, setup: &Setup) -> Result {
        let (files, upstream) = (setup.gateway.files()?, setup.upstream_open());
        let fits = files <= self.files + upstream;
        let before = self.files;
        self.must(
            fits,
            format!("{files} files open = {before} as before + at most {upstream} idle connections upstream"),
        );
        Ok(())
    }

    fn growth(&mut self) {
        let rounds: Vec<String> = self.memory.iter().map(u64::to_string).collect();
        println!("       memory after each round, KiB: {}", rounds.join(" "));
        if let (Some(second), Some(last)) = (self.memory.get(1), self.memory.last()) {
            let (second, last) = (*second, *last);
            self.must(last <= second + GROWTH, format!("memory {last} KiB, after the second round {second}"));
        }
    }
}

async fn figures(setup: &Setup) -> Result<Figures> {
    Ok(Figures::read(&setup.gateway.page("/metrics", PAGE).await?))
}

/// Everything that is still taken.
async fn taken(setup: &Setup) -> Result<Vec<String>> {
    let figures = figures(setup).await?;
    let mut taken = Vec::new();
    for name in TAKEN {
        taken.extend(
            figures.of(name).filter(|(_, value)| *value != 0.0).map(|(l, v)| format!("{name}{l} is {v}")),
        );
        if figures.of(name).next().is_none() {
            taken.push(format!("the server does not tell {name}"));
        }
    }
    let status: serde_json::Value = serde_json::from_str(&setup.gateway.page("/api/v2/status", PAGE).await?)?;
    if status["inFlight"] != 0 {
        taken.push(format!("the status says {} in flight", status["inFlight"]));
    }
    let upstream = setup.upstream_in_flight();
    if upstream > 0 {
        taken.push(format!("{upstream} calls in flight upstream"));
    }
    Ok(taken)
}
