//! A way as a statement. The order of things is forced where SQLite would choose for itself.

use super::ways::{Access, Outline, Part, Way};
use crate::condition::Condition;
use crate::query::Direction;
use crate::schema::Field;
use crate::spans::Span;
use crate::sql::{Sql, Statement, match_expression};
use crate::value::Value;

impl Outline<'_> {
    /// The statement of a way.
    ///
    /// Ways in order stop at the limit. The others sort what is shown, or, where that is prose, only keys, and fetch the
    /// prose of the rows that are left.
    pub(super) fn statement(&self, way: &Way) -> Statement {
        let mut sql = Sql::new(self.estimator.schema);
        let key = sql.schema.column(Field::KEY);
        sql.push("SELECT ");
        sql.list(&self.normal.shown, ", ", |sql, field| sql.column(*field));
        sql.push(" FROM ");
        if way.ordered || !self.fetches_late() {
            self.rows(&mut sql, way);
            let key_of = if way.ordered { &way.access } else { &Access::Table { keys: None } };
            self.order(&mut sql, key_of);
            self.limit(&mut sql);
        } else {
            sql.push("(SELECT r.");
            sql.push(key);
            sql.push(" AS found FROM ");
            self.rows(&mut sql, way);
            self.order(&mut sql, &Access::Table { keys: None });
            self.limit(&mut sql);
            let table = &sql.schema.table;
            sql.push(&format!(") AS top CROSS JOIN {table} AS r NOT INDEXED ON r.{key} = top.found"));
            self.order(&mut sql, &Access::Table { keys: None });
        }
        Statement { sql: sql.text, values: sql.values }
    }

    /// Where rows come from, and what must hold.
    fn rows(&self, sql: &mut Sql<'_>, way: &Way) {
        let schema = sql.schema;
        let (table, key) = (&schema.table, schema.column(Field::KEY));
        match &way.access {
            Access::Table { .. } => sql.push(&format!("{table} AS r NOT INDEXED")),
            Access::Index { number, .. } => {
                let index = schema.indexes.get(*number).map_or("", |index| index.name.as_str());
                sql.push(&format!("{table} AS r INDEXED BY {index}"));
            }
            Access::Words(_) | Access::Trigrams(_) => {
                let text = text_table(sql, &way.access);
                sql.push(&format!("{text} CROSS JOIN {table} AS r NOT INDEXED ON r.{key} = {text}.rowid"));
            }
        }
        let mut before = " WHERE ";
        match &way.access {
            Access::Table { keys } => self.bounds(sql, keys.as_slice(), &mut before),
            Access::Index { equal, range, .. } => {
                self.bounds(sql, equal, &mut before);
                self.bounds(sql, range.as_slice(), &mut before);
            }
            Access::Words(parts) => self.matched(sql, &way.access, parts, &mut before),
            Access::Trigrams(part) => self.matched(sql, &way.access, &[*part], &mut before),
        }
        for condition in way.rest.iter().filter_map(|part| self.part(*part)) {
            sql.push(before);
            before = " AND ";
            sql.condition(condition, way.check);
        }
    }

    /// What an index is entered with: single values, or the span from the first value to the last.
    fn bounds(&self, sql: &mut Sql<'_>, parts: &[Part], before: &mut &str) {
        for part in parts {
            let Some(Condition::Within(field, spans)) = self.part(*part) else { continue };
            sql.push(before);
            *before = " AND ";
            if spans.point_count().is_some() {
                sql.within(*field, spans, "");
            } else if let (Some(first), Some(last)) = (spans.spans().first(), spans.spans().last()) {
                let hull = Span { low: first.low.clone(), high: last.high.clone() };
                sql.span(*field, &hull, "");
            }
        }
    }

    fn matched(&self, sql: &mut Sql<'_>, access: &Access, parts: &[Part], before: &mut &str) {
        let text = text_table(sql, access);
        sql.push(&format!("{before}{text} MATCH "));
        *before = " AND ";
        let mut conditions = parts.iter().filter_map(|part| self.part(*part));
        let expression = match (parts.len(), conditions.next()) {
            (1, Some(only)) => match_expression(sql.schema, only),
            (_, first) => {
                let all = first.into_iter().chain(conditions).cloned().collect();
                match_expression(sql.schema, &Condition::And(all))
            }
        };
        sql.bind(Value::Text(expression));
    }

    fn order(&self, sql: &mut Sql<'_>, access: &Access) {
        let sign = |direction: &Direction| match direction {
            Direction::Ascending => "",
            Direction::Descending => " DESC",
        };
        sql.push(" ORDER BY ");
        for (field, direction) in &self.normal.sort {
            sql.column(*field);
            sql.push(sign(direction));
            sql.push(", ");
        }
        match access {
            // A text index is read in the order of its rowid, which is the key.
            Access::Words(_) | Access::Trigrams(_) => {
                let text = text_table(sql, access);
                sql.push(&format!("{text}.rowid"));
            }
            _ => sql.column(Field::KEY),
        }
        sql.push(if self.is_descending() { " DESC" } else { "" });
    }

    fn limit(&self, sql: &mut Sql<'_>) {
        sql.push(" LIMIT ");
        sql.bind(Value::Integer(self.normal.limit.into()));
    }
}

fn text_table<'a>(sql: &Sql<'a>, access: &Access) -> &'a str {
    let table = match access {
        Access::Trigrams(_) => &sql.schema.trigrams,
        _ => &sql.schema.words,
    };
    table.as_deref().unwrap_or_default()
}
