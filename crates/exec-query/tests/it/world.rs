//! Random rows, random queries over them, and the naive filter that says which rows a query means.

use std::cmp::Ordering;
use std::sync::LazyLock;

use exec_query::{
    Cell, Condition, Cursor, Detail, Direction, Field, FieldSpec, Kind, Mode, Phrase, Query, Row, Schema,
    Span, Spans, Text, TimeUnit, Tokenizer, Value,
};
use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::Connection;

use crate::store::sqlite::{Bound, set_up};

/// The name of the function that checks words.
const CHECK: &str = "text_has";
/// Few values and words, so that conditions meet rows.
const STATUS: [&str; 4] = ["ok", "failed", "Failed", "it's \"x\""];
const WORDS: [&str; 12] = [
    "error",
    "timeout",
    "time",
    "out",
    "Éclair",
    "eclair",
    "running",
    "run",
    "a",
    "naïve\u{301}",
    "x-ray",
    "a\0b",
];

#[derive(Clone, Debug)]
pub(crate) struct Record(pub(crate) Vec<Option<Value>>);

impl Row for Record {
    fn cell(&self, field: Field) -> Cell<'_> {
        let at = schema(false).fields().position(|each| each == field).unwrap();
        self.0[at].as_ref().map_or(Cell::Null, Value::as_cell)
    }
}

fn describe(check: bool, tokenizer: Tokenizer) -> Schema {
    let schema = Schema::builder("runs", "id")
        .field("status", Kind::Text)
        .with(FieldSpec::new("started", Kind::Time(TimeUnit::Seconds)).required())
        .field("cost", Kind::Decimal { digits: 2 })
        .with(FieldSpec::new("score", Kind::Real).detail(Detail::Full))
        .with(FieldSpec::new("stream", Kind::Bool).column("is_stream"))
        .with(FieldSpec::new("prompt", Kind::Prose).detail(Detail::Full))
        .with(FieldSpec::new("message", Kind::Prose))
        .index("by_status", ["status", "started"])
        .index("by_start", ["started"])
        .index("by_cost", ["cost"])
        .index("by_stream", ["stream", "score", "cost"])
        .words("runs_words", tokenizer)
        .trigrams("runs_pieces")
        .recency("started");
    let schema = if check { schema.check_function(CHECK) } else { schema };
    schema.build().unwrap()
}

/// The schema, with or without the function that checks words on a row.
pub(crate) fn schema(check: bool) -> &'static Schema {
    static BOTH: LazyLock<[Schema; 2]> =
        LazyLock::new(|| [false, true].map(|check| describe(check, Tokenizer::unicode61())));
    &BOTH[usize::from(check)]
}

/// The same with words cut down to their stems.
pub(crate) fn stemmed(check: bool) -> &'static Schema {
    static BOTH: LazyLock<[Schema; 2]> =
        LazyLock::new(|| [false, true].map(|check| describe(check, Tokenizer::porter())));
    &BOTH[usize::from(check)]
}

/// A database with these rows.
pub(crate) fn database(records: &[Record]) -> Connection {
    database_of(records, schema(true).tokenizer(), "unicode61")
}

/// A database whose text index cuts words as the tokenizer does, which FTS5 knows by this name.
pub(crate) fn database_of(records: &[Record], tokenizer: &Tokenizer, name: &str) -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(&format!(
        "CREATE TABLE runs (id INTEGER PRIMARY KEY, status TEXT, started INTEGER NOT NULL, cost INTEGER,
                            score REAL, is_stream INTEGER, prompt TEXT, message TEXT);
         CREATE INDEX by_status ON runs(status, started);
         CREATE INDEX by_start ON runs(started);
         CREATE INDEX by_cost ON runs(cost);
         CREATE INDEX by_stream ON runs(is_stream, score, cost);
         CREATE VIRTUAL TABLE runs_words USING fts5(prompt, message, content='runs', content_rowid='id',
                                                    tokenize='{name}');
         CREATE VIRTUAL TABLE runs_pieces USING fts5(prompt, message, content='runs', content_rowid='id',
                                                     tokenize='trigram');",
    ))
    .unwrap();
    {
        let mut insert = db.prepare("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)").unwrap();
        for Record(values) in records {
            let values = values.iter().map(|value| value.as_ref().map(Bound));
            insert.execute(rusqlite::params_from_iter(values)).unwrap();
        }
    }
    db.execute_batch(
        "INSERT INTO runs_words(runs_words) VALUES('rebuild');
         INSERT INTO runs_pieces(runs_pieces) VALUES('rebuild');
         ANALYZE;",
    )
    .unwrap();
    set_up(&db, CHECK, tokenizer).unwrap();
    db
}

