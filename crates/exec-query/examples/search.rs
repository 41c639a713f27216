//! Searching executions in SQLite: `cargo run -p exec-query --example search -- 'status:failed "time out" since:2h'`.
//!
//! Without an argument it shows some searches, each with its plan.
#![expect(clippy::print_stdout, reason = "an example talks to the terminal")]

mod sqlite;

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use exec_query::{Detail, FieldSpec, Gather, Kind, Language, Planner, Schema, TimeUnit, Tokenizer, Value};
use rusqlite::{Connection, params};

/// How many executions there are.
const MANY: i64 = 5_000;
/// When the last one started, in seconds.
const NOW: i64 = 1_767_225_600;

fn schema() -> Result<Schema, exec_query::Problems> {
    Schema::builder("runs", "id")
        .with(FieldSpec::new("provider", Kind::Text).required())
        .with(FieldSpec::new("status", Kind::Text).required().detail(Detail::Name))
        .with(FieldSpec::new("started", Kind::Time(TimeUnit::Seconds)).required())
        .field("cost", Kind::Decimal { digits: 6 })
        .with(FieldSpec::new("prompt", Kind::Prose).detail(Detail::Full))
        .index("runs_by_status", ["status", "started"])
        .index("runs_by_start", ["started"])
        .words("runs_words", Tokenizer::porter())
        .trigrams("runs_pieces")
        .check_function("text_has")
        .recency("started")
        .build()
}

fn database() -> rusqlite::Result<Connection> {
    let db = Connection::open_in_memory()?;
    db.execute_batch(
        "CREATE TABLE runs (id INTEGER PRIMARY KEY, provider TEXT NOT NULL, status TEXT NOT NULL,
                            started INTEGER NOT NULL, cost INTEGER, prompt TEXT);
         CREATE INDEX runs_by_status ON runs(status, started);
         CREATE INDEX runs_by_start ON runs(started);
         CREATE VIRTUAL TABLE runs_words USING fts5(prompt, content='runs', content_rowid='id', tokenize='porter');
         CREATE VIRTUAL TABLE runs_pieces USING fts5(prompt, content='runs', content_rowid='id', tokenize='trigram');
         BEGIN",
    )?;
    let mut insert = db.prepare("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)")?;
    for id in 0..MANY {
        let provider = if id % 3 == 0 { "anthropic" } else { "openai" };
        let status = if id % 40 == 7 { "failed" } else { "ok" };
        let about = if id % 200 == 7 { "why does it time out" } else { "please say hello" };
        let prompt = format!("{about}, run {id}");
        insert.execute(params![id, provider, status, NOW - (MANY - id) * 30, id * 11 % 50_000, prompt])?;
    }
    drop(insert);
    db.execute_batch(
        "COMMIT;
         INSERT INTO runs_words(runs_words) VALUES('rebuild');
         INSERT INTO runs_pieces(runs_pieces) VALUES('rebuild');",
    )?;
    Ok(db)
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (schema, db) = (schema()?, database()?);
    sqlite::set_up(&db, "text_has", schema.tokenizer())?;
    let statistics = sqlite::gather(&db, Gather::new(&schema))?;
    let model = sqlite::calibrate(&db, &schema, &statistics)?;
    let planner = Planner::new(schema.clone(), statistics)?.with_model(model);
    let now = UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs());
    let given = std::env::args().nth(1);
    let texts = match &given {
        Some(text) => vec![text.as_str()],
        None => vec![
            "status:failed \"time out\" since:1d sort:-started limit:3",
            "hello sort:-started limit:2",
            "~\"un 4999\" show:full",
            "statsu:failed",
        ],
    };
    for text in texts {
        search(&db, &planner, text, now)?;
    }
    Ok(())
}

fn search(
    db: &Connection,
    planner: &Planner,
    text: &str,
    now: SystemTime,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    println!("> {text}");
    let query = match Language::new(planner.schema(), now).parse(text) {
        Ok(query) => query,
        Err(problems) => {
            println!("{}", problems.show(text));
            return Ok(());
        }
    };
    let plan = planner.plan(&query)?;
    print!("{}", plan.explain(planner.schema()));
    if let Some(statement) = plan.statement() {
        println!("{}", statement.sql);
        for row in sqlite::run(db, statement)? {
            let shown = row.iter().map(|value| match value {
                None => "null".to_owned(),
                Some(Value::Text(text)) => text.clone(),
                Some(Value::Integer(value)) => value.to_string(),
                Some(Value::Real(value)) => value.to_string(),
            });
            println!("  {}", shown.collect::<Vec<_>>().join(" | "));
        }
    }
    println!();
    Ok(())
}
