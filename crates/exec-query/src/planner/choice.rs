//! The choice among ways, and what is said about it.

use super::Planner;
use super::price::Price;
use super::ways::{Access, Outline, Way};
use crate::condition::{Condition, Mode};
use crate::feedback;
use crate::plan::{Complexity, Estimate, Plan, Rejected, Strategy, WordCheck};
use crate::rewrite::Normal;
use crate::sql::Check;

/// A way with its price, corrected by what was learnt.
#[derive(Debug)]
struct Candidate {
    way: Way,
    strategy: Strategy,
    price: Price,
    /// Nanoseconds before the correction.
    plain: f64,
}

/// What all ways of a query have in common.
#[derive(Clone, Copy, Debug)]
struct Common {
    shape: u64,
    plain_matching: f64,
    matching: f64,
    doubt: f64,
    guesses: u32,
}

impl Planner {
    pub(super) fn choose(&self, normal: Normal) -> Plan {
        if normal.condition == Condition::Never {
            return self.without_store(normal, Strategy::Nothing, 0.0, 0.0);
        }
        if self.schema.in_memory {
            return self.in_memory(normal);
        }
        let outline = Outline::new(&normal, self.estimator());
        let (common, candidates) = self.weigh(&outline);
        let Some((best, others)) = candidates.split_first() else {
            return self.without_store(normal, Strategy::Nothing, 0.0, 0.0);
        };
        let mut plan = self.plan_of(&outline, best, &common);
        plan.others = others.iter().map(|other| rejected(&outline, other, best, &common)).collect();
        plan.confidence = others.first().map_or(1.0, |next| confidence(best, next, &common));
        plan.normal = normal;
        plan
    }

    pub(super) fn all(&self, normal: &Normal) -> Vec<Plan> {
        if normal.condition == Condition::Never || self.schema.in_memory {
            return vec![self.choose(normal.clone())];
        }
        let outline = Outline::new(normal, self.estimator());
        let (common, candidates) = self.weigh(&outline);
        let plan = |candidate| Plan { normal: normal.clone(), ..self.plan_of(&outline, candidate, &common) };
        candidates.iter().map(plan).collect()
    }

    pub(super) fn cached(&self, normal: Normal) -> Plan {
        self.without_store(normal, Strategy::Cached, 0.0, 1.0)
    }

    /// The candidates, the cheapest first; of equals the one found first.
    fn weigh(&self, outline: &Outline<'_>) -> (Common, Vec<Candidate>) {
        let (plain_matching, doubt) = outline.matching();
        let shape = feedback::shape(&outline.normal.condition, &self.schema);
        let matching = (plain_matching * self.feedback.rows(shape)).min(outline.estimator.rows());
        let candidate = |way: Way| {
            let strategy = self.strategy(&way.access);
            let mut price = outline.price(&way, matching, doubt);
            let plain = price.cost;
            price.cost *= self.feedback.time(shape, &strategy);
            Candidate { way, strategy, price, plain }
        };
        let mut candidates: Vec<Candidate> = outline.ways().into_iter().map(candidate).collect();
        candidates.sort_by(|a, b| a.price.cost.total_cmp(&b.price.cost));
        let guesses = outline.parts.iter().map(|(_, expected)| expected.guesses).sum();
        (Common { shape, plain_matching, matching, doubt, guesses }, candidates)
    }

    fn strategy(&self, access: &Access) -> Strategy {
        match access {
            Access::Table { .. } => Strategy::Table,
            Access::Index { number, .. } => Strategy::Index(
                self.schema.indexes.get(*number).map(|index| index.name.clone()).unwrap_or_default(),
            ),
            Access::Words(_) => Strategy::Words,
            Access::Trigrams(_) => Strategy::Trigrams,
        }
    }

    /// The plan of a candidate; the caller puts the normal form in.
    fn plan_of(&self, outline: &Outline<'_>, candidate: &Candidate, common: &Common) -> Plan {
        Plan {
            strategy: candidate.strategy.clone(),
            check: check(candidate.way.check),
            ordered: candidate.way.ordered,
            statement: Some(outline.statement(&candidate.way)),
            estimate: estimate(outline, candidate, common),
            complexity: complexity(&outline.normal.condition),
            confidence: 1.0,
            normal: empty(),
            shape: common.shape,
            plain_micros: candidate.plain / 1e3,
            plain_matching: common.plain_matching,
            others: Vec::new(),
        }
    }

