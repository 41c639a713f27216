//! Verdicts as the public suite gives them, and what was found for each.

use std::fmt::Write as _;

/// How a scenario ended; the later is the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// The caller got what it should, and everybody behaved.
    Pass,
    /// The caller got what it should, in a way that could be better.
    Partial,
    /// The caller did not get it, and was told so cleanly and in time.
    Safe,
    /// A hang, a cut answer that looks complete, or a rule that was broken.
    Fail,
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Partial => "partial",
            Self::Safe => "safe",
            Self::Fail => "fail",
        }
    }
}

/// What one run of a scenario showed.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) id: &'static str,
    /// The column of the report: the formats upstream.
    pub(super) column: &'static str,
    /// Which of several forms of it this was, such as `streamed`.
    pub(super) form: Option<&'static str>,
    pub(super) verdict: Verdict,
    /// What was seen, without anything that differs from run to run.
    pub(super) seen: String,
    /// What was expected and not seen, with all that helps to find out why.
    pub(super) wrong: Vec<String>,
}

/// Expectations, gathered: the first that breaks does not hide the next.
#[derive(Debug)]
pub(super) struct Checks {
    verdict: Verdict,
    seen: String,
    wrong: Vec<String>,
}

/// Broken expectations that are kept; more say nothing new.
const KEPT: usize = 64;

impl Checks {
    pub(super) fn new() -> Self {
        Self { verdict: Verdict::Pass, seen: String::new(), wrong: Vec::new() }
    }

    /// What must hold.
    pub(super) fn must(&mut self, holds: bool, wrong: impl FnOnce() -> String) {
        self.note(Verdict::Fail, holds, wrong);
    }

    /// The same with the verdict if it does not hold.
    pub(super) fn note(&mut self, verdict: Verdict, holds: bool, wrong: impl FnOnce() -> String) {
        if holds {
            return;
        }
        self.verdict = self.verdict.max(verdict);
        if self.wrong.len() < KEPT {
            self.wrong.push(format!("{}: {}", verdict.word(), wrong()));
        }
    }

    /// Adds to what was seen.
    pub(super) fn saw(&mut self, what: impl std::fmt::Display) {
        let comma = if self.seen.is_empty() { "" } else { "; " };
        // Writing to a string cannot fail.
        let _infallible = write!(self.seen, "{comma}{what}");
    }

    pub(super) fn finding(self, id: &'static str, column: &'static str) -> Finding {
        Finding { id, column, form: None, verdict: self.verdict, seen: self.seen, wrong: self.wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts_and_everything_is_kept() {
        let mut checks = Checks::new();
        checks.must(true, || unreachable!());
        checks.note(Verdict::Partial, false, || "slow".to_owned());
        checks.must(false, || "lost".to_owned());
        checks.note(Verdict::Safe, false, || "late".to_owned());
        checks.saw("one");
        checks.saw("two");
        let finding = checks.finding("S01", "openai");
        assert_eq!((finding.verdict, finding.seen.as_str()), (Verdict::Fail, "one; two"));
        assert_eq!(finding.wrong, ["partial: slow", "fail: lost", "safe: late"]);
    }
}
