//! In which order guards belong around a call, and what goes wrong in another.

use std::fmt;

use crate::Severity;

/// The order that works, outermost first. Nobody needs all of them: of `breaker` and `breakers`, and of `concurrency_limit` and `adaptive_limit`, one is enough.
pub const ORDER: [&str; 14] = [
    "trace",
    "metrics",
    "catch_panic",
    "validate",
    "rate_limit",
    "cache",
    "fallback",
    "retry",
    "hedge",
    "breaker",
    "breakers",
    "concurrency_limit",
    "adaptive_limit",
    "timeout",
];

/// Two guards of which each is where the other belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// An [`Error`](Severity::Error) makes no sense whatever else is configured; a [`Warning`](Severity::Warning) may be
    /// meant.
    pub severity: Severity,
    /// The guard that is further outside, and should not be.
    pub outer: &'static str,
    /// The guard that is further inside, and should not be.
    pub inner: &'static str,
    /// What happens because of that.
    pub reason: &'static str,
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outer, inner, reason, .. } = self;
        if outer == inner {
            write!(f, "`{outer}` is there twice: {reason}")
        } else {
            write!(f, "`{outer}` is outside of `{inner}`: {reason}")
        }
    }
}

/// Says what is wrong with an order of guards, outermost first, errors before warnings. Names it does not know are left
/// alone.
///
/// A [`Pipeline`](exec_core::Pipeline) does not know the guards in it, so nothing is checked by itself: ask once where it is
/// built, and log or refuse.
///
/// ```
/// use exec_core::Pipeline;
/// use exec_core::testing::Script;
/// use exec_middleware::{Retry, RetryConfig, Severity, Validate, lint};
///
/// let retry = Retry::new(RetryConfig::default()).unwrap();
/// let pipeline = Pipeline::around(Script::new("s", [])).with(retry).with(Validate::default());
/// let found = lint(pipeline.order());
/// assert_eq!(found[0].severity, Severity::Error);
/// assert_eq!(
///     found[0].to_string(),
///     "`retry` is outside of `validate`: requests that can never work would count as attempts"
/// );
/// ```
#[must_use]
pub fn lint<'a>(order: impl IntoIterator<Item = &'a str>) -> Vec<Misplaced> {
    let order: Vec<&str> = order.into_iter().collect();
    let mut found: Vec<_> = RULES.iter().filter_map(|rule| rule.broken(&order)).collect();
    found.extend(ONCE.iter().filter(|name| order.iter().filter(|at| at == name).count() > 1).map(|name| {
        Misplaced {
            severity: Severity::Warning,
            outer: name,
            inner: name,
            reason: "one is enough, and two count or repeat everything twice",
        }
    }));
    found.sort_by_key(|misplaced| misplaced.severity == Severity::Warning);
    found
}

/// Guards of which a second one only repeats the first.
const ONCE: [&str; 7] = ["trace", "metrics", "validate", "cache", "retry", "hedge", "breaker"];

/// `outer` belongs outside of `inner`.
struct Rule {
    outer: &'static str,
    inner: &'static str,
    severity: Severity,
    /// What happens when it is the other way round.
    reason: &'static str,
}

impl Rule {
    /// Of a guard that is there several times the outermost counts; of time limits, which belong inside, the innermost.
    fn broken(&self, order: &[&str]) -> Option<Misplaced> {
        let outer = order.iter().position(|name| *name == self.outer)?;
        let mut all = order.iter();
        let inner = if self.inner == "timeout" {
            all.rposition(|name| *name == self.inner)
        } else {
            all.position(|name| *name == self.inner)
        }?;
        let Self { severity, reason, .. } = *self;
        (inner < outer).then_some(Misplaced { severity, outer: self.inner, inner: self.outer, reason })
    }
}

const fn rule(outer: &'static str, inner: &'static str, reason: &'static str) -> Rule {
    Rule { outer, inner, severity: Severity::Warning, reason }
}

const fn must(outer: &'static str, inner: &'static str, reason: &'static str) -> Rule {
    Rule { outer, inner, severity: Severity::Error, reason }
}

const UNSEEN: &str = "calls that it ends are neither told nor logged";
const UNCOUNTED: &str = "calls that it ends are not counted";
const UNCAUGHT: &str = "a panic in it is not contained";
const POINTLESS: &str = "requests that can never work would count as attempts";
const PERMIT: &str = "an answer that is kept already would need a place";
const HELD: &str = "a place would be held while nothing is under way";
const MASKED: &str = "it would see one call where there were several attempts";
const SLOW: &str = "one attempt that hangs would use up the time of all; put a `timeout` inside as well";

