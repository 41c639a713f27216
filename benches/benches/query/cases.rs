//! Named searches beside what SQLite does by itself.

use benches::{Effort, Figure, Result, pair};
use exec_query::{Condition, Cursor, Direction, Planner, Query, Value};
use rusqlite::Connection;
use tokio::time::Instant;

use crate::data::{COMMON, RARE};
use crate::sqlite;

/// A search, SQLite's own way to it, and how many times faster ours has to be.
struct Case {
    name: &'static str,
    query: Query,
    sql: String,
    rival: &'static str,
    least: f64,
}

/// Who is no slower may still be slower by this much: one machine's noise in the other's favour.
const NO_SLOWER: f64 = 0.9;

const COLUMNS: &str = "r.id, r.tenant, r.provider, r.status, r.started, r.cost";

pub(crate) fn run(db: &Connection, planner: &Planner, effort: Effort) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    for case in cases(db, planner)? {
        let plan = planner.plan(&case.query)?;
        let statement = plan.statement().ok_or("there is nothing to run")?;
        let ours = sqlite::run(db, statement)?;
        let theirs = sqlite::rows(db, &case.sql, &[])?;
        if ours != theirs {
            return Err(format!("{}: {} rows here, {} there", case.name, ours.len(), theirs.len()).into());
        }
        // A search of ours is over too soon to be measured alone.
        let times = 16;
        let time = |sql: &str, values: &[Value], times: u32| -> f64 {
            let start = Instant::now();
            for _ in 0..times {
                std::hint::black_box(sqlite::rows(db, sql, values).map_or(0, |rows| rows.len()));
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
        };
        let slow = time(&case.sql, &[], 1) > 2_000.0;
        let pair = pair(
            effort.pick(31, 9, 1),
            || time(&statement.sql, &statement.values, times),
            || time(&case.sql, &[], if slow { 1 } else { times }),
        );
        Figure::of("query", case.name, pair, "us", case.rival).print();
        let faster = 1.0 / pair.ratio;
        println!(
            "query: {}: {faster:.1} times as fast as {}, {} rows, by {}",
            case.name,
            case.rival,
            ours.len(),
            plan.strategy()
        );
        if faster < case.least {
            missed.push(format!(
                "{}: {faster:.1} times as fast as {}, not {}",
                case.name, case.rival, case.least
            ));
        }
    }
    Ok(missed)
}

fn cases(db: &Connection, planner: &Planner) -> Result<Vec<Case>> {
    let schema = planner.schema();
    let (tenant, status, started) =
        (schema.field("tenant")?, schema.field("status")?, schema.field("started")?);
    let newest = |condition| Query::new(condition).sort(started, Direction::Descending).limit(20);
    let narrow = Condition::equals(tenant, 300_i64).and(Condition::equals(status, "failed"));
    let search = |word: &str, filter: &str| {
        format!(
            "SELECT {COLUMNS} FROM runs_words JOIN runs AS r ON r.id = runs_words.rowid \
             WHERE runs_words MATCH '\"{word}\"'{filter} ORDER BY r.started DESC, r.id DESC LIMIT 20"
        )
    };
    let piece = "ymurg";
    Ok(vec![
        Case {
            name: "common word, narrow",
            query: newest(Condition::words(COMMON).and(narrow)),
            sql: search(COMMON, " AND r.tenant = 300 AND r.status = 'failed'"),
            rival: "sqlite",
            least: 50.0,
        },
        Case {
            name: "common word, newest 20",
            query: newest(Condition::words(COMMON)),
            sql: search(COMMON, ""),
            rival: "sqlite",
            least: 500.0,
        },
        Case {
            name: "rare word, newest 20",
            query: newest(Condition::words(RARE)),
            sql: search(RARE, ""),
            rival: "sqlite",
            least: NO_SLOWER,
        },
        Case {
            name: "substring",
            query: newest(Condition::substring(piece)),
            sql: format!(
                "SELECT {COLUMNS} FROM runs AS r WHERE r.prompt LIKE '%{piece}%' OR r.error LIKE '%{piece}%' \
                 ORDER BY r.started DESC, r.id DESC LIMIT 20"
            ),
            rival: "LIKE",
            least: 100.0,
        },
        page(db, planner)?,
    ])
}

/// The page behind half of all rows.
fn page(db: &Connection, planner: &Planner) -> Result<Case> {
    let started = planner.schema().field("started")?;
    let half = planner.statistics().rows() / 2;
    let order = "ORDER BY r.started DESC, r.id DESC LIMIT 20";
    let sql = format!("SELECT {COLUMNS} FROM runs AS r {order} OFFSET {half}");
    let place = sqlite::rows(
        db,
        &format!(
            "SELECT r.started, r.id FROM runs AS r ORDER BY r.started DESC, r.id DESC LIMIT 1 OFFSET {}",
            half - 1
        ),
        &[],
    )?;
    let Some([Some(at), Some(Value::Integer(key))]) = place.first().map(Vec::as_slice) else {
        return Err("there is no such page".into());
    };
    let cursor = Cursor { values: vec![Some(at.clone())], key: *key };
    let query = Query::new(Condition::Always).sort(started, Direction::Descending).limit(20).after(cursor);
    Ok(Case { name: "page after half", query, sql, rival: "OFFSET", least: 10.0 })
}