fn prose() -> impl Strategy<Value = String> {
    vec(prop::sample::select(&WORDS[..]), 0..8).prop_map(|words| words.join(" "))
}

/// A value of a field; real numbers and amounts are few, so that some are equal.
fn value(field: usize) -> BoxedStrategy<Value> {
    match field {
        0 => (-3..40_i64).prop_map(Value::from).boxed(),
        1 => prop::sample::select(&STATUS[..]).prop_map(Value::from).boxed(),
        2 | 3 => (0..12_i64).prop_map(Value::from).boxed(),
        4 => (0..6_i32).prop_map(|value| Value::from(f64::from(value) / 2.0)).boxed(),
        5 => any::<bool>().prop_map(Value::from).boxed(),
        _ => prose().prop_map(Value::from).boxed(),
    }
}

pub(crate) fn records() -> impl Strategy<Value = Vec<Record>> {
    let field = |at: usize| {
        let some = value(at).prop_map(Some);
        if at == 2 { some.boxed() } else { prop_oneof![4 => some, 1 => Just(None)].boxed() }
    };
    let rest: Vec<_> = (1..8).map(field).collect();
    vec(rest, 0..40).prop_map(|all| {
        let numbered = all.into_iter().enumerate();
        let record = |(at, values): (usize, Vec<Option<Value>>)| {
            Record([Some(Value::from(at as i64 * 3 % 41))].into_iter().chain(values).collect())
        };
        numbered.map(record).collect()
    })
}

fn field(at: usize) -> Field {
    schema(false).fields().nth(at).unwrap()
}

fn spans(at: usize) -> impl Strategy<Value = Spans> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let bound =
        move || prop_oneof![Just(Unbounded), value(at).prop_map(Included), value(at).prop_map(Excluded)];
    let span = (bound(), bound()).prop_map(|(low, high)| Span { low, high });
    prop_oneof![
        3 => vec(value(at), 0..4).prop_map(Spans::points),
        1 => vec(value(at), 1..3).prop_map(|values| Spans::points(values).complement()),
        3 => span.prop_map(|span| Spans::of([span])),
        1 => (value(at), value(at)).prop_map(|(a, b)| Spans::below(a).union(&Spans::above(b))),
    ]
}

fn text() -> impl Strategy<Value = Condition> {
    let odd =
        prop::sample::select(&["\"", "a* OR b", "-", "NEAR(", "é", "imeo", "OUT", "\0", "a\0b", "ro"][..]);
    let words = prop_oneof![
        3 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned),
        2 => vec(prop::sample::select(&WORDS[..]), 2..3).prop_map(|words| words.join(" ")),
        1 => odd.prop_map(str::to_owned),
    ];
    (words, any::<bool>(), 0..4_usize).prop_map(|(text, piece, place)| {
        let mode = if piece { Mode::Substring } else { Mode::Words };
        let fields = [None, None, Some(field(6)), Some(field(7))];
        Condition::Text(Text { field: fields[place], mode, text })
    })
}

pub(crate) fn condition() -> impl Strategy<Value = Condition> {
    let within =
        (0..6_usize).prop_flat_map(|at| spans(at).prop_map(move |spans| Condition::Within(field(at), spans)));
    let piece = prop::sample::select(&["ail", "OK", "'"][..])
        .prop_map(|text| Condition::substring_in(field(1), text));
    let leaf = prop_oneof![
        6 => within,
        3 => text(),
        1 => piece,
        1 => (0..8_usize).prop_map(|at| Condition::Present(field(at))),
        1 => prop_oneof![Just(Condition::Always), Just(Condition::Never)],
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            3 => vec(inner.clone(), 0..4).prop_map(Condition::And),
            2 => vec(inner.clone(), 0..4).prop_map(Condition::Or),
            2 => inner.prop_map(|inner| !inner),
        ]
    })
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)]
}

pub(crate) fn query() -> impl Strategy<Value = Query> {
    // Most real queries are a few conditions that must all hold.
    let plain = vec(condition(), 1..4).prop_map(Condition::And);
    let condition = prop_oneof![plain, condition()];
    let sort = vec((0..6_usize, direction()), 0..3);
    let limit = prop_oneof![3 => (0..15_u32).prop_map(Some), 1 => Just(None)];
    let details = prop::sample::select(&[Detail::Name, Detail::Summary, Detail::Full][..]);
    (condition, sort, limit, details, value_of_any(), prop::option::weighted(0.3, 0..40_i64)).prop_map(
        |(condition, sort, limit, detail, places, after)| {
            let mut query = Query::new(condition).detail(detail);
            for (at, direction) in &sort {
                query = query.sort(field(*at), *direction);
            }
            query.limit = limit;
            if let Some(key) = after {
                // A cursor is the place of one row: what a field holds does not depend on where it is asked for.
                let value = |(at, _): &(usize, Direction)| match at {
                    0 => Some(Value::from(key)),
                    at => places[*at].clone(),
                };
                query = query.after(Cursor { values: sort.iter().map(value).collect(), key });
            }
            query
        },
    )
}

