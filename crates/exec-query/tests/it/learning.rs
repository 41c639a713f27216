//! Statistics from a real store, and what is learnt from what really happened.

use std::time::Duration;

use exec_query::{
    Actual, Calibration, Complexity, Condition, CostModel, Feedback, Gather, Kind, Planner, Query, Schema,
    Statistics, Strategy,
};

use crate::store::{gather, keys, sqlite};
use crate::world::{Record, database, schema};
use exec_query::Value;

/// Rows of which one in ten failed; half of all say "error", and what failed says it twice as rarely as by chance.
fn records(from: i64, to: i64) -> Vec<Record> {
    let text = |id: i64| if id % 2 == 0 { "an error" } else { "all is well" };
    let record = |id: i64| {
        let status = if id % 10 == 3 { "failed" } else { "ok" };
        let prompt = if id == 77 { "zymurgy" } else { text(id) };
        Record(vec![
            Some(id.into()),
            Some(status.into()),
            Some((id * 10).into()),
            (id % 4 != 0).then(|| Value::from(id % 7)),
            None,
            None,
            Some(prompt.into()),
            None,
        ])
    };
    (from..to).map(record).collect()
}

fn insert(db: &rusqlite::Connection, records: &[Record]) {
    let mut insert = db.prepare("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)").unwrap();
    for Record(values) in records {
        let values = values.iter().map(|value| value.as_ref().map(sqlite::Bound));
        insert.execute(rusqlite::params_from_iter(values)).unwrap();
    }
    drop(insert);
    db.execute_batch("INSERT INTO runs_words(runs_words) VALUES('rebuild')").unwrap();
}

fn matching(planner: &Planner, condition: Condition) -> f64 {
    planner.plan(&Query::new(condition)).unwrap().estimate().matching
}

fn assert_near(found: f64, wanted: f64, times: f64) {
    assert!((wanted / times..=wanted * times).contains(&found), "{found} instead of {wanted}");
}

#[test]
fn what_is_gathered_is_near_the_truth() {
    let db = database(&records(0, 8_000));
    let schema = schema(true);
    let statistics = gather(&db, schema);
    assert_eq!(statistics.rows(), 8_000);
    assert!((1_900..=2_000).contains(&statistics.sampled()), "{}", statistics.sampled());
    assert_eq!(statistics.word_frequency("error"), Some(4_000));
    assert_eq!(statistics.word_frequency("zymurgy"), Some(1));
    let planner = Planner::new(schema.clone(), statistics).unwrap();
    let (status, started) = (schema.field("status").unwrap(), schema.field("started").unwrap());
    let cost = schema.field("cost").unwrap();
    assert_near(matching(&planner, Condition::equals(status, "failed")), 800.0, 1.3);
    assert_near(matching(&planner, Condition::at_least(started, 60_000_i64)), 2_000.0, 1.2);
    assert_near(matching(&planner, Condition::Present(cost)), 6_000.0, 1.1);
    assert_near(matching(&planner, Condition::equals(cost, 3_i64)), 6_000.0 / 7.0, 1.4);
    assert_near(matching(&planner, Condition::words("error")), 4_000.0, 1.01);
    assert_near(matching(&planner, !Condition::words("error")), 4_000.0, 1.01);
    assert!(matching(&planner, Condition::words("unheard")) < 2.0);
}

#[test]
fn a_refresh_looks_at_what_is_new_and_at_nothing_when_nothing_is() {
    let db = database(&records(0, 4_000));
    let schema = schema(true);
    let first = gather(&db, schema);
    let asked = |statistics: &Statistics| {
        let mut gather = Gather::refresh(schema, statistics.clone()).unwrap();
        let mut asked = Vec::new();
        while let Some(ask) = gather.next() {
            gather.answer(sqlite::rows(&db, &ask.sql, &ask.values).unwrap()).unwrap();
            asked.push(ask.sql);
        }
        (asked, gather.finish())
    };
    let (nothing, same) = asked(&first);
    assert_eq!(nothing.len(), 1, "{nothing:?}");
    assert_eq!((same.rows(), same.sampled()), (first.rows(), first.sampled()));

    // A few more rows: the words are scaled, not read.
    insert(&db, &records(4_000, 4_200));
    let (few, second) = asked(&same);
    assert_eq!(few.len(), 2, "{few:?}");
    assert_eq!(second.rows(), 4_200);
    assert_near(second.word_frequency("error").unwrap() as f64, 2_100.0, 1.01);

    // Twice as many: times that were never seen are known now, and the words are read again.
    insert(&db, &records(4_200, 8_400));
    let (many, third) = asked(&second);
    assert!(many.iter().any(|sql| sql.contains("fts5vocab")), "{many:?}");
    assert_eq!(third.word_frequency("error"), Some(4_200));
    let planner = Planner::new(schema.clone(), third).unwrap();
    let started = schema.field("started").unwrap();
    assert_near(matching(&planner, Condition::at_least(started, 42_000_i64)), 4_200.0, 1.2);
}

