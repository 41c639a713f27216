//! What single terms mean: `field:value`, `field>value`, `has:field`, `since:2h`, words.

use std::ops::Bound::Unbounded;
use std::ops::Range;

use super::lexer::{Atom, Item, Op};
use super::literal::{self, Literal};
use super::parser::Parser;
use crate::condition::{Condition, Mode, Text};
use crate::problem::Problem;
use crate::schema::{Field, Kind};
use crate::spans::{Span, Spans};

impl Parser<'_, '_> {
    pub(super) fn text(&mut self, field: Option<Field>, mode: Mode, atom: Atom) -> Condition {
        if atom.text.is_empty() {
            let hint = "write what to search for";
            self.problem(Problem::at(atom.at, "there is no text here").hint(hint));
            return Condition::Never;
        }
        Condition::Text(Text { field, mode, text: atom.text })
    }

    pub(super) fn compare(
        &mut self,
        word: &str,
        at: &Range<usize>,
        name: Range<usize>,
        op: Op,
        items: Vec<Item>,
    ) -> Condition {
        let Some(field) = self.find(word, name) else { return Condition::Never };
        let kind = self.language.schema.kind(field);
        if op == Op::Contains || kind == Kind::Prose {
            return self.search(field, at, op, items);
        }
        let Some(spans) = self.spans(at, kind, op, items) else { return Condition::Never };
        Condition::Within(field, spans)
    }

    fn find(&mut self, word: &str, name: Range<usize>) -> Option<Field> {
        let found = self.language.schema.find(word);
        if found.is_none() {
            let mut problem = self.language.schema.unknown(word);
            problem.at = Some(name);
            if !problem.hint.starts_with("did") {
                problem.hint.push_str("; to search for the text itself, quote all of it");
            }
            self.problem(problem);
        }
        found
    }

    /// Words (`:`) or a piece (`~`) in one field.
    fn search(&mut self, field: Field, at: &Range<usize>, op: Op, mut items: Vec<Item>) -> Condition {
        let name = self.language.schema.name(field);
        let mode = match op {
            Op::Contains => Mode::Substring,
            Op::In => Mode::Words,
            _ => {
                let hint = format!("write {name}:word or {name}~piece");
                self.problem(Problem::at(at.clone(), format!("{name} is prose: it has no order")).hint(hint));
                return Condition::Never;
            }
        };
        match (items.pop(), items.is_empty()) {
            (Some(Item { low: Some(atom), is_range: false, .. }), true) => self.text(Some(field), mode, atom),
            _ => {
                let hint = "quote text with commas or dots in it";
                self.problem(Problem::at(at.clone(), "one text is looked for at a time").hint(hint));
                Condition::Never
            }
        }
    }

    /// What a field may hold; of a truth value no more than true and false.
    fn spans(&mut self, at: &Range<usize>, kind: Kind, op: Op, items: Vec<Item>) -> Option<Spans> {
        let spans = self.compared(at, kind, op, items)?;
        Some(if kind == Kind::Bool { spans.intersect(&Spans::truth()) } else { spans })
    }

    fn compared(&mut self, at: &Range<usize>, kind: Kind, op: Op, items: Vec<Item>) -> Option<Spans> {
        if matches!(op, Op::In | Op::NotIn) {
            let mut spans = Some(Vec::with_capacity(items.len()));
            for item in items {
                // Every wrong value is said, so all are read.
                let span = self.item(at, kind, item);
                spans = spans.zip(span).map(|(mut spans, span)| {
                    spans.push(span);
                    spans
                });
            }
            let spans = Spans::of(spans?);
            return Some(if op == Op::In { spans } else { spans.complement() });
        }
        let literal = self.single(at, kind, items)?;
        let (low, high) = match op {
            Op::Above => (literal.from(false), Unbounded),
            Op::AtLeast => (literal.from(true), Unbounded),
            Op::Below => (Unbounded, literal.to(false)),
            _ => (Unbounded, literal.to(true)),
        };
        Some(Spans::between(low, high))
    }

    /// The one value of a comparison.
    fn single(&mut self, at: &Range<usize>, kind: Kind, mut items: Vec<Item>) -> Option<Literal> {
        match (items.pop(), items.is_empty()) {
            (Some(Item { low: Some(atom), is_range: false, .. }), true) => self.literal(kind, &atom),
            _ => {
                let hint = "write a list or a range behind a colon";
                self.problem(Problem::at(at.clone(), "a comparison takes one value").hint(hint));
                None
            }
        }
    }

    fn item(&mut self, at: &Range<usize>, kind: Kind, item: Item) -> Option<Span> {
        if !item.is_range {
            return self.literal(kind, &item.low?).map(Literal::span);
        }
        let low = item
            .low
            .map_or(Some(Unbounded), |atom| self.literal(kind, &atom).map(|low| low.from(!item.low_open)));
        let high = item
            .high
            .map_or(Some(Unbounded), |atom| self.literal(kind, &atom).map(|high| high.to(!item.high_open)));
        let span = Span { low: low?, high: high? };
        if span.low != Unbounded && span.high != Unbounded && Spans::of([span.clone()]).is_none() {
            let hint = "write the smaller value first";
            self.problem(Problem::at(at.clone(), "nothing lies in this range").hint(hint));
            return None;
        }
        Some(span)
    }

    pub(super) fn literal(&mut self, kind: Kind, atom: &Atom) -> Option<Literal> {
        if atom.text.is_empty() && !atom.quoted {
            let hint = "write one, or \"\" for an empty text";
            self.problem(Problem::at(atom.at.clone(), "a value is missing").hint(hint));
            return None;
        }
        literal::read(&atom.text, kind, self.language.now)
            .map_err(|hint| {
                let message = format!("this is not {}", kind.name());
                self.problem(Problem::at(atom.at.clone(), message).hint(hint));
            })
            .ok()
    }

    /// `has:field`
    pub(super) fn has(&mut self, at: Range<usize>, op: Op, items: &[Item]) -> Condition {
        let ([Item { low: Some(atom), is_range: false, .. }], Op::In) = (items, op) else {
            self.problem(Problem::at(at, "has: takes the name of one field").hint("write has:field"));
            return Condition::Never;
        };
        let (name, place) = (atom.text.clone(), atom.at.clone());
        self.find(&name, place).map_or(Condition::Never, Condition::Present)
    }

    /// `since:` and `until:`
    pub(super) fn recency(
        &mut self,
        at: Range<usize>,
        name: Range<usize>,
        since: bool,
        items: &[Item],
    ) -> Condition {
        let Some(field) = self.language.schema.recency else {
            let hint = "compare a field of time instead";
            self.problem(Problem::at(name, "nothing here has a time of its own").hint(hint));
            return Condition::Never;
        };
        let kind = self.language.schema.kind(field);
        let Some(time) = self.single(&at, kind, items.to_vec()) else { return Condition::Never };
        let (low, high) = if since { (time.from(true), Unbounded) } else { (Unbounded, time.to(true)) };
        Condition::Within(field, Spans::between(low, high))
    }
}
