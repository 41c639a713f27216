//! The rules, each for one node whose parts are done, and each as a rewrite of its own.

use crate::condition::{Condition, Mode};
use crate::schema::{Field, Kind, Schema};
use crate::spans::Spans;

/// Applies a rule to every node, parts first. Recursive; the depth is limited before.
pub(super) fn bottom_up(condition: Condition, rule: &impl Fn(Condition) -> Condition) -> Condition {
    let each = |parts: Vec<Condition>| parts.into_iter().map(|part| bottom_up(part, rule)).collect();
    rule(match condition {
        Condition::And(parts) => Condition::And(each(parts)),
        Condition::Or(parts) => Condition::Or(each(parts)),
        Condition::Not(part) => Condition::Not(Box::new(bottom_up(*part, rule))),
        leaf => leaf,
    })
}

/// Moves negations to where they cost nothing: into sets of values, or right in front of text and presence. Exact in
/// three-valued logic.
#[must_use]
pub fn negations_inward(condition: Condition) -> Condition {
    push(condition, false)
}

pub(super) fn push(condition: Condition, negated: bool) -> Condition {
    let each = |parts: Vec<Condition>| parts.into_iter().map(|part| push(part, negated)).collect();
    match (condition, negated) {
        (Condition::Not(inner), _) => push(*inner, !negated),
        (Condition::And(parts), false) | (Condition::Or(parts), true) => Condition::And(each(parts)),
        (Condition::Or(parts), false) | (Condition::And(parts), true) => Condition::Or(each(parts)),
        (leaf, false) => leaf,
        (Condition::Always, true) => Condition::Never,
        (Condition::Never, true) => Condition::Always,
        (Condition::Within(field, spans), true) => Condition::Within(field, spans.complement()),
        (leaf, true) => !leaf,
    }
}

/// Takes parentheses away that change nothing. Exact in three-valued logic.
#[must_use]
pub fn flatten(condition: Condition) -> Condition {
    bottom_up(condition, &flat)
}

pub(super) fn flat(node: Condition) -> Condition {
    match node {
        Condition::And(parts) => {
            let nested = |part| if let Condition::And(inner) = part { inner } else { vec![part] };
            match splice(parts, nested) {
                Ok(parts) => Condition::And(parts),
                Err(only) => only.unwrap_or(Condition::Always),
            }
        }
        Condition::Or(parts) => {
            let nested = |part| if let Condition::Or(inner) = part { inner } else { vec![part] };
            match splice(parts, nested) {
                Ok(parts) => Condition::Or(parts),
                Err(only) => only.unwrap_or(Condition::Never),
            }
        }
        other => other,
    }
}

/// Two or more parts, or the only one, if any.
fn splice(
    parts: Vec<Condition>,
    nested: impl Fn(Condition) -> Vec<Condition>,
) -> Result<Vec<Condition>, Option<Condition>> {
    let mut flat: Vec<Condition> = parts.into_iter().flat_map(nested).collect();
    match flat.len() {
        0 | 1 => Err(flat.pop()),
        _ => Ok(flat),
    }
}

/// Works out what is always or never true. For conditions with negations inward.
#[must_use]
pub fn constants(condition: Condition, schema: &Schema) -> Condition {
    bottom_up(condition, &|node| folded(node, schema))
}

pub(super) fn folded(node: Condition, schema: &Schema) -> Condition {
    let leaves = |parts: Vec<Condition>| parts.into_iter().map(|part| leaf(part, schema));
    match node {
        Condition::And(parts) => {
            let parts: Vec<_> = leaves(parts).filter(|part| *part != Condition::Always).collect();
            match parts.contains(&Condition::Never) {
                true => Condition::Never,
                false if parts.is_empty() => Condition::Always,
                false => Condition::And(parts),
            }
        }
        Condition::Or(parts) => {
            let parts: Vec<_> = leaves(parts).filter(|part| *part != Condition::Never).collect();
            match parts.contains(&Condition::Always) {
                true => Condition::Always,
                false if parts.is_empty() => Condition::Never,
                false => Condition::Or(parts),
            }
        }
        other => leaf(other, schema),
    }
}

