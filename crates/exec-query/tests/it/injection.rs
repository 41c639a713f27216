//! What users write is never syntax: it is an error, or it is looked for letter by letter.

use exec_query::{Condition, Language, Limits, Planner, Query, Value};

use crate::store::{gather, keys};
use crate::world::{Record, database, naive, schema};

/// Text that means something to SQL, to FTS5, or to a string that ends at NUL.
const CORPUS: [&str; 34] = [
    "'; DROP TABLE runs; --",
    "\"; DROP TABLE runs; --",
    "' OR '1'='1",
    "1 OR 1=1",
    "x') UNION SELECT sql FROM sqlite_master --",
    "?1",
    ":name",
    "@name",
    "$name",
    "NEAR(time out, 5)",
    "NEAR",
    "time AND out",
    "time OR nothing",
    "time NOT out",
    "tim*",
    "time*",
    "^time",
    "prompt: time",
    "{prompt message}: time",
    "- prompt : time",
    "time + out",
    "\"time",
    "time\"",
    "\"\"",
    "\" OR \"a\" OR \"",
    "(time",
    ")",
    "time\0out",
    "\0",
    "\0\" OR a",
    "\u{feff}time",
    "time\u{0}*",
    "%",
    "\\",
];

fn world() -> Vec<Record> {
    let texts = [
        "time out",
        "nothing of the kind",
        "time\0out",
        "a timely OR",
        "'; DROP TABLE runs; --",
        "100 % \\ \"x\"",
    ];
    let all = texts.iter().chain(&CORPUS).enumerate();
    let record = |(at, text): (usize, &&str)| {
        let text = Some(Value::from(*text));
        let id = Some(Value::from(at as i64));
        Record(vec![id, text.clone(), Some(0.into()), None, None, None, text.clone(), None])
    };
    all.map(record).collect()
}

fn assert_literal(query: &Query, planner: &Planner, db: &rusqlite::Connection, records: &[Record]) {
    let wanted = naive(query, records);
    for plan in planner.candidates(query).unwrap() {
        let found = plan.statement().map_or(Vec::new(), |statement| keys(db, statement));
        assert_eq!(found, wanted, "{query:?} by {:?}", plan.statement());
    }
}

#[test]
fn text_is_looked_for_letter_by_letter() {
    let records = world();
    let db = database(&records);
    let status = schema(true).field("status").unwrap();
    let prompt = schema(true).field("prompt").unwrap();
    for check in [false, true] {
        let planner = Planner::new(schema(check).clone(), gather(&db, schema(check))).unwrap();
        for text in CORPUS {
            let as_value = Query::new(Condition::equals(status, text));
            assert!(!naive(&as_value, &records).is_empty(), "{text}");
            for condition in [
                Condition::equals(status, text),
                Condition::words(text),
                Condition::words_in(prompt, text),
                Condition::substring(text),
                Condition::substring_in(status, text),
                Condition::words("time").and(!Condition::words(text)),
            ] {
                assert_literal(&Query::new(condition), &planner, &db, &records);
            }
        }
        // Everything is still there.
        let all = naive(&Query::new(Condition::Always), &records).len();
        let left: i64 = db.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap();
        assert_eq!(left, all as i64);
    }
}

#[test]
fn the_language_passes_it_on_as_text_or_says_what_is_wrong() {
    let records = world();
    let db = database(&records);
    let planner = Planner::new(schema(true).clone(), gather(&db, schema(true))).unwrap();
    let language = Language::new(schema(true), std::time::SystemTime::UNIX_EPOCH);
    for text in CORPUS {
        let quoted = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        for written in
            [text.to_owned(), quoted.clone(), format!("status:{quoted}"), format!("message~{quoted}")]
        {
            match language.parse(&written) {
                Ok(query) => assert_literal(&query, &planner, &db, &records),
                Err(problems) => assert!(!problems.show(&written).is_empty()),
            }
        }
    }
}

#[test]
fn what_is_huge_or_deep_is_refused_before_any_work() {
    let language = Language::new(schema(true), std::time::SystemTime::UNIX_EPOCH);
    let megabyte = 1 << 20;
    for text in ["a".repeat(megabyte), "(".repeat(megabyte), "\"".repeat(megabyte), "a:".repeat(megabyte / 2)]
    {
        let problems = language.parse(&text).unwrap_err();
        assert!(problems.to_string().contains("8192 are the most"), "{problems}");
    }
    let wide = Language::new(schema(true), std::time::SystemTime::UNIX_EPOCH).limits(Limits {
        bytes: 2 * megabyte,
        depth: usize::MAX,
        terms: usize::MAX,
        ..Limits::default()
    });
    for text in ["(".repeat(megabyte), "-".repeat(megabyte) + "a", "a OR (".repeat(megabyte / 8)] {
        assert!(wide.parse(&text).unwrap_err().to_string().contains("deep"));
    }
    // A text of a megabyte is no word anybody wrote.
    let planner =
        Planner::new(schema(true).clone(), exec_query::Statistics::unknown(schema(true), 10)).unwrap();
    assert!(planner.plan(&Query::new(Condition::words("a".repeat(megabyte)))).is_err());
}

#[test]
fn conditions_made_by_a_program_are_within_the_limits_too() {
    let planner =
        Planner::new(schema(true).clone(), exec_query::Statistics::unknown(schema(true), 10)).unwrap();
    let status = schema(true).field("status").unwrap();
    let deep = (0..1_000).fold(Condition::Always, |inner, _| !inner);
    let wide = Condition::Or((0..100_000).map(|n: i64| Condition::words(n.to_string())).collect());
    let many = Condition::one_of(status, (0..10_000_i64).map(|n| n.to_string()));
    for condition in [deep, wide, many, Condition::equals(status, 1_i64)] {
        assert!(planner.plan(&Query::new(condition)).is_err());
    }
}