/// A value for each field that can be sorted by, sometimes null.
fn value_of_any() -> impl Strategy<Value = Vec<Option<Value>>> {
    let of = |at: usize| match at {
        0 | 2 => value(at).prop_map(Some).boxed(),
        _ => prop::option::weighted(0.8, value(at)).boxed(),
    };
    (0..6).map(of).collect::<Vec<_>>()
}

/// What a condition says of a row, written down as plainly as can be.
pub(crate) fn holds(condition: &Condition, row: &Record) -> Option<bool> {
    holds_by(schema(false).tokenizer(), condition, row)
}

fn holds_by(tokenizer: &Tokenizer, condition: &Condition, row: &Record) -> Option<bool> {
    let holds = |part: &Condition, row: &Record| holds_by(tokenizer, part, row);
    match condition {
        Condition::Always => Some(true),
        Condition::Never => Some(false),
        Condition::Within(field, spans) => {
            let cell = row.cell(*field);
            (cell != Cell::Null).then(|| spans.spans().iter().any(|span| in_span(cell, span)))
        }
        Condition::Present(field) => Some(row.cell(*field) != Cell::Null),
        Condition::Text(text) => Some(has(tokenizer, text, row)),
        Condition::And(parts) => {
            let all: Vec<_> = parts.iter().map(|part| holds(part, row)).collect();
            if all.contains(&Some(false)) {
                Some(false)
            } else if all.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Condition::Or(parts) => {
            let any: Vec<_> = parts.iter().map(|part| holds(part, row)).collect();
            if any.contains(&Some(true)) {
                Some(true)
            } else if any.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
        Condition::Not(inner) => holds(inner, row).map(|holds| !holds),
    }
}

fn in_span(cell: Cell<'_>, span: &Span) -> bool {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let value = cell.to_value().unwrap();
    let low = match &span.low {
        Unbounded => true,
        Included(low) => value >= *low,
        Excluded(low) => value > *low,
    };
    low && match &span.high {
        Unbounded => true,
        Included(high) => value <= *high,
        Excluded(high) => value < *high,
    }
}

fn has(tokenizer: &Tokenizer, text: &Text, row: &Record) -> bool {
    let fields = text.field.map_or(vec![field(6), field(7)], |field| vec![field]);
    fields.into_iter().filter_map(|field| row.cell(field).text()).any(|found| match text.mode {
        Mode::Words => Phrase::new(tokenizer, &text.text).is_in(found),
        Mode::Substring => found.to_ascii_lowercase().contains(&text.text.to_ascii_lowercase()),
    })
}

/// The keys a query means, in order.
pub(crate) fn naive(query: &Query, records: &[Record]) -> Vec<i64> {
    naive_by(schema(false).tokenizer(), query, records)
}

/// The same where words are what this tokenizer makes of text.
pub(crate) fn naive_by(tokenizer: &Tokenizer, query: &Query, records: &[Record]) -> Vec<i64> {
    let sort: Vec<_> = query.sort.iter().copied().chain([(Field::KEY, query.key_direction())]).collect();
    let turned =
        |order: Ordering, direction| if direction == Direction::Descending { order.reverse() } else { order };
    let by = |a: &dyn Fn(Field) -> Option<Value>, b: &dyn Fn(Field) -> Option<Value>| {
        sort.iter()
            .map(|(field, direction)| turned(a(*field).cmp(&b(*field)), *direction))
            .find(|o| o.is_ne())
    };
    let of = |row: &Record| {
        let row = row.clone();
        move |field| row.cell(field).to_value()
    };
    let mut found: Vec<&Record> =
        records.iter().filter(|row| holds_by(tokenizer, &query.condition, row) == Some(true)).collect();
    found.sort_by(|a, b| by(&of(a), &of(b)).unwrap_or(Ordering::Equal));
    if let Some(cursor) = &query.after {
        let place = |field: Field| match query.sort.iter().position(|(sorted, _)| *sorted == field) {
            Some(at) => cursor.values[at].clone(),
            None => Some(Value::from(cursor.key)),
        };
        found.retain(|row| by(&of(row), &place) == Some(Ordering::Greater));
    }
    let key = |row: &Record| match row.cell(Field::KEY) {
        Cell::Integer(key) => key,
        _ => panic!("no key"),
    };
    found.into_iter().take(query.limit.unwrap_or(1_000) as usize).map(key).collect()
}