    fn in_memory(&self, normal: Normal) -> Plan {
        let estimator = self.estimator();
        let (rows, expected) = (estimator.rows(), estimator.estimate(&normal.condition));
        let micros = rows * (self.model.memory_row + expected.row_cost) / 1e3;
        self.without_store(normal, Strategy::Memory, rows, micros)
    }

    /// A plan for which nothing is asked of a store.
    fn without_store(&self, normal: Normal, strategy: Strategy, examined: f64, micros: f64) -> Plan {
        let expected = self.estimator().estimate(&normal.condition);
        let matching = expected.share * self.statistics.rows() as f64;
        let returned = matching.min(normal.limit.into());
        Plan {
            strategy,
            check: WordCheck::None,
            ordered: true,
            statement: None,
            estimate: Estimate {
                examined,
                matching,
                returned,
                micros,
                doubt: expected.doubt,
                guesses: expected.guesses,
            },
            complexity: complexity(&normal.condition),
            confidence: 1.0,
            shape: feedback::shape(&normal.condition, &self.schema),
            normal,
            plain_micros: micros,
            plain_matching: matching,
            others: Vec::new(),
        }
    }
}

/// Stands in until the real one is moved in, once nothing borrows it any more.
fn empty() -> Normal {
    Normal {
        condition: Condition::Never,
        sort: Vec::new(),
        key_direction: crate::Direction::Descending,
        limit: 0,
        shown: Vec::new(),
        detail: crate::Detail::Name,
    }
}

fn check(check: Check) -> WordCheck {
    match check {
        Check::None => WordCheck::None,
        Check::Row => WordCheck::Row,
        Check::Probe => WordCheck::Probe,
    }
}

fn estimate(outline: &Outline<'_>, candidate: &Candidate, common: &Common) -> Estimate {
    Estimate {
        examined: candidate.price.examined,
        matching: common.matching,
        returned: common.matching.min(outline.normal.limit.into()),
        micros: candidate.price.cost / 1e3,
        doubt: common.doubt,
        guesses: common.guesses,
    }
}

fn rejected(outline: &Outline<'_>, other: &Candidate, best: &Candidate, common: &Common) -> Rejected {
    let estimate = estimate(outline, other, common);
    let rows = estimate.examined.max(1.0);
    let times = other.price.cost / best.price.cost.max(1.0);
    let does = match (other.way.check, other.way.ordered) {
        (Check::Probe, _) => format!("asks the text index about {rows:.0} rows"),
        (_, true) => format!("looks at {rows:.0} rows before it has enough"),
        (_, false) => format!("looks at {rows:.0} rows, and sorts what is left"),
    };
    let why = format!("{does}: {times:.1} times the cost");
    Rejected { strategy: other.strategy.clone(), check: check(other.way.check), estimate, why }
}

/// One for each condition, one more for each `or`, each substring and each level of nesting.
fn complexity(condition: &Condition) -> Complexity {
    fn score(condition: &Condition) -> (usize, usize) {
        let own = match condition {
            Condition::Always | Condition::Never | Condition::And(_) | Condition::Not(_) => 0,
            Condition::Text(text) if text.mode == Mode::Substring => 2,
            _ => 1,
        };
        let parts = condition.parts().iter().map(score);
        let (sum, depth) =
            parts.fold((own, 0), |(sum, depth), (part, deep)| (sum + part, depth.max(deep + 1)));
        (sum, depth)
    }
    let (sum, depth) = score(condition);
    Complexity::of(sum + depth.saturating_sub(1))
}

/// The chance that a normal variable, whose deviation is the logarithm of the doubt, is below the distance to the next
/// best way; by the logistic approximation of its distribution. It is at least a half, and halved for each guess.
fn confidence(best: &Candidate, next: &Candidate, common: &Common) -> f64 {
    let distance = (next.price.cost / best.price.cost.max(1.0)).max(1.0).ln();
    let deviation = 0.2 + common.doubt.max(1.0).ln() / 2.0;
    let chance = 1.0 / (1.0 + (-1.702 * distance / deviation).exp());
    chance * 0.5_f64.powi(i32::try_from(common.guesses).unwrap_or(i32::MAX))
}
