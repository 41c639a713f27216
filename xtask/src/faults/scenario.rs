//! One of the sixteen: what goes wrong, what a caller must get all the same, and how everybody must behave meanwhile.

use super::house::{House, Plan, Route, SECOND_MODEL};
use super::settings;
use super::verdict::{Checks, Finding, Verdict};
use crate::lab::{Dialect, Ended, Heard, Lab, Told};
use crate::shell::Result;
use std::ops::RangeInclusive;
use std::time::Duration;
use xtask::upstream::{DEFAULT_TOKENS, text};

/// Calls of upstreams that one request may make: the default of `limits.attempts`.
const BUDGET: u64 = 8;
/// How long a healthy answer may take after all is over.
const ALIVE: Duration = Duration::from_secs(10);

/// What the caller must get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The whole answer, every word once.
    Answer,
    /// A clean failure with the provider's reason, which has these words.
    Refusal(&'static str),
}

/// A rule of conduct; what breaks one is `fail` unless it is said otherwise.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// So many calls of the first provider.
    First(RangeInclusive<u64>),
    /// So many calls of the second.
    Second(RangeInclusive<u64>),
    /// The same, and breaking it is `partial`.
    FirstRather(RangeInclusive<u64>),
    /// At least so long between the first two calls of the first provider; breaking it is `partial`.
    Gap(Duration),
    /// At most so many calls of the first provider in any such time.
    AtMostWithin(usize, Duration),
    /// Within this time; breaking it is `partial`.
    Rather(Duration),
    /// The answer names the second provider's model.
    NamesSecond,
    /// The answer says what it used; breaking it is `partial`.
    Usage,
}

/// A scenario of the public suite but the fifteenth, which is a sequence.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What the first provider does to a streamed call, in the upstream's words.
    pub(super) fault: &'static str,
    /// And to one that is not streamed; `None` where that has no meaning.
    pub(super) whole: Option<&'static str>,
    /// The second provider's model.
    pub(super) second: &'static str,
    pub(super) wanted: Wanted,
    /// Longer is a hang.
    pub(super) limit: Duration,
    pub(super) rules: Vec<Rule>,
}

/// A scenario in one of its forms.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) scenario: Scenario,
    pub(super) route: Route,
    pub(super) dialect: Dialect,
    pub(super) stream: bool,
}

impl Form {
    /// All forms of a scenario: every route and caller's format, streamed and whole.
    pub(super) fn all(scenario: &Scenario) -> Vec<Self> {
        let mut forms = Vec::new();
        for route in Route::ALL {
            for dialect in Dialect::ALL {
                for stream in [true, false] {
                    if stream || scenario.whole.is_some() {
                        forms.push(Self { scenario: scenario.clone(), route, dialect, stream });
                    }
                }
            }
        }
        forms
    }

