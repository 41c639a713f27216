//! A generated workload: what people search a history of executions for.

use benches::Result;
use exec_query::{Condition, Detail, Direction, Query, Schema};

use crate::data::{COMMON, EVERY, PROVIDERS, RARE, Random, START, VOCABULARY, word};

/// Queries of every mixture of words, filters, orders and limits. Pages have 20 rows and more: what a search for one row
/// costs is luck, as it may be the first that is looked at.
pub(crate) fn queries(schema: &Schema, rows: usize, many: usize, seed: u64) -> Result<Vec<Query>> {
    let mut random = Random(seed);
    (0..many).map(|_| query(schema, rows, &mut random)).collect()
}

fn query(schema: &Schema, rows: usize, random: &mut Random) -> Result<Query> {
    let mut all = Vec::new();
    for _ in 0..[0, 1, 1, 1, 1, 2][random.below(6) as usize] {
        all.push(text(random));
    }
    for _ in 0..random.below(4) {
        all.push(filter(schema, rows, random)?);
    }
    let limit = [20, 20, 20, 50, 100, 1_000][random.below(6) as usize];
    let query = Query::new(Condition::And(all)).limit(limit).detail(Detail::Summary);
    Ok(match random.below(8) {
        0 => query.sort(schema.field("cost")?, Direction::Descending),
        1 => query.sort(schema.field("started")?, Direction::Ascending),
        2 | 3 => query,
        _ => query.sort(schema.field("started")?, Direction::Descending),
    })
}

fn text(random: &mut Random) -> Condition {
    match random.below(10) {
        0 => Condition::words(COMMON),
        1 => Condition::words(RARE),
        2 => Condition::words("timeout"),
        3 => Condition::words("rate limit"),
        4 => Condition::substring(word(20 + random.below(VOCABULARY as u64 - 20) as usize)),
        5 => Condition::words(word(VOCABULARY + 7)),
        // Any frequency is as likely as any other, on a logarithmic scale.
        _ => Condition::words(word(random.zipf(VOCABULARY))),
    }
}

fn filter(schema: &Schema, rows: usize, random: &mut Random) -> Result<Condition> {
    Ok(match random.below(6) {
        0 | 1 => Condition::equals(schema.field("tenant")?, random.zipf(1_000) as i64),
        2 => {
            let status = ["ok", "failed", "cancelled", "unheard of"][random.zipf(4)];
            Condition::equals(schema.field("status")?, status)
        }
        3 => Condition::equals(schema.field("provider")?, PROVIDERS[random.zipf(PROVIDERS.len())]),
        4 => {
            // From the last seconds to all of the time.
            let back = (rows as f64).powf(random.share()) as i64;
            Condition::at_least(schema.field("started")?, START + (rows as i64 - back) * EVERY)
        }
        _ => Condition::above(schema.field("cost")?, (random.share() * 500_000.0) as i64),
    })
}
