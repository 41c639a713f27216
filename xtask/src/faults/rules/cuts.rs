//! Answers that are cut: at every token under every policy, and at every byte.

use super::{LIMIT, house};
use crate::faults::house::{House, Wire};
use crate::faults::verdict::{Checks, Verdict};
use crate::lab::{Call, Client, Dialect, Heard, Lab, Told};
use crate::shell::Result;
use serde_json::json;
use xtask::upstream::{DEFAULT_TOKENS, text};

/// What a fallback does with a stream that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    Fail,
    Restart,
    Continue,
}

impl Policy {
    fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Restart => "restart",
            Self::Continue => "continue",
        }
    }

    /// What its members must say of themselves.
    fn member(self) -> &'static str {
        if self == Self::Continue { "prefill = true" } else { "" }
    }
}

/// Cuts a stream after every number of tokens, for every caller's format.
pub(super) async fn sweep(lab: &Lab, wire: Wire, policy: Policy) -> Result<Checks> {
    let mut checks = Checks::new();
    let fallback = format!("mid_stream = \"{}\"", policy.word());
    let house = house(lab, wire, policy.member(), &fallback, "").await?;
    for how in ["cut", "cut-clean"] {
        for dialect in Dialect::ALL {
            for k in 0..=DEFAULT_TOKENS {
                let (heard, told) = house.ask_for(dialect, &format!("fault:{how}={k}"), true, LIMIT).await;
                let what = format!("{} {how}={k}", dialect.name());
                judge(&mut checks, policy, k, &heard, &told, &what);
                judge_asked(&mut checks, policy, k, &house, &what);
            }
        }
    }
    checks.must(house.is_quiet().await, || "an upstream is still answering".to_owned());
    checks.saw(match policy {
        Policy::Fail => "the words before the cut, then an error; before the first word, the second's answer",
        Policy::Restart => "every word once, said again by the second",
        Policy::Continue => "every word once, gone on with by the second from what was said",
    });
    Ok(checks)
}

fn judge(checks: &mut Checks, policy: Policy, k: u64, heard: &Heard, told: &Told, what: &str) {
    checks.must(told.broken.is_empty(), || format!("{what}: {:?}", told.broken));
    let whole = text(DEFAULT_TOKENS);
    // Without a word nobody has seen anything, so another may answer; and after the last nothing is missing but the end.
    if policy == Policy::Fail && k > 0 {
        checks.must(told.text == text(k), || format!("{what}: the words so far are {:?}", told.text));
        checks.must(told.is_clean_failure(), || format!("{what}: no error at the end"));
        return;
    }
    checks.must(!told.complete || told.text == whole, || format!("{what}: complete, but {:?}", told.text));
    checks.note(Verdict::Safe, told.complete, || {
        format!("{what}: no answer, {} {:?}", heard.status, told.failure)
    });
}

/// The second is asked to go on exactly where that is the policy and there is something to go on from.
fn judge_asked(checks: &mut Checks, policy: Policy, k: u64, house: &House, what: &str) {
    if k == 0 || policy == Policy::Fail {
        return;
    }
    let asked = house.second.last().pop().map(|seen| seen.body).unwrap_or_default();
    let goes_on = asked.contains("\"assistant\"");
    checks.must(goes_on == (policy == Policy::Continue), || format!("{what}: the second was asked {asked}"));
}

/// Cuts an answer of three tokens after every byte of it.
pub(super) async fn at_every_byte(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    let house = house(lab, wire, "", "", "").await?;
    let mut cuts = 0;
    for dialect in Dialect::ALL {
        for stream in [true, false] {
            let length = length(&house, wire, stream).await;
            for n in 0..length {
                let model = format!("first/fault:tokens=3,cut-bytes={n}");
                let (_, told) = house.ask_for(dialect, &model, stream, LIMIT).await;
                let what = || {
                    format!("{} stream={stream} cut after {n} of {length} bytes: {told:?}", dialect.name())
                };
                checks.must(told.is_clean_failure(), what);
                checks.must(told.text.is_empty() || text(3).starts_with(&told.text), what);
                cuts += 1;
            }
        }
    }
    checks.must(cuts > 3000, || format!("only {cuts} cuts"));
    checks.must(house.is_quiet().await, || "an upstream is still answering".to_owned());
    checks.saw("always an error, never a claim to be complete");
    Ok(checks)
}

/// The bytes of the upstream's own answer of three tokens, as the gateway asks for it.
async fn length(house: &House, wire: Wire, stream: bool) -> usize {
    let (dialect, key) = match wire {
        Wire::OpenAi => (Dialect::OpenAi, "authorization"),
        Wire::Anthropic => (Dialect::Anthropic, "x-api-key"),
    };
    let mut body = dialect.ask("fault:tokens=3", stream);
    if stream && wire == Wire::OpenAi {
        body["stream_options"] = json!({"include_usage": true});
    }
    let call = Call::post(dialect.path(), &body)
        .with_header(key, "Bearer any")
        .with_header("anthropic-version", "2023-06-01");
    Client::new(house.first.addr()).send(&call, LIMIT).await.body.len()
}
