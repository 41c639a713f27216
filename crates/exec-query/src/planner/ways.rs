//! Which ways there are: the table, each index that helps, the text indexes.

use crate::condition::{Condition, Mode};
use crate::estimate::{Estimator, Expected};
use crate::query::Direction;
use crate::rewrite::Normal;
use crate::schema::{Field, Index};
use crate::spans::Spans;
use crate::sql::Check;

/// More values than this in one list are not looked up one by one in an index.
const MOST_LOOKUPS: usize = 256;
/// Characters a piece of text needs for a trigram index.
const TRIGRAM: usize = 3;

/// One of the conditions that must all hold, by its place in the normal form.
pub(super) type Part = usize;

/// Where rows come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Access {
    /// The table by key, between the bounds of a condition on the key.
    Table { keys: Option<Part> },
    /// The index of this number: its first fields equal to one of these values, the next one between bounds.
    Index { number: usize, equal: Vec<Part>, range: Option<Part> },
    /// The text index of words, with all of these conditions.
    Words(Vec<Part>),
    /// The index of trigrams.
    Trigrams(Part),
}

/// A way: where rows come from, how their words are checked, and whether they come in order.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) access: Access,
    pub(super) check: Check,
    pub(super) ordered: bool,
    /// The conditions still to be checked on each row, in the order to check them.
    pub(super) rest: Vec<Part>,
}

/// A query in normal form with what is expected of its parts.
#[derive(Debug)]
pub(super) struct Outline<'a> {
    pub(super) normal: &'a Normal,
    pub(super) estimator: Estimator<'a>,
    pub(super) parts: Vec<(&'a Condition, Expected)>,
}

impl<'a> Outline<'a> {
    pub(super) fn new(normal: &'a Normal, estimator: Estimator<'a>) -> Self {
        let expect = |part: &'a Condition| (part, estimator.estimate(part));
        Self { normal, estimator, parts: normal.condition.conjuncts().iter().map(expect).collect() }
    }

