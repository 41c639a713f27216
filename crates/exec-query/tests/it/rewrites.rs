//! Each rewrite keeps the rows and is done after the first time.

use exec_query::{
    Condition, constants, contradictions, duplicates, flatten, merge_ranges, negations_inward, normalise,
    sets_from_alternatives,
};
use proptest::prelude::*;

use crate::world::{Record, condition, holds, records, schema};

/// The rows for which a condition is true.
fn found<'a>(condition: &Condition, records: &'a [Record]) -> Vec<&'a Record> {
    records.iter().filter(|row| holds(condition, row) == Some(true)).collect()
}

fn same_rows(before: &Condition, after: &Condition, records: &[Record]) -> Result<(), TestCaseError> {
    let keys = |condition| found(condition, records).iter().map(|row| row.0[0].clone()).collect::<Vec<_>>();
    prop_assert_eq!(keys(before), keys(after), "{:?}\n{:?}", before, after);
    Ok(())
}

/// The same verdict on every row, unknown ones included.
fn same_verdicts(before: &Condition, after: &Condition, records: &[Record]) -> Result<(), TestCaseError> {
    for row in records {
        prop_assert_eq!(holds(before, row), holds(after, row), "{:?}\n{:?}", before, after);
    }
    Ok(())
}

fn texts(condition: &Condition, all: &mut Vec<String>) {
    match condition {
        Condition::Text(text) => all.push(text.text.clone()),
        Condition::And(parts) | Condition::Or(parts) => parts.iter().for_each(|part| texts(part, all)),
        Condition::Not(inner) => texts(inner, all),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn exact_ones_keep_every_verdict(condition in condition(), records in records()) {
        for rewrite in [flatten, negations_inward, merge_ranges, sets_from_alternatives, duplicates] {
            let once = rewrite(condition.clone());
            same_verdicts(&condition, &once, &records)?;
            prop_assert_eq!(rewrite(once.clone()), once);
        }
    }

    #[test]
    fn the_others_keep_the_rows(condition in condition(), records in records()) {
        let condition = negations_inward(condition);
        let folded = constants(condition.clone(), schema(true));
        same_rows(&condition, &folded, &records)?;
        prop_assert_eq!(constants(folded.clone(), schema(true)), folded);
        let consistent = contradictions(condition.clone());
        same_rows(&condition, &consistent, &records)?;
        prop_assert_eq!(contradictions(consistent.clone()), consistent);
    }

    #[test]
    fn all_together_keep_the_rows_and_every_text(condition in condition(), records in records()) {
        let normal = normalise(condition.clone(), schema(true));
        same_rows(&condition, &normal, &records)?;
        prop_assert_eq!(normalise(normal.clone(), schema(true)), normal.clone());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        texts(&condition, &mut before);
        texts(&normal, &mut after);
        for text in after {
            prop_assert!(before.contains(&text), "{text:?} is new");
        }
    }
}

#[test]
fn what_they_are_for() {
    let schema = schema(true);
    let normal = |text: &str| {
        let language = exec_query::Language::new(schema, std::time::SystemTime::UNIX_EPOCH);
        let mut query = language.parse(text).unwrap();
        query.condition = normalise(query.condition, schema);
        query.render(schema)
    };
    for (before, after) in [
        ("(status:a (cost>1 (cost<=3)))", "status:a cost:1.01..3"),
        ("-(status:a OR -cost>1)", "status!=a cost>1"),
        ("status:a OR status:b OR status:a", "status:a,b"),
        ("status:a status:b", "-*"),
        ("-stream:true", "stream:false"),
        ("has:started error", "error"),
        ("\"the who\" -* OR \"the who\"", "\"the who\""),
        ("\"- -\"", "-*"),
        ("error -error", "-*"),
        ("has:cost cost<5", "cost<5"),
        ("stream:true OR stream:false", "has:stream"),
    ] {
        assert_eq!(normal(before), after, "{before}");
    }
}