/// The rules, in the order of [`ORDER`].
const RULES: [Rule; 43] = [
    rule("trace", "catch_panic", "a panic would be told as a caller who left"),
    rule("trace", "validate", UNSEEN),
    rule("trace", "rate_limit", UNSEEN),
    rule("trace", "cache", UNSEEN),
    rule("trace", "retry", "every attempt would be told as an execution of its own"),
    rule("trace", "hedge", "every attempt would be told as an execution of its own"),
    rule("trace", "breaker", UNSEEN),
    rule("trace", "breakers", UNSEEN),
    rule("trace", "concurrency_limit", UNSEEN),
    rule("trace", "adaptive_limit", UNSEEN),
    rule("metrics", "catch_panic", "a panic would be counted as a caller who left"),
    rule("metrics", "validate", UNCOUNTED),
    rule("metrics", "rate_limit", UNCOUNTED),
    rule("metrics", "cache", UNCOUNTED),
    rule("metrics", "retry", "every attempt would be counted as a call"),
    rule("metrics", "hedge", "every attempt would be counted as a call"),
    rule("metrics", "breaker", UNCOUNTED),
    rule("metrics", "breakers", UNCOUNTED),
    rule("metrics", "concurrency_limit", UNCOUNTED),
    rule("metrics", "adaptive_limit", UNCOUNTED),
    rule("catch_panic", "validate", UNCAUGHT),
    rule("catch_panic", "retry", "a panic would take the other attempts along"),
    rule("validate", "rate_limit", "requests that cannot work would be charged"),
    rule("validate", "cache", "requests that cannot work would be looked up and kept"),
    must("validate", "fallback", POINTLESS),
    must("validate", "retry", POINTLESS),
    must("validate", "hedge", POINTLESS),
    rule("rate_limit", "retry", "every attempt would be charged to the caller"),
    rule("rate_limit", "hedge", "every attempt would be charged to the caller"),
    rule("rate_limit", "cache", "answers that are kept would not count against the caller"),
    rule(
        "cache",
        "retry",
        "every attempt would look for a kept answer, and the first has said that there is none",
    ),
    rule("cache", "breaker", "answers that are kept would be refused while it is open"),
    rule("cache", "breakers", "answers that are kept would be refused while it is open"),
    rule("cache", "concurrency_limit", PERMIT),
    rule("cache", "adaptive_limit", PERMIT),
    rule(
        "retry",
        "hedge",
        "a call that waits before its next attempt would be hedged, and each hedge repeated",
    ),
    rule("retry", "breaker", MASKED),
    rule("retry", "concurrency_limit", HELD),
    rule("retry", "adaptive_limit", HELD),
    rule("retry", "timeout", SLOW),
    rule("hedge", "breaker", MASKED),
    rule("breaker", "concurrency_limit", "a call that is refused in any case would wait for a place first"),
    rule("concurrency_limit", "timeout", "the time in its queue would count as the call's"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> usize {
        ORDER.iter().position(|known| *known == name).unwrap()
    }

    #[test]
    fn the_order_that_works_breaks_no_rule_and_its_reverse_breaks_all() {
        assert_eq!(lint(ORDER), []);
        assert_eq!(lint(ORDER.into_iter().rev()).len(), RULES.len());
        assert!(RULES.iter().all(|rule| place(rule.outer) < place(rule.inner)));
    }

    #[test]
    fn each_rule_is_told_alone_and_errors_come_first() {
        for rule in &RULES {
            let found = lint([rule.inner, "mine", rule.outer]);
            let [Misplaced { outer, inner, severity, .. }] = found[..] else { panic!("{found:?}") };
            assert_eq!((outer, inner, severity), (rule.inner, rule.outer, rule.severity));
            assert_eq!(lint([rule.outer, "mine", rule.inner]), []);
        }
        let found = lint(["timeout", "breaker", "retry", "validate"]);
        let severities: Vec<_> = found.iter().map(|misplaced| misplaced.severity).collect();
        assert_eq!(severities, [Severity::Error, Severity::Warning, Severity::Warning]);
    }

    #[test]
    fn a_second_limit_may_be_meant_and_a_second_retry_is_not() {
        assert_eq!(
            lint(["timeout", "rate_limit", "retry", "rate_limit", "concurrency_limit", "timeout"]),
            []
        );
        let found = lint(["retry", "retry"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("`retry` is there twice"));
        assert_eq!(lint(["mine", "mine", "yours"]), []);
    }
}
