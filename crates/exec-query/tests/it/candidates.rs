//! Every way to find the rows of a query finds the rows the query means, in its order, on real SQLite.

use exec_query::{Limits, Planner};
use proptest::prelude::*;

use crate::store::{gather, keys};
use crate::world::{database, naive, query, records, schema};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_candidate_finds_the_rows_of_the_naive_filter(
        records in records(),
        queries in proptest::collection::vec(query(), 1..12),
    ) {
        let db = database(&records);
        for check in [false, true] {
            let schema = schema(check);
            let limits = Limits { terms: 1_000, ..Limits::default() };
            let planner = Planner::new(schema.clone(), gather(&db, schema)).unwrap().with_limits(limits);
            for query in &queries {
                let wanted = naive(query, &records);
                let text = query.render(schema);
                let candidates = planner.candidates(query).unwrap();
                prop_assert!(!candidates.is_empty());
                for plan in candidates.iter().chain([&planner.plan(query).unwrap()]) {
                    let found = plan.statement().map_or(Vec::new(), |statement| keys(&db, statement));
                    prop_assert_eq!(&found, &wanted, "{}\n{:?}", text, plan.statement());
                    let in_memory: Vec<i64> = plan
                        .scan(schema, &records)
                        .iter()
                        .map(|row| match &row.0[0] { Some(exec_query::Value::Integer(key)) => *key, _ => -99 })
                        .collect();
                    prop_assert_eq!(&in_memory, &wanted, "in memory: {}", text);
                }
            }
        }
    }
}
