//! One operation: who asks what, what goes wrong upstream, whether the caller leaves, and how it ended.

use super::dice::Dice;
use crate::lab::{Call, Client, Dialect, Told};
use std::time::Duration;
use xtask::upstream::text;

/// In a hundred operations.
const CANCELS: u64 = 10;
const FAULTS: u64 = 10;
/// Longer is a hang.
const LIMIT: Duration = Duration::from_secs(90);
/// A caller that leaves does so within this time.
const LEAVES_WITHIN: Duration = Duration::from_millis(1500);

/// Who is asked: a provider of either format, or both in order.
const PROVIDERS: [&str; 4] = ["first", "second", "either", "either"];

/// What goes wrong, in the upstream's words.
const WRONG: [&str; 18] = [
    "status=500",
    "status=503",
    "status=429,unlimited,retry-after-ms=20",
    "status=401",
    "error=context_length",
    "error=content_filter",
    "error=bad_json",
    "reset=before",
    "reset=headers",
    "reset=3",
    "cut=0",
    "cut=3",
    "cut-clean=3",
    "malformed=2",
    "stream-error=3",
    "stall=3",
    "hang",
    "first=30s",
];

/// Codes of failures that are refusals of the server itself.
const REFUSALS: [&str; 7] = [
    "rate_limit",
    "concurrency_limit",
    "adaptive_limit",
    "breaker_open",
    "connections_busy",
    "too_many_keys",
    "exhausted",
];

/// What to do.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    dialect: Dialect,
    stream: bool,
    provider: &'static str,
    model: String,
    /// How many tokens a good answer has.
    tokens: u64,
    faulty: bool,
    leaves: Option<Duration>,
}

/// How an operation ended, as its caller knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The whole answer, every word once.
    Answered,
    /// Told cleanly, with this code, that there is no answer.
    Failed(String),
    /// Told cleanly that the server did not want to.
    Refused(String),
    /// Told cleanly that it took too long, though nothing went wrong upstream.
    Late(String),
    /// The caller left.
    Left,
    /// Nothing that may happen.
    Wrong(String),
}

impl Operation {
    /// Operation `number` of a run with `seed`.
    pub(super) fn of(seed: u64, number: u64) -> Self {
        let mut dice = Dice::of(seed, number);
        let tokens = 1 + dice.below(40);
        let faulty = dice.percent(FAULTS);
        let gap = dice.pick(&["0ms", "1ms", "5ms"]);
        let spec = match faulty {
            true => format!("tokens={tokens},{}", dice.pick(&WRONG)),
            false => format!("tokens={tokens},gap={gap}"),
        };
        let leaves = dice.percent(CANCELS).then(|| LEAVES_WITHIN.mul_f64(share(&mut dice)));
        let provider = dice.pick(&PROVIDERS);
        Self {
            dialect: dice.pick(&Dialect::ALL),
            stream: dice.percent(50),
            provider,
            model: format!("{provider}/fault:{spec}"),
            tokens,
            faulty,
            leaves,
        }
    }

    pub(super) async fn run(&self, client: Client) -> Outcome {
        let call = Call::ask(self.dialect, &self.model, self.stream);
        let work = client.send(&call, LIMIT);
        let heard = match self.leaves {
            None => work.await,
            // Dropping the work is leaving.
            Some(time) => match tokio::time::timeout(time, work).await {
                Ok(heard) => heard,
                Err(_) => return Outcome::Left,
            },
        };
        self.judge(&Told::read(self.dialect, &heard), heard.status)
    }

    fn judge(&self, told: &Told, status: u16) -> Outcome {
        if told.complete && told.broken.is_empty() && told.text == text(self.tokens) {
            return Outcome::Answered;
        }
        match &told.failure {
            Some(failure) if told.is_clean_failure() => self.told(&failure.code),
            _ => Outcome::Wrong(self.shown(told, status)),
        }
    }

    /// A clean failure. What is well upstream may be refused; on a busy machine it may be late as well, but not often.
    fn told(&self, code: &str) -> Outcome {
        let named = || format!("{} {code}", self.provider);
        if REFUSALS.contains(&code) {
            Outcome::Refused(named())
        } else if self.faulty {
            Outcome::Failed(named())
        } else if code.ends_with("_timeout") || code == "deadline_exceeded" {
            Outcome::Late(named())
        } else {
            Outcome::Wrong(format!("{} {}: {code}, and nothing went wrong", self.dialect.name(), self.model))
        }
    }

    fn shown(&self, told: &Told, status: u16) -> String {
        format!("{} {} stream={}: {status} {told:?}", self.dialect.name(), self.model, self.stream)
    }
}

/// From 0 to 1, more often early: that is where most states are.
fn share(dice: &mut Dice) -> f64 {
    let thousandths = dice.below(1000);
    let early = f64::from(u32::try_from(thousandths).unwrap_or(0)) / 1000.0;
    early * early
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_as_mixed_as_they_should_be() {
        let all: Vec<Operation> = (0..5000).map(|n| Operation::of(3, n)).collect();
        let count = |is: &dyn Fn(&Operation) -> bool| all.iter().filter(|op| is(op)).count();
        assert!((400..600).contains(&count(&|op| op.faulty)));
        assert!((400..600).contains(&count(&|op| op.leaves.is_some())));
        assert!((2200..2800).contains(&count(&|op| op.stream)));
        for dialect in Dialect::ALL {
            assert!(count(&|op| op.dialect == dialect) > 1500);
        }
    }
}
