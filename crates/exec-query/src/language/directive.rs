//! What is no condition: `sort:`, `limit:`, `show:` and `after:`.

use std::ops::Range;

use super::lexer::{Atom, Item, Op};
use super::literal::Literal;
use super::parser::Parser;
use crate::condition::Condition;
use crate::problem::Problem;
use crate::query::{Cursor, Detail, Direction, Query};
use crate::schema::{Field, Kind};

/// The directives found so far; what they mean is seen at the end, as a cursor needs the sort.
#[derive(Debug, Default)]
pub(super) struct Directives {
    sort: Option<Vec<Atom>>,
    limit: Option<Atom>,
    show: Option<Atom>,
    after: Option<(Range<usize>, Vec<Atom>)>,
}

impl Parser<'_, '_> {
    pub(super) fn directive(
        &mut self,
        at: Range<usize>,
        name: Range<usize>,
        op: Op,
        items: Vec<Item>,
        top: bool,
    ) {
        let word = self.text.get(name.clone()).unwrap_or("");
        if !top {
            let hint = "move it out of the parentheses";
            return self.problem(Problem::at(at, format!("{word}: holds for the whole query")).hint(hint));
        }
        let plain = |item: Item| if item.is_range { None } else { item.low };
        let atoms: Option<Vec<Atom>> = items.into_iter().map(plain).collect();
        let (Some(mut atoms), Op::In) = (atoms, op) else {
            let hint = format!("write {word}:value");
            return self.problem(Problem::at(at, format!("{word}: takes a value behind a colon")).hint(hint));
        };
        let is_list = matches!(word, "sort" | "after");
        if !is_list && atoms.len() > 1 {
            return self
                .problem(Problem::at(at, format!("{word}: takes one value")).hint("remove the others"));
        }
        let directives = &mut self.directives;
        let twice = match word {
            "sort" => directives.sort.replace(atoms).is_some(),
            "limit" => std::mem::replace(&mut directives.limit, atoms.pop()).is_some(),
            "show" => std::mem::replace(&mut directives.show, atoms.pop()).is_some(),
            _ => directives.after.replace((at, atoms)).is_some(),
        };
        if twice {
            self.problem(Problem::at(name, format!("{word}: is there twice")).hint("remove one"));
        }
    }

    /// The query of a condition and the directives beside it.
    pub(super) fn directives(&mut self, condition: Condition) -> Query {
        let Directives { sort, limit, show, after } = std::mem::take(&mut self.directives);
        let mut query = Query::new(condition);
        for atom in sort.unwrap_or_default() {
            query.sort.extend(self.sort_field(&atom));
        }
        if let Some(atom) = limit {
            query.limit = atom.text.parse().ok();
            if query.limit.is_none() {
                let hint = "write limit:20";
                self.problem(Problem::at(atom.at, "this is not a number of rows").hint(hint));
            }
        }
        query.detail = show.map_or(Detail::default(), |atom| self.detail(atom));
        query.after = after.and_then(|(at, atoms)| self.cursor(at, &atoms, &query.sort));
        query
    }

    fn sort_field(&mut self, atom: &Atom) -> Option<(Field, Direction)> {
        let descending = atom.text.strip_prefix('-');
        let name = descending.unwrap_or(&atom.text);
        let Some(field) = self.language.schema.find(name) else {
            let mut problem = self.language.schema.unknown(name);
            problem.at = Some(atom.at.clone());
            self.problem(problem);
            return None;
        };
        if self.language.schema.kind(field) == Kind::Prose {
            self.problem(
                Problem::at(atom.at.clone(), format!("{name} is prose: it has no order"))
                    .hint("sort by another field"),
            );
        }
        let direction = if descending.is_some() { Direction::Descending } else { Direction::Ascending };
        Some((field, direction))
    }

    fn detail(&mut self, atom: Atom) -> Detail {
        match atom.text.as_str() {
            "name" => Detail::Name,
            "summary" => Detail::Summary,
            "full" => Detail::Full,
            _ => {
                let hint = "write name, summary or full";
                self.problem(Problem::at(atom.at, "this is no level of detail").hint(hint));
                Detail::default()
            }
        }
    }

    fn cursor(&mut self, at: Range<usize>, atoms: &[Atom], sort: &[(Field, Direction)]) -> Option<Cursor> {
        let (last, values) = atoms.split_last()?;
        if values.len() != sort.len() {
            let message = format!("a place in this sort has {} values", sort.len() + 1);
            let hint = "take the cursor of the page before, and the same sort";
            self.problem(Problem::at(at, message).hint(hint));
            return None;
        }
        let mut read = Vec::with_capacity(values.len());
        for (atom, (field, _)) in values.iter().zip(sort) {
            read.push(self.place_value(atom, *field)?);
        }
        match self.place_value(last, Field::KEY)? {
            Some(crate::Value::Integer(key)) => Some(Cursor { values: read, key }),
            _ => {
                self.problem(Problem::at(last.at.clone(), "a place ends with a key"));
                None
            }
        }
    }

    /// A value of a cursor; `null` without quotes is null.
    fn place_value(&mut self, atom: &Atom, field: Field) -> Option<Option<crate::Value>> {
        if atom.text == "null" && !atom.quoted {
            return Some(None);
        }
        match self.literal(self.language.schema.kind(field), atom)? {
            Literal::One(value) => Some(Some(value)),
            Literal::Day(day) => Some(Some(crate::Value::Integer(day.first))),
        }
    }
}
