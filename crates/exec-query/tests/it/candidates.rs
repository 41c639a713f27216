//! Every way to find the rows of a query finds the rows the query means, in its order, on real SQLite.

use exec_query::{Limits, Planner, Query, Schema, Statistics, Value};
use proptest::prelude::*;
use rusqlite::Connection;

use crate::store::{gather, keys};
use crate::world::{Record, database, database_of, naive_by, query, records, schema, stemmed};

/// Asks all ways there are, and the one that is chosen, on the store and in memory.
fn all_agree(
    db: &Connection,
    schema: &Schema,
    records: &[Record],
    queries: &[Query],
) -> Result<(), TestCaseError> {
    let limits = Limits { terms: 1_000, ..Limits::default() };
    let planner = Planner::new(schema.clone(), gather(db, schema)).unwrap().with_limits(limits);
    for query in queries {
        let wanted = naive_by(schema.tokenizer(), query, records);
        let text = query.render(schema);
        let candidates = planner.candidates(query).unwrap();
        prop_assert!(!candidates.is_empty());
        for plan in candidates.iter().chain([&planner.plan(query).unwrap()]) {
            let found = plan.statement().map_or(Vec::new(), |statement| keys(db, statement));
            prop_assert_eq!(&found, &wanted, "{}\n{:?}", text, plan.statement());
            let key = |row: &&Record| match &row.0[0] {
                Some(Value::Integer(key)) => *key,
                _ => -99,
            };
            let in_memory: Vec<i64> = plan.scan(schema, records).iter().map(key).collect();
            prop_assert_eq!(&in_memory, &wanted, "in memory: {}", text);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_candidate_finds_the_rows_of_the_naive_filter(
        records in records(),
        queries in proptest::collection::vec(query(), 1..12),
    ) {
        let db = database(&records);
        for check in [false, true] {
            all_agree(&db, schema(check), &records, &queries)?;
        }
    }

    #[test]
    fn and_so_it_does_where_words_are_stems(
        records in records(),
        queries in proptest::collection::vec(query(), 1..12),
    ) {
        let db = database_of(&records, stemmed(true).tokenizer(), "porter");
        for check in [false, true] {
            all_agree(&db, stemmed(check), &records, &queries)?;
        }
    }

    /// Whoever has statistics is never less sure of a choice than whoever guesses.
    #[test]
    fn a_choice_is_surer_when_less_of_it_is_guessed(
        records in records(),
        queries in proptest::collection::vec(query(), 1..12),
    ) {
        let db = database(&records);
        let schema = schema(true);
        let limits = Limits { terms: 1_000, ..Limits::default() };
        let planner = |statistics| Planner::new(schema.clone(), statistics).unwrap().with_limits(limits.clone());
        let rows = records.len() as u64;
        let (known, blind) = (planner(gather(&db, schema)), planner(Statistics::unknown(schema, rows)));
        for query in &queries {
            let (known, blind) = (known.plan(query).unwrap(), blind.plan(query).unwrap());
            let (few, many) = (known.estimate().guesses, blind.estimate().guesses);
            prop_assert!(few <= many, "{few} {many}");
            prop_assert!((0.0..=1.0).contains(&blind.confidence()));
            if few < many {
                prop_assert!(known.confidence() >= blind.confidence(), "{}", query.render(schema));
            }
            if few == 0 {
                prop_assert!(known.confidence() >= 0.5);
            }
        }
    }
}