    fn fault(&self) -> &'static str {
        self.scenario.whole.filter(|_| !self.stream).unwrap_or(self.scenario.fault)
    }

    /// Runs it in a house of its own.
    pub(super) async fn run(self, lab: &Lab) -> Result<Finding> {
        let model = format!("fault:{}", self.fault());
        let plan = Plan {
            route: self.route,
            models: [&model, self.scenario.second],
            member: settings::MEMBER,
            fallback: settings::FALLBACK,
            server: "",
        };
        let house = House::open(lab, &plan, &[]).await?;
        let (heard, told) = house.ask(self.dialect, self.stream, self.scenario.limit).await;
        let mut checks = Checks::new();
        self.judge_answer(&mut checks, &heard, &told);
        self.judge_conduct(&mut checks, &house, &heard, &told);
        checks.must(house.is_quiet().await, || "an upstream is still answering after the end".to_owned());
        self.judge_life(&mut checks, &house).await;
        Ok(self.named(checks.finding(self.scenario.id, self.route.name())))
    }

    /// Puts the form into what is wrong, so that it can be run again by hand.
    fn named(&self, mut finding: Finding) -> Finding {
        let kind = if self.stream { "streamed" } else { "whole" };
        finding.form = Some(kind);
        for wrong in &mut finding.wrong {
            *wrong = format!("{} {kind}, fault:{}: {wrong}", self.dialect.name(), self.fault());
        }
        finding
    }

    fn judge_answer(&self, checks: &mut Checks, heard: &Heard, told: &Told) {
        checks.must(heard.ended != Ended::Never, || {
            format!("a hang: nothing ended it in {:?}", self.scenario.limit)
        });
        checks.must(told.broken.is_empty(), || format!("{:?}", told.broken));
        let whole = told.complete && told.text == text(DEFAULT_TOKENS);
        match self.scenario.wanted {
            Wanted::Answer => {
                checks.must(!told.complete || whole, || {
                    format!("complete, and not the answer: {:?}", told.text)
                });
                checks.note(Verdict::Safe, whole, || {
                    format!("no answer: status {}, {:?}", heard.status, told.failure)
                });
                checks.saw(if whole { "the whole answer" } else { "no answer" });
            }
            Wanted::Refusal(reason) => {
                checks.must(told.is_clean_failure(), || format!("no clean refusal: {told:?}"));
                let said = told.failure.as_ref().is_some_and(|failure| failure.message.contains(reason));
                checks.must(said, || format!("the provider's reason is not passed on: {:?}", told.failure));
                checks.saw("refused with the provider's reason");
            }
        }
    }

    fn judge_conduct(&self, checks: &mut Checks, house: &House, heard: &Heard, told: &Told) {
        let (first, second) = (house.first.stats().calls, house.second.stats().calls);
        checks.saw(format_args!("first asked {first}×, second {second}×"));
        checks.must(first + second <= BUDGET, || format!("{first} and {second} calls, more than {BUDGET}"));
        for rule in &self.scenario.rules {
            match rule {
                Rule::First(range) => {
                    checks.must(range.contains(&first), || {
                        format!("the first was asked {first}×, not {range:?}")
                    });
                }
                Rule::Second(range) => {
                    checks.must(range.contains(&second), || {
                        format!("the second was asked {second}×, not {range:?}")
                    });
                }
                Rule::FirstRather(range) => checks.note(Verdict::Partial, range.contains(&first), || {
                    format!("the first was asked {first}×, better were {range:?}")
                }),
                Rule::Gap(least) => judge_gap(checks, &house.arrivals(), *least),
                Rule::AtMostWithin(most, window) => judge_pace(checks, &house.arrivals(), *most, *window),
                Rule::Rather(limit) => {
                    checks
                        .note(Verdict::Partial, heard.took <= *limit, || format!("it took {:?}", heard.took));
                    checks.saw(format_args!("within {} s", limit.as_secs()));
                }
                Rule::NamesSecond => judge_name(checks, self.dialect, self.stream, heard, told),
                Rule::Usage => {
                    checks.note(Verdict::Partial, told.usage.is_some(), || "no usage".to_owned());
                    checks.saw("with usage");
                }
            }
        }
    }

    /// The server must still answer: another call to the second provider, which is healthy.
    async fn judge_life(&self, checks: &mut Checks, house: &House) {
        let (heard, told) = house.ask_for(self.dialect, "second/well", self.stream, ALIVE).await;
        let alive = told.complete && told.text == text(DEFAULT_TOKENS);
        checks.must(alive, || format!("not well afterwards: status {}, {:?}", heard.status, told.failure));
    }
}

fn judge_gap(checks: &mut Checks, arrivals: &[Duration], least: Duration) {
    let gap = arrivals.get(1).map(|second| *second - arrivals[0]);
    checks
        .note(Verdict::Partial, gap.is_some_and(|gap| gap >= least), || format!("asked again after {gap:?}"));
    checks.saw(format_args!("asked again after {} s or more", least.as_secs_f32()));
}

fn judge_pace(checks: &mut Checks, arrivals: &[Duration], most: usize, window: Duration) {
    let busiest = arrivals
        .iter()
        .map(|from| arrivals.iter().filter(|at| **at >= *from && **at < *from + window).count());
    let busiest = busiest.max().unwrap_or(0);
    checks.must(busiest <= most, || format!("{busiest} calls of the first within {window:?}"));
}

fn judge_name(checks: &mut Checks, dialect: Dialect, stream: bool, heard: &Heard, told: &Told) {
    let model = told.model.as_deref();
    checks.must(model == Some(SECOND_MODEL), || format!("the answer names the model {model:?}"));
    let header = heard.header("x-exec-provider");
    checks.must(header == Some("second"), || format!("x-exec-provider is {header:?}"));
    if dialect == Dialect::Native {
        let body = std::str::from_utf8(&heard.body).unwrap_or_default();
        checks.must(body.contains("\"provider\":\"second\""), || {
            format!("{} document does not name the provider", if stream { "the last" } else { "the" })
        });
    }
    checks.saw("named as the second's");
}
