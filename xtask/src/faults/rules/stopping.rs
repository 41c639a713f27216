//! Stopping a server: what is under way finishes, newcomers are told, and the process ends with 0.

use super::{LIMIT, house};
use crate::faults::house::Wire;
use crate::faults::verdict::Checks;
use crate::lab::{Call, Client, Dialect, Heard, Lab, Told};
use crate::shell::Result;
use tokio::task::JoinSet;
use tokio::time::Instant;
use xtask::upstream::{DEFAULT_TOKENS, text};

/// A stream of about three seconds.
const SLOW: &str = "first/fault:gap=50ms";

/// Streams under way when the server is told to stop.
const STREAMS: usize = 30;
/// A server told to stop while streams are under way.
pub(super) async fn drain(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    let mut house = house(lab, wire, "", "", "").await?;
    let client = house.gateway.client();
    let mut streams = JoinSet::new();
    for n in 0..STREAMS {
        let (dialect, stream) = (Dialect::ALL[n % 3], n % 2 == 0);
        streams.spawn(async move { (dialect, client.send(&Call::ask(dialect, SLOW, stream), LIMIT).await) });
    }
    let under_way = house.first.wait_for(|stats| stats.in_flight == STREAMS as u64, LIMIT).await;
    checks.must(under_way.is_ok(), || format!("not all calls arrived: {under_way:?}"));
    house.gateway.signal("-TERM")?;
    refused(&mut checks, client).await;
    while let Some(ended) = streams.join_next().await {
        let (dialect, heard) = ended?;
        whole(&mut checks, dialect, &heard);
    }
    let code = house.gateway.exit(LIMIT).await?;
    checks.must(code == Some(0), || format!("exit code {code:?}"));
    checks.saw(format_args!("{STREAMS} of {STREAMS} answers whole; not ready at once; newcomers refused with `retry-after`; exit code 0"));
    Ok(checks)
}

fn whole(checks: &mut Checks, dialect: Dialect, heard: &Heard) {
    let told = Told::read(dialect, heard);
    let whole = told.complete && told.broken.is_empty() && told.text == text(DEFAULT_TOKENS);
    checks.must(whole, || format!("{}: not whole: {} {told:?}", dialect.name(), heard.status));
}

/// From the moment it is not ready, nobody new is served.
async fn refused(checks: &mut Checks, client: Client) {
    let until = Instant::now() + LIMIT;
    while client.send(&Call::get("/readyz"), LIMIT).await.status != 503 && Instant::now() < until {}
    for dialect in Dialect::ALL {
        for stream in [true, false] {
            let heard = client.send(&Call::ask(dialect, "first/well", stream), LIMIT).await;
            let told = Told::read(dialect, &heard);
            let clean =
                heard.status == 503 && told.is_clean_failure() && heard.header("retry-after").is_some();
            checks.must(clean, || format!("{}: a newcomer gets {} {told:?}", dialect.name(), heard.status));
        }
    }
    let alive = client.send(&Call::get("/livez"), LIMIT).await.status;
    checks.must(alive == 200, || format!("/livez answers {alive} while it stops"));
}
