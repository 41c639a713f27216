//! What a format allows and a careless parser trips over: the answer must read the same.

use super::{LIMIT, house};
use crate::faults::house::{House, Wire};
use crate::faults::verdict::Checks;
use crate::lab::{Call, Dialect, Lab, Told};
use crate::shell::Result;
use serde_json::Value;
use xtask::upstream::{DEFAULT_TOKENS, arguments, text};

/// Ways to send the same answer.
const FRAMES: [&str; 9] = [
    "bytewise",
    "utf8split",
    "crlf",
    "comments",
    "ping",
    "crlf,comments,ping",
    "bytewise,crlf,comments",
    "utf8split,ping,comments",
    "usage=each,reasoning,bytewise",
];

/// Ways to send tool calls; the indexes are OpenAI's.
const CALLS: [&str; 7] = [
    "",
    "bytewise",
    "utf8split,crlf,comments",
    "toolindex=missing",
    "toolindex=zero",
    "toolindex=one",
    "ping",
];

pub(super) async fn frames(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    let house = house(lab, wire, "", "", "").await?;
    for dialect in Dialect::ALL {
        for frame in FRAMES {
            // Chunks with usage are a way of OpenAI's only, where the others take them for a bad value.
            let frame = if wire == Wire::OpenAi { frame } else { frame.trim_start_matches("usage=each,") };
            for stream in [true, false] {
                let model = format!("first/fault:{frame}");
                let (heard, told) = house.ask_for(dialect, &model, stream, LIMIT).await;
                let good = told.complete && told.broken.is_empty() && told.text == text(DEFAULT_TOKENS);
                checks.must(good, || {
                    format!("{} {frame} stream={stream}: {} {told:?}", dialect.name(), heard.status)
                });
            }
        }
    }
    checks.saw("the same 60 tokens, wide characters included");
    Ok(checks)
}

/// No, one and three calls; the third of three takes no arguments.
pub(super) async fn tools(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    let house = house(lab, wire, "", "", "").await?;
    for dialect in [Dialect::OpenAi, Dialect::Anthropic] {
        for how in CALLS {
            for count in [0, 1, 3] {
                for stream in [true, false] {
                    let spec = format!("tools={count},tokens=5,{how}");
                    let told = call(&house, dialect, spec.trim_end_matches(','), stream).await;
                    let what = || format!("{} {spec} stream={stream}: {told:?}", dialect.name());
                    checks.must(told.complete && told.broken.is_empty() && told.text == text(5), what);
                    checks.must(is_called(&told, count), what);
                }
            }
        }
    }
    checks.saw("streamed and whole the same names and arguments, in order");
    Ok(checks)
}

async fn call(house: &House, dialect: Dialect, spec: &str, stream: bool) -> Told {
    let body = dialect.ask_with_tool(&format!("first/fault:{spec}"), stream).unwrap_or_default();
    let heard = house.gateway.client().send(&Call::post(dialect.path(), &body), LIMIT).await;
    Told::read(dialect, &heard)
}

/// Whether the calls are those of the upstream, their arguments compared as documents.
fn is_called(told: &Told, count: usize) -> bool {
    let document = |text: &str| serde_json::from_str::<Value>(if text.is_empty() { "{}" } else { text }).ok();
    told.calls.len() == count
        && told.calls.iter().enumerate().all(|(at, call)| {
            let said = document(&call.arguments);
            call.name == "look" && said.is_some() && said == document(&arguments(at, count))
        })
}