#[test]
fn statistics_and_what_was_learnt_survive_being_written_down() {
    let db = database(&records(0, 3_000));
    let statistics = gather(&db, schema(true));
    let written = serde_json::to_string(&statistics).unwrap();
    let read: Statistics = serde_json::from_str(&written).unwrap();
    let plan = |statistics: Statistics| {
        let planner = Planner::new(schema(true).clone(), statistics).unwrap();
        let words =
            Condition::words("error").and(Condition::equals(schema(true).field("cost").unwrap(), 3_i64));
        planner.plan(&Query::new(words)).unwrap().estimate()
    };
    assert_eq!(plan(read), plan(statistics));
    let other = Schema::builder("runs", "id").field("x", Kind::Text).build().unwrap();
    let read: Statistics = serde_json::from_str(&written).unwrap();
    assert!(Planner::new(other, read).unwrap_err().to_string().contains("another schema"));
    for model in
        [CostModel::default(), sqlite::calibrate(&db, schema(true), &gather(&db, schema(true))).unwrap()]
    {
        let again: CostModel = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert!(model.seek > 0.0 && again.seek > 0.0);
    }
}

#[test]
fn constants_are_what_was_measured_and_never_absurd() {
    let statistics = Statistics::unknown(schema(true), 100_000);
    let measured = |micros: u64| {
        let mut calibration = Calibration::new(schema(true), &statistics);
        while calibration.next().is_some() {
            calibration.answer(Duration::from_micros(micros));
        }
        calibration.finish()
    };
    let (fast, slow) = (measured(0), measured(10_000_000));
    let default = CostModel::default();
    for (fast, slow, default) in [
        (fast.seek, slow.seek, default.seek),
        (fast.index_row, slow.index_row, default.index_row),
        (fast.check_byte, slow.check_byte, default.check_byte),
    ] {
        assert!(fast > 0.0 && fast < default && slow <= 30.0 * default, "{fast} {default} {slow}");
    }
}

#[test]
fn an_estimate_that_was_far_off_is_corrected() {
    let db = database(&records(0, 4_000));
    let schema = schema(true);
    let mut planner = Planner::new(schema.clone(), gather(&db, schema)).unwrap();
    let status = schema.field("status").unwrap();
    // No failed row says "error": ids that end in 3 are odd.
    let query = Query::new(Condition::words("error").and(Condition::equals(status, "failed")));
    let plan = planner.plan(&query).unwrap();
    assert_near(plan.estimate().matching, 200.0, 1.5);
    let found = keys(&db, plan.statement().unwrap()).len() as u64;
    let took = Duration::from_micros(plan.estimate().micros as u64);
    let verdict = planner.learn(&plan, &Actual { rows: found, took });
    assert!(verdict.corrected && found == 0, "{verdict:?}");
    assert!(planner.plan(&query).unwrap().estimate().matching < 10.0);
    // Others are as they were.
    assert_near(matching(&planner, Condition::words("error")), 2_000.0, 1.1);
    assert_eq!((planner.feedback().plans, planner.feedback().off), (1, 1));

    // What was right teaches nothing.
    let right = Query::new(Condition::words("error")).limit(1_000);
    let plan = planner.plan(&right).unwrap();
    let took = Duration::from_micros(plan.estimate().micros as u64);
    let verdict = planner.learn(&plan, &Actual { rows: 1_000, took });
    assert!(!verdict.corrected && verdict.rows.is_none(), "{verdict:?}");
}