    pub(super) fn part(&self, part: Part) -> Option<&'a Condition> {
        self.parts.get(part).map(|(condition, _)| *condition)
    }

    pub(super) fn expected(&self, part: Part) -> Expected {
        self.parts.get(part).map_or(self.estimator.estimate(&Condition::Always), |(_, expected)| *expected)
    }

    pub(super) fn spans(&self, part: Part) -> Option<&'a Spans> {
        if let Some(Condition::Within(_, spans)) = self.part(part) { Some(spans) } else { None }
    }

    /// The condition on a field alone; there is at most one.
    fn on(&self, wanted: Field) -> Option<Part> {
        self.parts
            .iter()
            .position(|(part, _)| matches!(part, Condition::Within(field, _) if *field == wanted))
    }

    /// Every way.
    pub(super) fn ways(&self) -> Vec<Way> {
        let mut ways = Vec::with_capacity(8);
        for (access, ordered) in self.accesses() {
            let decided = self.decided(&access);
            let mut rest: Vec<Part> = (0..self.parts.len()).filter(|part| !decided.contains(part)).collect();
            let rank = |part: &Part| (!self.is_covered(&access, *part), self.rank(*part));
            rest.sort_by(|a, b| {
                let ((in_row, rank), (other_in_row, other)) = (rank(a), rank(b));
                in_row.cmp(&other_in_row).then(rank.total_cmp(&other))
            });
            let has_words = rest.iter().any(|part| self.expected(*part).has_words);
            for check in self.checks(has_words) {
                ways.push(Way { access: access.clone(), check: *check, ordered, rest: rest.clone() });
            }
        }
        ways
    }

    fn checks(&self, has_words: bool) -> &'static [Check] {
        let schema = self.estimator.schema;
        match (has_words, schema.check_function.is_some(), schema.words.is_some()) {
            (false, ..) => &[Check::None],
            (true, true, true) => &[Check::Row, Check::Probe],
            (true, true, false) => &[Check::Row],
            (true, false, _) => &[Check::Probe],
        }
    }

    /// Whether the entries of an index can tell of a condition, without the rows.
    pub(super) fn is_covered(&self, access: &Access, part: Part) -> bool {
        let Access::Index { number, .. } = access else { return false };
        let index = self.estimator.schema.indexes.get(*number);
        index.zip(self.part(part)).is_some_and(|(index, condition)| is_within(condition, &index.fields))
    }

    /// What is cheap and seldom true comes first; what a check costs for each row it turns away.
    fn rank(&self, part: Part) -> f64 {
        let expected = self.expected(part);
        expected.row_cost / (1.0 - expected.share).max(1e-6)
    }

    fn accesses(&self) -> Vec<(Access, bool)> {
        let by_key = self.normal.sort.is_empty();
        let mut accesses = vec![(Access::Table { keys: self.on(Field::KEY) }, by_key)];
        for (number, index) in self.estimator.schema.indexes.iter().enumerate() {
            accesses.extend(self.index(number, index));
        }
        if self.estimator.schema.words.is_some() {
            let words: Vec<Part> = self.texts(|condition, _| is_words(condition));
            if let Some(rarest) = self.rarest(&words) {
                if words.len() > 1 && self.estimator.schema.check_function.is_some() {
                    accesses.push((Access::Words(vec![rarest]), by_key));
                }
                accesses.push((Access::Words(words), by_key));
            }
        }
        if self.estimator.schema.trigrams.is_some()
            && let Some(rarest) = self.rarest(&self.texts(is_piece))
        {
            accesses.push((Access::Trigrams(rarest), by_key));
        }
        accesses
    }

    fn texts(&self, wanted: impl Fn(&Condition, &Self) -> bool) -> Vec<Part> {
        let found = |(at, (part, _)): (Part, &(&Condition, Expected))| wanted(part, self).then_some(at);
        self.parts.iter().enumerate().filter_map(found).collect()
    }

    fn rarest(&self, parts: &[Part]) -> Option<Part> {
        parts.iter().copied().min_by(|a, b| self.expected(*a).share.total_cmp(&self.expected(*b).share))
    }

    /// How an index helps, if it does: it narrows, or it gives the order.
    fn index(&self, number: usize, index: &Index) -> Option<(Access, bool)> {
        let (mut equal, mut single, mut lookups) = (Vec::new(), true, 1);
        let mut fields = index.fields.iter();
        let mut next = fields.next();
        while let Some(part) = next.and_then(|field| self.on(*field)) {
            let points = self.spans(part).and_then(Spans::point_count);
            let Some(points) = points.filter(|points| *points * lookups <= MOST_LOOKUPS) else { break };
            lookups *= points;
            single &= points == 1;
            equal.push(part);
            next = fields.next();
        }
        let range = next.and_then(|field| self.on(*field)).filter(|part| self.hull(*part));
        let ordered = single && self.is_sorted_by(next.into_iter().chain(fields));
        let narrows = !equal.is_empty() || range.is_some();
        (narrows || ordered).then_some((Access::Index { number, equal, range }, ordered))
    }

    /// Whether a condition has a first or a last value to begin or end at.
    fn hull(&self, part: Part) -> bool {
        use std::ops::Bound::Unbounded;
        let ends = self.spans(part).map(Spans::spans).and_then(|spans| Some((spans.first()?, spans.last()?)));
        ends.is_some_and(|(first, last)| first.low != Unbounded || last.high != Unbounded)
    }

    /// Whether entries that lie in the order of these fields, and then of the key, lie in the order that is wanted,
    /// read forwards or backwards.
    fn is_sorted_by<'f>(&self, fields: impl Iterator<Item = &'f Field>) -> bool {
        let Normal { sort, key_direction, .. } = self.normal;
        let same_way = sort.iter().all(|(_, direction)| direction == key_direction);
        same_way && fields.eq(sort.iter().map(|(field, _)| field))
    }

    /// The parts that an access leaves nothing to check of.
    fn decided(&self, access: &Access) -> Vec<Part> {
        let exact = |part: &Part| self.spans(*part).is_some_and(|spans| spans.spans().len() == 1);
        match access {
            Access::Table { keys } => {
                let points =
                    |part: &Part| self.spans(*part).is_some_and(|spans| spans.point_count().is_some());
                keys.iter().copied().filter(|part| exact(part) || points(part)).collect()
            }
            Access::Index { equal, range, .. } => {
                equal.iter().copied().chain(range.iter().copied().filter(exact)).collect()
            }
            Access::Words(parts) => parts.clone(),
            Access::Trigrams(_) => Vec::new(),
        }
    }

    /// Whether rows are wanted by falling keys where they are alike.
    pub(super) fn is_descending(&self) -> bool {
        self.normal.key_direction == Direction::Descending
    }
}

/// Words, or words one of which must be there: what one search in the text index answers exactly.
fn is_words(condition: &Condition) -> bool {
    match condition {
        Condition::Text(text) => text.mode == Mode::Words,
        Condition::Or(parts) => parts.iter().all(is_words),
        _ => false,
    }
}

/// Whether a condition is about these fields and the key alone.
fn is_within(condition: &Condition, fields: &[Field]) -> bool {
    match condition {
        Condition::Within(field, _) | Condition::Present(field) => {
            *field == Field::KEY || fields.contains(field)
        }
        Condition::Text(_) => false,
        other => other.parts().iter().all(|part| is_within(part, fields)),
    }
}

/// A piece of prose that is long enough for trigrams.
fn is_piece(condition: &Condition, outline: &Outline<'_>) -> bool {
    let Condition::Text(text) = condition else { return false };
    let schema = outline.estimator.schema;
    let in_index = text.field.is_none_or(|field| schema.kind(field) == crate::Kind::Prose);
    let long = text.text.chars().filter(|c| *c != '\0').take(TRIGRAM).count() == TRIGRAM;
    text.mode == Mode::Substring && in_index && long
}
