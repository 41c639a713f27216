//! Keys: in no log, no answer and no page, whatever fails.

use super::LIMIT;
use crate::faults::house::{House, KEYS, Plan, Route, SECOND_MODEL, Wire};
use crate::faults::verdict::Checks;
use crate::lab::{Call, Dialect, Heard, Lab};
use crate::shell::Result;

/// The key of a caller.
const CALLER: &str = "sk-canary-of-caller";
/// A key in the address of a provider that is not there.
const GONE: &str = "sk-canary-of-gone";

/// Everything that can go wrong.
const FAULTS: [&str; 22] = [
    "tokens=3",
    "status=400",
    "status=401",
    "status=403",
    "status=404",
    "status=413",
    "status=429",
    "status=500",
    "status=503",
    "error=bad_json",
    "error=insufficient_quota",
    "error=content_filter",
    "error=context_length",
    "reset=before",
    "reset=headers",
    "reset=5",
    "cut=5",
    "cut-clean=5",
    "malformed=3",
    "stream-error=5",
    "no-content",
    "nonsense",
];

/// Pages that say how the server is.
const PAGES: [&str; 5] = ["/metrics", "/api/v2/status", "/v1/models", "/openapi.json", "/no-such-page"];

pub(super) async fn run(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    let server = format!(
        "\n[providers.gone]\ntype = \"{}\"\nbase_url = \"http://127.0.0.1:1\"\napi_key = \"{GONE}\"\n",
        wire.name()
    );
    let plan = Plan {
        route: Route(wire, wire),
        models: ["*", SECOND_MODEL],
        member: "",
        fallback: "",
        server: &server,
    };
    let house = House::open(lab, &plan, &["--log", "trace"]).await?;
    for dialect in Dialect::ALL {
        for stream in [true, false] {
            for fault in FAULTS {
                let model = format!("first/fault:{fault}");
                answer(&mut checks, &house, &Call::ask(dialect, &model, stream), &model).await;
            }
            for model in ["gone/any", "nobody/any", "chat/fault:status=500"] {
                answer(&mut checks, &house, &Call::ask(dialect, model, stream), model).await;
            }
        }
    }
    for page in PAGES {
        answer(&mut checks, &house, &Call::get(page), page).await;
    }
    let log = house.gateway.log()?;
    checks
        .must(log.contains("TRACE") && log.lines().count() > 300, || "the log is not at `trace`".to_owned());
    clean(&mut checks, "the log", &log);
    let sent = house.first.last();
    let used = sent.iter().any(|seen| seen.headers.iter().any(|(_, value)| value.contains(KEYS[0])));
    checks.must(used, || "the provider was not asked with its key".to_owned());
    checks.saw("no key in any answer, head, page or line of the log");
    Ok(checks)
}

async fn answer(checks: &mut Checks, house: &House, call: &Call, what: &str) {
    let mut call = call.clone();
    for name in ["authorization", "x-api-key", "cookie", "x-request-secret"] {
        call = call.with_header(name, CALLER);
    }
    let Heard { head, body, .. } = house.gateway.client().send(&call, LIMIT).await;
    clean(checks, what, &head);
    clean(checks, what, std::str::from_utf8(&body).unwrap_or_default());
}

fn clean(checks: &mut Checks, what: &str, text: &str) {
    for key in [KEYS[0], KEYS[1], CALLER, GONE] {
        checks.must(!text.contains(key), || {
            let at = text.find(key).unwrap_or(0);
            let line = text[..at].lines().last().unwrap_or_default();
            format!("{key} in {what}: …{line}{key}")
        });
    }
}
