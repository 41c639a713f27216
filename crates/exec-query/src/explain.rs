//! Plans for people.

use std::fmt;

use crate::language::render;
use crate::plan::{Plan, Rejected, Strategy, WordCheck};
use crate::query::Direction;
use crate::schema::{Field, Schema};

/// What a plan does, what is expected of it, and why the others lost. Shown as text; see `docs/search.md`.
#[derive(Clone, Copy, Debug)]
pub struct Explanation<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) schema: &'a Schema,
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { estimate, complexity, confidence, .. } = self.plan;
        writeln!(
            f,
            "about {} of {} matching rows, {}; {complexity}, confidence {confidence:.2}{}",
            count(estimate.returned),
            count(estimate.matching),
            time(estimate.micros),
            guesses(estimate.guesses),
        )?;
        for (depth, line) in self.steps().iter().enumerate() {
            let branch = if depth == 0 { String::new() } else { "   ".repeat(depth - 1) + "└─ " };
            writeln!(f, "{branch}{line}")?;
        }
        if !self.plan.others.is_empty() {
            writeln!(f, "not taken:")?;
        }
        self.plan.others.iter().try_for_each(|other| rejected(f, other))
    }
}

impl Explanation<'_> {
    /// What is done, the last step first.
    fn steps(&self) -> Vec<String> {
        let Plan { strategy, ordered, normal, estimate, .. } = self.plan;
        let mut steps = Vec::new();
        match strategy {
            Strategy::Nothing => return vec!["nothing can match: nothing is asked".to_owned()],
            Strategy::Cached => return vec!["the result is at hand".to_owned()],
            _ => {}
        }
        let order = self.order();
        steps.push(match (ordered, strategy) {
            (true, Strategy::Memory) | (false, _) => format!("sort by {order}, take {}", normal.limit),
            (true, _) => format!("stop after {}", normal.limit),
        });
        if normal.condition != crate::Condition::Always {
            let how = match self.plan.check {
                WordCheck::None => "",
                WordCheck::Row => ", words on the row",
                WordCheck::Probe => ", words by asking the text index",
            };
            steps.push(format!("check {}{how}", render::condition(self.schema, &normal.condition)));
        }
        let examined = count(estimate.examined);
        let backwards = *ordered && normal.key_direction == Direction::Descending;
        let direction = if backwards { " backwards" } else { "" };
        steps.push(match strategy {
            Strategy::Memory => format!("scan {examined} rows in memory"),
            other => format!("read {other}{direction}: {examined} rows"),
        });
        steps
    }

    fn order(&self) -> String {
        let normal = &self.plan.normal;
        let sign = |direction: Direction| if direction == Direction::Descending { "-" } else { "" };
        let key = (Field::KEY, normal.key_direction);
        let all = normal.sort.iter().copied().chain([key]);
        all.map(|(field, direction)| format!("{}{}", sign(direction), self.schema.name(field)))
            .collect::<Vec<_>>()
            .join(",")
    }
}

fn rejected(f: &mut fmt::Formatter<'_>, other: &Rejected) -> fmt::Result {
    let check = match other.check {
        WordCheck::Row => " + row check",
        WordCheck::Probe => " + probe",
        WordCheck::None => "",
    };
    let name = format!("{}{check}", other.strategy);
    writeln!(f, "  {name:32} {:>9}  {}", time(other.estimate.micros), other.why)
}

/// What lowers confidence, if anything does.
fn guesses(guesses: u32) -> String {
    match guesses {
        0 => String::new(),
        1 => " by a guess".to_owned(),
        many => format!(" by {many} guesses"),
    }
}

/// A number of rows that is an estimate.
fn count(rows: f64) -> String {
    match rows {
        _ if rows < 0.5 => "0".to_owned(),
        _ if rows < 10_000.0 => format!("{rows:.0}"),
        _ => format!("{:.0}k", rows / 1e3),
    }
}

fn time(micros: f64) -> String {
    if micros < 1_000.0 { format!("{micros:.0} µs") } else { format!("{:.1} ms", micros / 1e3) }
}
