//! What holds besides the public scenarios: one file for each group of rules.

mod canned;
mod cuts;
mod errors;
mod formats;
mod headers;
mod leaving;
mod restart;
mod retries;
mod secrets;
mod stopping;

use super::house::{House, Plan, Route, SECOND_MODEL, Wire};
use super::verdict::Checks;
use crate::lab::Lab;
use crate::shell::Result;
use std::time::Duration;

/// No single request of a rule takes longer unless something is wrong.
const LIMIT: Duration = Duration::from_secs(20);

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Leaving,
    CutFail,
    CutRestart,
    CutContinue,
    Truncated,
    Tools,
    Frames,
    Secrets,
    Forwarded,
    Budget,
    RetryAfter,
    Errors,
    Stopping,
    Rolling,
}

impl Rule {
    pub(super) const ALL: [Self; 14] = [
        Self::Leaving,
        Self::CutFail,
        Self::CutRestart,
        Self::CutContinue,
        Self::Truncated,
        Self::Tools,
        Self::Frames,
        Self::Secrets,
        Self::Forwarded,
        Self::Budget,
        Self::RetryAfter,
        Self::Errors,
        Self::Stopping,
        Self::Rolling,
    ];

    /// Its row: a short name and what goes wrong.
    pub(super) fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::Leaving => (
                "leaving",
                "the caller leaves: before the head, before the first token, mid-stream, not streamed, in the wait of a retry, in a queue",
            ),
            Self::CutFail => ("cut: fail", "stream cut at every token 0 to 60, `mid_stream = \"fail\"`"),
            Self::CutRestart => ("cut: restart", "the same, `mid_stream = \"restart\"`"),
            Self::CutContinue => ("cut: continue", "the same, `mid_stream = \"continue\"`"),
            Self::Truncated => ("truncated", "answer cut at every byte, streamed and whole"),
            Self::Tools => (
                "tool calls",
                "0, 1 and 3 parallel tool calls, split inside escapes; indexes missing, all zero, from one",
            ),
            Self::Frames => ("frames", "one byte at a time, split inside characters, CRLF, comments, pings"),
            Self::Secrets => ("secrets", "keys of providers and callers, every failure, logs at `trace`"),
            Self::Forwarded => ("forwarded", "a caller's credentials, cookies, proxy and hop-by-hop headers"),
            Self::Budget => {
                ("budget", "retry inside fallback inside a budget of attempts, all providers down")
            }
            Self::RetryAfter => (
                "retry-after",
                "`retry-after` in seconds, as a date and in milliseconds: waited for where it fits, passed on where not",
            ),
            Self::Errors => {
                ("errors", "bodies of failures as providers, compatible servers and proxies send them")
            }
            Self::Stopping => ("stopping", "SIGTERM with streams under way"),
            Self::Rolling => ("restart", "one of two servers restarted under load"),
        }
    }

    /// Whether it measures short times, and so must not run beside others.
    pub(super) fn is_exact(self) -> bool {
        matches!(self, Self::Leaving | Self::RetryAfter)
    }

    pub(super) async fn run(self, lab: &Lab, wire: Wire) -> Result<Checks> {
        match self {
            Self::Leaving => leaving::run(lab, wire).await,
            Self::CutFail => cuts::sweep(lab, wire, cuts::Policy::Fail).await,
            Self::CutRestart => cuts::sweep(lab, wire, cuts::Policy::Restart).await,
            Self::CutContinue => cuts::sweep(lab, wire, cuts::Policy::Continue).await,
            Self::Truncated => cuts::at_every_byte(lab, wire).await,
            Self::Tools => formats::tools(lab, wire).await,
            Self::Frames => formats::frames(lab, wire).await,
            Self::Secrets => secrets::run(lab, wire).await,
            Self::Forwarded => headers::run(lab, wire).await,
            Self::Budget => retries::budget(lab, wire).await,
            Self::RetryAfter => retries::retry_after(lab, wire).await,
            Self::Errors => errors::run(lab, wire).await,
            Self::Stopping => stopping::drain(lab, wire).await,
            Self::Rolling => restart::run(lab, wire).await,
        }
    }
}

/// A house whose first provider takes any model as it is named, so that a caller chooses what goes wrong there; the second is
/// well. Both speak `wire`.
async fn house(lab: &Lab, wire: Wire, member: &str, fallback: &str, server: &str) -> Result<House> {
    let plan = Plan { route: Route(wire, wire), models: ["*", SECOND_MODEL], member, fallback, server };
    House::open(lab, &plan, &[]).await
}
