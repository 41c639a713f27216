//! The steps of a job, timed, and the account of them at the end: what ran, what failed, what was skipped and why.

use crate::shell::{self, Result};
use std::time::Duration;

/// Characters of a reason in the table.
const REASON: usize = 90;

/// How one step ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Passed,
    /// The sentence says what went wrong.
    Failed(String),
    /// The sentence says why it could not run.
    Skipped(String),
}

impl From<Result> for Verdict {
    fn from(result: Result) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

#[derive(Debug)]
struct Step {
    name: String,
    verdict: Verdict,
    took: Duration,
}

/// The steps taken so far. A failed step does not stop the next: all that is wrong is seen at once.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    steps: Vec<Step>,
    strict: bool,
}

impl Steps {
    /// With `strict`, a step that is skipped counts as failed.
    pub(crate) fn new(strict: bool) -> Self {
        Self { steps: Vec::new(), strict }
    }

    /// Runs one step and notes its verdict and its time.
    pub(crate) fn step<V: Into<Verdict>>(&mut self, name: &str, run: impl FnOnce() -> V) {
        println!("\n== {name}");
        let start = shell::now();
        let verdict = match run().into() {
            Verdict::Skipped(why) if self.strict => {
                Verdict::Failed(format!("skipped, which CI forbids: {why}"))
            }
            other => other,
        };
        match &verdict {
            Verdict::Passed => {}
            Verdict::Failed(why) => println!("failed: {why}"),
            Verdict::Skipped(why) => println!("skipped: {why}"),
        }
        self.steps.push(Step { name: name.to_owned(), verdict, took: start.elapsed() });
    }

    /// Prints the table and the line `N passed, M failed, K skipped`; true if nothing failed.
    pub(crate) fn finish(&self) -> bool {
        print!("\n{}", self.account());
        self.count(|v| matches!(v, Verdict::Failed(_))) == 0
    }

    fn account(&self) -> String {
        let width = self.steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for step in &self.steps {
            let (word, why) = match &step.verdict {
                Verdict::Passed => ("passed", ""),
                Verdict::Failed(why) => ("FAILED", why.as_str()),
                Verdict::Skipped(why) => ("skipped", why.as_str()),
            };
            // The whole reason was printed with the step; here one line must do.
            let first: String = why.lines().next().unwrap_or("").chars().take(REASON).collect();
            let line = format!("{:width$}  {word:7} {:7.1} s  {first}", step.name, step.took.as_secs_f64());
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text + &format!(
            "{} passed, {} failed, {} skipped\n",
            self.count(|v| matches!(v, Verdict::Passed)),
            self.count(|v| matches!(v, Verdict::Failed(_))),
            self.count(|v| matches!(v, Verdict::Skipped(_))),
        )
    }

    fn count(&self, is: impl Fn(&Verdict) -> bool) -> usize {
        self.steps.iter().filter(|step| is(&step.verdict)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(strict: bool) -> Steps {
        let mut steps = Steps::new(strict);
        steps.step("one", || Verdict::Passed);
        steps.step("two", || Err::<(), _>("it broke".into()) as Result);
        steps.step("three", || Verdict::Skipped("no tool".to_owned()));
        steps
    }

    #[test]
    fn the_account_ends_with_the_counts() {
        let steps = three(false);
        assert!(steps.account().ends_with("1 passed, 1 failed, 1 skipped\n"), "{}", steps.account());
        assert!(steps.account().contains("it broke"));
        assert!(!steps.finish());
    }

    #[test]
    fn a_strict_job_counts_a_skip_as_failed() {
        assert!(three(true).account().ends_with("1 passed, 2 failed, 0 skipped\n"));
    }
}