#[test]
fn a_way_that_took_far_longer_than_expected_is_left() {
    let db = database(&records(0, 4_000));
    let mut planner = Planner::new(schema(true).clone(), gather(&db, schema(true))).unwrap();
    let started = schema(true).field("started").unwrap();
    let query =
        Query::new(Condition::words("error")).sort(started, exec_query::Direction::Descending).limit(20);
    let plan = planner.plan(&query).unwrap();
    assert_eq!(*plan.strategy(), Strategy::Index("by_start".to_owned()));
    let verdict = planner.learn(&plan, &Actual { rows: 20, took: Duration::from_secs(1) });
    assert!(verdict.corrected, "{verdict:?}");
    assert_ne!(*planner.plan(&query).unwrap().strategy(), Strategy::Index("by_start".to_owned()));
}

#[test]
fn what_is_learnt_is_bounded() {
    let schema = schema(true);
    let mut planner = Planner::new(schema.clone(), Statistics::unknown(schema, 1_000_000)).unwrap();
    for n in 0..3_000 {
        let plan = planner.plan(&Query::new(Condition::words(format!("w{n}")))).unwrap();
        planner.learn(&plan, &Actual { rows: 0, took: Duration::ZERO });
    }
    let written = serde_json::to_string(planner.feedback()).unwrap();
    let kept = written.matches(':').count();
    assert!(planner.feedback().off >= 3_000 && (1_000..1_100).contains(&kept), "{kept}");
    let again: Feedback = serde_json::from_str(&written).unwrap();
    assert_eq!(again.off, planner.feedback().off);
}

#[test]
fn complexity_and_confidence_are_worked_out() {
    let db = database(&records(0, 4_000));
    let schema = schema(true);
    let planner = Planner::new(schema.clone(), gather(&db, schema)).unwrap();
    let language = exec_query::Language::new(schema, std::time::SystemTime::UNIX_EPOCH);
    let plan = |text: &str| planner.plan(&language.parse(text).unwrap()).unwrap();
    assert_eq!(plan("status:failed").complexity(), Complexity::Simple);
    assert_eq!(plan("salt and pepper").complexity(), Complexity::Moderate);
    assert_eq!(
        plan("(error OR status:ok OR (well cost>1)) ~abc -(a OR ~def)").complexity(),
        Complexity::Complex
    );
    let (sure, unsure) = (plan("id:7"), plan("~xyz cost>0.02 score>1 error"));
    assert!(
        sure.confidence() > 0.99 && unsure.confidence() < 0.99,
        "{} {}",
        sure.confidence(),
        unsure.confidence()
    );
    // Each guess halves it; a key is none.
    let blind = Planner::new(schema.clone(), Statistics::unknown(schema, 4_000)).unwrap();
    let blind = |text: &str| blind.plan(&language.parse(text).unwrap()).unwrap();
    assert_eq!(blind("error status:failed").estimate().guesses, 2);
    assert!(blind("error status:failed").confidence() <= 0.25);
    assert!(plan("error status:failed").confidence() >= 0.5);
    assert!(blind("id:7").estimate().guesses == 0 && blind("id:7").confidence() > 0.99);
    assert_eq!(plan("status:a status:b").strategy(), &Strategy::Nothing);
    assert_eq!(plan("zymurgy").strategy(), &Strategy::Words);
}

#[test]
fn statements_of_one_shape_have_one_text() {
    let schema = schema(true);
    let planner = Planner::new(schema.clone(), Statistics::unknown(schema, 100_000)).unwrap();
    let language = exec_query::Language::new(schema, std::time::SystemTime::UNIX_EPOCH);
    let shape = |text: &str| {
        let plan = planner.plan(&language.parse(text).unwrap()).unwrap();
        plan.statement().unwrap().shape()
    };
    assert_eq!(shape("status:ok error limit:5"), shape("status:failed \"time out\" limit:9"));
    // Lists of three and of four values share one.
    assert_eq!(shape("status:a,b,c"), shape("status:d,e,f,g"));
    assert_ne!(shape("status:a"), shape("status:a,b"));
}

#[test]
fn what_an_index_can_tell_costs_no_rows() {
    let schema = schema(true);
    let planner = Planner::new(schema.clone(), Statistics::unknown(schema, 100_000)).unwrap();
    let language = exec_query::Language::new(schema, std::time::SystemTime::UNIX_EPOCH);
    // Both are as rare; the cost stands in the index behind the score, the start does not.
    let micros = |text: &str| {
        let plans = planner.candidates(&language.parse(text).unwrap()).unwrap();
        let by_stream = Strategy::Index("by_stream".to_owned());
        plans.iter().find(|plan| *plan.strategy() == by_stream).unwrap().estimate().micros
    };
    assert!(micros("stream:true cost:5") * 3.0 < micros("stream:true started:@5"));
}
