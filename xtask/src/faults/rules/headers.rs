//! What of a caller's request reaches a provider: nothing that says who the caller is or how the hop was made.

use super::{LIMIT, house};
use crate::faults::house::{KEYS, Wire};
use crate::faults::verdict::Checks;
use crate::lab::{Call, Dialect, Lab};
use crate::shell::Result;
use xtask::upstream::Seen;

const CANARY: &str = "sk-canary-of-caller";

/// Headers that must not go on, each with a value that would betray itself.
const PRIVATE: [&str; 18] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
    "forwarded",
    "via",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "x-private",
    "referer",
];

pub(super) async fn run(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    let house = house(lab, wire, "", "", "").await?;
    for dialect in Dialect::ALL {
        for stream in [true, false] {
            let mut call = Call::ask(dialect, "first/well", stream).with_header("idempotency-key", "key-1");
            for name in PRIVATE {
                call = call.with_header(name, &format!("{CANARY}-{name}"));
            }
            house.first.reset();
            let heard = house.gateway.client().send(&call, LIMIT).await;
            checks.must(heard.status == 200, || format!("{}: status {}", dialect.name(), heard.status));
            let seen = house.first.last();
            checks.must(seen.len() == 1, || format!("{} requests upstream", seen.len()));
            for request in &seen {
                judge(&mut checks, wire, dialect, request);
            }
        }
    }
    checks.saw(format_args!("none of {} headers, the provider's own key, `idempotency-key`", PRIVATE.len()));
    Ok(checks)
}

fn judge(checks: &mut Checks, wire: Wire, dialect: Dialect, request: &Seen) {
    let whose = match wire {
        Wire::OpenAi => "authorization",
        Wire::Anthropic => "x-api-key",
    };
    for (name, value) in &request.headers {
        let foreign = PRIVATE.contains(&name.as_str()) && name != whose;
        checks.must(!value.contains(CANARY) && !foreign, || {
            format!("{}: `{name}` went to the provider", dialect.name())
        });
    }
    let has = |name: &str, wanted: &str| request.headers.iter().any(|(n, v)| n == name && v.contains(wanted));
    checks.must(has(whose, KEYS[0]), || format!("{}: not asked with its own key", dialect.name()));
    checks.must(has("idempotency-key", "key-1"), || format!("{}: no idempotency-key", dialect.name()));
    let clean = !request.body.contains(CANARY) && !request.query.contains(CANARY);
    checks.must(clean, || format!("{}: the caller's key is in the body or the query", dialect.name()));
}