fn leaf(condition: Condition, schema: &Schema) -> Condition {
    match condition {
        Condition::Within(field, spans) => {
            let is_truth = schema.kind(field) == Kind::Bool;
            let spans = if is_truth { spans.intersect(&Spans::truth()) } else { spans };
            match (spans.is_none(), spans.is_all() || (is_truth && spans == Spans::truth())) {
                (true, _) => Condition::Never,
                (_, true) => leaf(Condition::Present(field), schema),
                _ => Condition::Within(field, spans),
            }
        }
        Condition::Present(field) if schema.is_required(field) => Condition::Always,
        Condition::Text(text) if text.mode == Mode::Words && !schema.tokenizer().has_word(&text.text) => {
            Condition::Never
        }
        Condition::Not(inner) => match leaf(*inner, schema) {
            Condition::Always => Condition::Never,
            Condition::Never => Condition::Always,
            inner => !inner,
        },
        other => other,
    }
}

/// Makes one range of several on a field that must all hold. Exact in three-valued logic.
#[must_use]
pub fn merge_ranges(condition: Condition) -> Condition {
    bottom_up(condition, &merged)
}

pub(super) fn merged(node: Condition) -> Condition {
    match node {
        Condition::And(parts) => Condition::And(combine(parts, Spans::intersect)),
        other => other,
    }
}

/// Makes one set of alternatives for a field. Exact in three-valued logic.
#[must_use]
pub fn sets_from_alternatives(condition: Condition) -> Condition {
    bottom_up(condition, &united)
}

pub(super) fn united(node: Condition) -> Condition {
    match node {
        Condition::Or(parts) => Condition::Or(combine(parts, Spans::union)),
        other => other,
    }
}

/// Puts the sets of each field together, where the first of them stood.
fn combine(parts: Vec<Condition>, both: impl Fn(&Spans, &Spans) -> Spans) -> Vec<Condition> {
    let mut combined: Vec<Condition> = Vec::with_capacity(parts.len());
    for part in parts {
        let Condition::Within(field, spans) = &part else {
            combined.push(part);
            continue;
        };
        match combined.iter_mut().find_map(|seen| within(seen, *field)) {
            Some(seen) => *seen = both(seen, spans),
            None => combined.push(part),
        }
    }
    combined
}

fn within(condition: &mut Condition, wanted: Field) -> Option<&mut Spans> {
    match condition {
        Condition::Within(field, spans) if *field == wanted => Some(spans),
        _ => None,
    }
}

/// Finds parts that exclude each other, and parts that say less than another. For conditions with negations inward.
#[must_use]
pub fn contradictions(condition: Condition) -> Condition {
    bottom_up(condition, &contradicted)
}

pub(super) fn contradicted(node: Condition) -> Condition {
    match node {
        Condition::And(parts) if opposed(&parts) => Condition::Never,
        Condition::Or(parts) if parts.iter().any(|part| is_negation_of_any(part, &parts)) => {
            Condition::Always
        }
        // A value in a set is present.
        Condition::And(mut parts) => {
            let fields = fields(&parts);
            parts.retain(|part| !matches!(part, Condition::Present(field) if fields.contains(field)));
            Condition::And(parts)
        }
        Condition::Or(mut parts) => {
            let present: Vec<Field> = parts
                .iter()
                .filter_map(|part| if let Condition::Present(field) = part { Some(*field) } else { None })
                .collect();
            parts.retain(|part| !matches!(part, Condition::Within(field, _) if present.contains(field)));
            Condition::Or(parts)
        }
        other => other,
    }
}

fn fields(parts: &[Condition]) -> Vec<Field> {
    let field = |part: &Condition| if let Condition::Within(field, _) = part { Some(*field) } else { None };
    parts.iter().filter_map(field).collect()
}

fn opposed(parts: &[Condition]) -> bool {
    let fields = fields(parts);
    parts.iter().any(|part| {
        let absent = match part {
            Condition::Not(inner) => matches!(**inner, Condition::Present(field) if fields.contains(&field)),
            _ => false,
        };
        absent || is_negation_of_any(part, parts)
    })
}

/// Whether a part is the negation of another that is never unknown.
fn is_negation_of_any(part: &Condition, parts: &[Condition]) -> bool {
    let Condition::Not(inner) = part else { return false };
    matches!(**inner, Condition::Text(_) | Condition::Present(_)) && parts.contains(inner)
}

/// Leaves each part out that is there already. Exact in three-valued logic.
#[must_use]
pub fn duplicates(condition: Condition) -> Condition {
    bottom_up(condition, &distinct)
}

pub(super) fn distinct(node: Condition) -> Condition {
    let once = |parts: Vec<Condition>| {
        let mut kept: Vec<Condition> = Vec::with_capacity(parts.len());
        for part in parts {
            if !kept.contains(&part) {
                kept.push(part);
            }
        }
        kept
    };
    match node {
        Condition::And(parts) => Condition::And(once(parts)),
        Condition::Or(parts) => Condition::Or(once(parts)),
        other => other,
    }
}
