//! Generated executions in SQLite: tenants and words of very different frequency, errors in what failed.

use benches::Result;
use exec_query::{Detail, FieldSpec, Kind, Schema, TimeUnit, Tokenizer};
use rusqlite::{Connection, params};

use crate::sqlite::set_up;

/// The function that checks words on a row.
const CHECK: &str = "text_has";
/// Words there are; how often each occurs falls off as its place (Zipf).
pub(crate) const VOCABULARY: usize = 20_000;
/// When the first execution started.
pub(crate) const START: i64 = 1_767_225_600_000;
/// Milliseconds between two executions, on average.
pub(crate) const EVERY: i64 = 5_000;

pub(crate) const PROVIDERS: [&str; 5] = ["openai", "anthropic", "bedrock", "gemini", "ollama"];
pub(crate) const FAILURES: [&str; 4] = [
    "upstream timeout: no first chunk within the limit",
    "rate limit exceeded, retry later",
    "connection reset by peer",
    "context length exceeded by the prompt",
];

/// SplitMix64 (Steele, Lea and Flood, 2014): the same data in every run.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A place in a list of so many, the first ones by far the likeliest.
    pub(crate) fn zipf(&mut self, many: usize) -> usize {
        ((many as f64).powf(self.share()) as usize).saturating_sub(1).min(many - 1)
    }
}

/// The word at a place: pronounceable, and no two alike.
pub(crate) fn word(place: usize) -> String {
    const SOUNDS: [&str; 20] = [
        "ba", "ce", "di", "fo", "gu", "ha", "ke", "li", "mo", "nu", "pa", "re", "si", "to", "vu", "wa", "xe",
        "yi", "zo", "jo",
    ];
    let mut word = String::new();
    let mut rest = place + 20;
    while rest > 0 {
        word.push_str(SOUNDS.get(rest % 20).copied().unwrap_or(""));
        rest /= 20;
    }
    word
}

/// In half of all prompts.
pub(crate) const COMMON: &str = "please";
/// In some twenty of 200,000.
pub(crate) const RARE: &str = "zymurgy";

pub(crate) fn schema() -> Result<Schema> {
    let built = Schema::builder("runs", "id")
        .with(FieldSpec::new("tenant", Kind::Integer).required())
        .with(FieldSpec::new("provider", Kind::Text).required())
        .with(FieldSpec::new("status", Kind::Text).required())
        .with(FieldSpec::new("started", Kind::Time(TimeUnit::Millis)).required())
        .field("cost", Kind::Decimal { digits: 6 })
        .with(FieldSpec::new("prompt", Kind::Prose).detail(Detail::Full))
        .with(FieldSpec::new("error", Kind::Prose).detail(Detail::Full))
        .index("runs_by_tenant", ["tenant", "status", "started"])
        .index("runs_by_status", ["status", "started"])
        .index("runs_by_provider", ["provider", "started"])
        .index("runs_by_start", ["started"])
        .index("runs_by_cost", ["cost"])
        .words("runs_words", Tokenizer::unicode61())
        .trigrams("runs_pieces")
        .check_function(CHECK)
        .recency("started")
        .build()?;
    Ok(built)
}

const TABLES: &str = "
    CREATE TABLE runs (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, provider TEXT NOT NULL, status TEXT NOT NULL,
                       started INTEGER NOT NULL, cost INTEGER, prompt TEXT, error TEXT);
    CREATE VIRTUAL TABLE runs_words USING fts5(prompt, error, content='runs', content_rowid='id');
    CREATE VIRTUAL TABLE runs_pieces USING fts5(prompt, error, content='runs', content_rowid='id', tokenize='trigram');
    BEGIN;";

const INDEXES: &str = "
    COMMIT;
    CREATE INDEX runs_by_tenant ON runs(tenant, status, started);
    CREATE INDEX runs_by_status ON runs(status, started);
    CREATE INDEX runs_by_provider ON runs(provider, started);
    CREATE INDEX runs_by_start ON runs(started);
    CREATE INDEX runs_by_cost ON runs(cost);
    INSERT INTO runs_words(runs_words) VALUES('rebuild');
    INSERT INTO runs_pieces(runs_pieces) VALUES('rebuild');
    INSERT INTO runs_words(runs_words) VALUES('optimize');
    INSERT INTO runs_pieces(runs_pieces) VALUES('optimize');
    ANALYZE;";

/// A database in memory with so many executions.
pub(crate) fn database(many: usize) -> Result<Connection> {
    let db = Connection::open_in_memory()?;
    db.set_prepared_statement_cache_capacity(1_024);
    db.execute_batch(TABLES)?;
    {
        let mut insert = db.prepare("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?;
        let mut random = Random(7);
        for id in 0..many as i64 {
            let failed = random.share() < 0.06;
            let status =
                if failed { if random.below(5) == 0 { "cancelled" } else { "failed" } } else { "ok" };
            let provider = PROVIDERS.get(random.zipf(PROVIDERS.len())).copied().unwrap_or("openai");
            let started = START + id * EVERY + random.below(60_000) as i64;
            let cost = (random.below(20) != 0).then(|| (random.share().powi(3) * 500_000.0) as i64);
            let error = (status == "failed").then(|| FAILURES.get(random.zipf(FAILURES.len())).copied());
            let tenant = random.zipf(1_000) as i64;
            insert.execute(params![
                id,
                tenant,
                provider,
                status,
                started,
                cost,
                prompt(&mut random),
                error
            ])?;
        }
    }
    db.execute_batch(INDEXES)?;
    set_up(&db, CHECK, schema()?.tokenizer())?;
    Ok(db)
}

fn prompt(random: &mut Random) -> String {
    let mut text = String::new();
    if random.below(2) == 0 {
        text.push_str(COMMON);
    }
    for _ in 0..8 + random.below(24) {
        text.push(' ');
        text.push_str(&word(random.zipf(VOCABULARY)));
    }
    if random.below(10_000) == 0 {
        text.push(' ');
        text.push_str(RARE);
    }
    text
}
