//! What a provider's failure becomes: a kind, a status, and whether the same provider, another or nobody is asked again.

mod bodies;

use super::LIMIT;
use super::canned::Canned;
use crate::faults::house::{KEYS, SECOND_MODEL, Wire};
use crate::faults::verdict::Checks;
use crate::lab::{Call, Dialect, Gateway, Heard, Lab, Told};
use crate::shell::Result;
use bodies::{Case, Then};
use serde_json::Value;
use xtask::upstream::Upstream;

/// Two attempts, and a short wait between them.
const MEMBER: &str = r#"guard = ["retry", "timeout"]
retry = { attempts = 2, backoff = { base = "1ms", cap = "2ms" }, max_retry_after = "1ms" }"#;

/// Both providers, and what is in front of them.
#[derive(Debug)]
struct Stand {
    first: Canned,
    second: Upstream,
    gateway: Gateway,
}

pub(super) async fn run(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    let cases = Case::all(wire)?;
    checks.must(cases.len() >= 20, || format!("only {} bodies", cases.len()));
    let stand = Stand::open(lab, wire, &cases).await?;
    for (number, case) in cases.iter().enumerate() {
        for stream in [true, false] {
            for dialect in Dialect::ALL {
                mapped(&mut checks, &stand, dialect, number, case, stream).await;
            }
            routed(&mut checks, &stand, number, case, stream).await;
        }
    }
    checks.saw("the kind and the status of the documents; the same provider, another or nobody asked next");
    Ok(checks)
}

impl Stand {
    async fn open(lab: &Lab, wire: Wire, cases: &[Case]) -> Result<Self> {
        let first = Canned::start(cases.iter().map(|case| case.reply.clone()).collect()).await?;
        let second = Upstream::start().await?;
        // A budget of retries for all that fails here on purpose: it is not what is looked at.
        let config = wire.provider("first", &format!("http://{}", first.address), KEYS[0], "*", MEMBER)
            + &wire.provider("second", &second.url(), KEYS[1], SECOND_MODEL, "")
            + "\n[providers.chat]\ntype = \"fallback\"\nmembers = [\"first\", \"second\"]\n\
               \n[pipeline.retry_budget]\nfloor = 10000\n\n[server]\ndefault_provider = \"chat\"\n";
        let gateway = lab.start(&config, &[])?;
        Ok(Self { first, second, gateway })
    }

    async fn ask(&self, dialect: Dialect, model: &str, stream: bool) -> (Heard, Told) {
        let heard = self.gateway.client().send(&Call::ask(dialect, model, stream), LIMIT).await;
        let told = Told::read(dialect, &heard);
        (heard, told)
    }
}

/// Without anybody else to ask: what the caller is told.
async fn mapped(
    checks: &mut Checks,
    stand: &Stand,
    dialect: Dialect,
    number: usize,
    case: &Case,
    stream: bool,
) {
    let before = stand.first.calls();
    let (heard, told) = stand.ask(dialect, &format!("first/canned-{number}"), stream).await;
    let calls = stand.first.calls() - before;
    let what = || {
        let reply = &case.reply;
        format!(
            "{} stream={stream} {}, {} {}: {calls} calls, {} {told:?}",
            dialect.name(),
            case.from,
            reply.status,
            reply.body,
            heard.status
        )
    };
    let status =
        if (dialect, case.kind.as_str()) == (Dialect::Anthropic, "overloaded") { 529 } else { case.status() };
    checks.must(heard.status == status && told.is_clean_failure(), what);
    checks.must(calls == if case.then == Then::Again { 2 } else { 1 }, what);
    if dialect == Dialect::Native {
        let document: Value = serde_json::from_slice(&heard.body).unwrap_or_default();
        checks.must(document["kind"] == case.kind.as_str(), what);
    }
}

/// With another to ask.
async fn routed(checks: &mut Checks, stand: &Stand, number: usize, case: &Case, stream: bool) {
    let before = stand.second.stats().calls;
    let (heard, told) = stand.ask(Dialect::OpenAi, &format!("chat/canned-{number}"), stream).await;
    let asked = stand.second.stats().calls - before;
    let wanted = u64::from(case.then != Then::Nobody);
    checks.must(asked == wanted && told.complete == (wanted == 1), || {
        let reply = &case.reply;
        format!(
            "stream={stream} {} {}: the second was asked {asked}×, {}",
            reply.status, reply.body, heard.status
        )
    });
}
