//! Trying again: never more than the budget allows, and never before the provider said.

use super::{LIMIT, house};
use crate::faults::house::{House, Plan, Route, Wire};
use crate::faults::verdict::Checks;
use crate::lab::{Dialect, Heard, Lab, Told};
use crate::shell::Result;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Far more retries than the budget of a request allows.
const EAGER: &str = r#"guard = ["retry", "timeout"]
retry = { attempts = 6, backoff = { base = "1ms", cap = "5ms" } }"#;
/// What a request may use.
const ATTEMPTS: u64 = 5;

/// So many retries may be made in any ten seconds that only what is looked at limits them.
const PLENTY: &str = "\n[pipeline.retry_budget]\nfloor = 10000\n";

/// Requests of an outage, and the calls they may make: a tenth more, and the ten retries that are always allowed.
const OUTAGE: u64 = 200;
const OUTAGE_CALLS: u64 = OUTAGE + OUTAGE / 10 + 10;

/// Retries that wait up to two seconds for a provider that asks for it.
const PATIENT: &str = r#"guard = ["retry", "timeout"]
retry = { attempts = 2, max_retry_after = "2s" }"#;
/// How much later than asked a retry may be on a busy machine.
const LATE: Duration = Duration::from_millis(400);

/// Both providers are down, both are retried, and a fallback is over them: one budget for all of it.
pub(super) async fn budget(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    for fault in ["status=503", "status=429,retry-after-ms=1", "reset=before", "error=overloaded", "cut=0"] {
        let model = format!("fault:{fault}");
        let server = format!("{PLENTY}\n[limits]\nattempts = {ATTEMPTS}\n");
        let plan = Plan {
            route: Route(wire, wire),
            models: [&model, &model],
            member: EAGER,
            fallback: "",
            server: &server,
        };
        let house = House::open(lab, &plan, &[]).await?;
        for dialect in Dialect::ALL {
            for stream in [true, false] {
                let before = calls(&house);
                let (heard, told) = house.ask(dialect, stream, LIMIT).await;
                let made = calls(&house) - before;
                let what = || {
                    format!(
                        "{} {fault} stream={stream}: {made} calls, {} {told:?}",
                        dialect.name(),
                        heard.status
                    )
                };
                checks.must(made <= ATTEMPTS, what);
                checks.must(told.is_clean_failure(), what);
            }
        }
    }
    outage(&mut checks, lab, wire).await?;
    checks.saw(format_args!(
        "never more than {ATTEMPTS} calls, and a clean failure; {OUTAGE} requests of an outage: at most {OUTAGE_CALLS} calls"
    ));
    Ok(checks)
}

/// With the usual budget of retries an outage does not multiply the calls.
async fn outage(checks: &mut Checks, lab: &Lab, wire: Wire) -> Result {
    let house = house(lab, wire, EAGER, "", "").await?;
    for n in 0..OUTAGE {
        let (_, told) = house.ask_for(Dialect::OpenAi, "first/fault:status=503", n % 2 == 0, LIMIT).await;
        checks.must(told.is_clean_failure(), || format!("request {n} of an outage: {told:?}"));
    }
    let made = calls(&house);
    checks.must(made <= OUTAGE_CALLS, || format!("{OUTAGE} requests made {made} calls"));
    checks.must(made > OUTAGE, || "nothing was tried again".to_owned());
    Ok(())
}

fn calls(house: &House) -> u64 {
    house.first.stats().calls + house.second.stats().calls
}

/// A wait that a provider asks for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    spec: &'static str,
    /// The shortest wait that obeys it.
    least: Duration,
}

const FITS: [Asked; 4] = [
    Asked { spec: "retry-after-ms=700", least: Duration::from_millis(700) },
    Asked { spec: "retry-after=1", least: Duration::from_secs(1) },
    Asked { spec: "retry-after=0.5", least: Duration::from_millis(500) },
    Asked { spec: "retry-after=9,retry-after-ms=300", least: Duration::from_millis(300) },
];

/// Waits that fit are waited for; longer ones, and those at a provider that is not retried, are passed on.
pub(super) async fn retry_after(lab: &Lab, wire: Wire) -> Result<Checks> {
    let mut checks = Checks::new();
    let house = house(lab, wire, PATIENT, "", PLENTY).await?;
    for dialect in Dialect::ALL {
        for asked in FITS {
            waited(&mut checks, &house, dialect, asked.spec, asked.least, LATE).await;
        }
        // A date has whole seconds only: two from now are one at least.
        let spec = format!("retry-after={}", date_in(2)?);
        waited(&mut checks, &house, dialect, &spec, Duration::from_secs(1), Duration::from_secs(1)).await;
        passed_on(&mut checks, &house, dialect, "retry-after=30", 30, 30).await;
        passed_on(&mut checks, &house, dialect, "retry-after-ms=30500", 30, 31).await;
        passed_on(&mut checks, &house, dialect, &format!("retry-after={}", date_in(30)?), 28, 30).await;
    }
    checks.saw(
        "never earlier than asked, at most 400 ms later; otherwise `retry-after` in the answer, at once",
    );
    Ok(checks)
}

async fn waited(
    checks: &mut Checks,
    house: &House,
    dialect: Dialect,
    spec: &str,
    least: Duration,
    late: Duration,
) {
    house.first.reset();
    let model = format!("first/fault:status=429,unlimited,{spec},times=1");
    let (heard, told) = house.ask_for(dialect, &model, true, LIMIT).await;
    let arrivals = house.arrivals();
    let gap = arrivals.get(1).map(|again| *again - arrivals[0]);
    checks.must(told.complete, || format!("{} {spec}: {} {:?}", dialect.name(), heard.status, told.failure));
    checks.must(gap.is_some_and(|gap| gap >= least && gap <= least + late), || {
        format!("{} {spec}: asked again after {gap:?}", dialect.name())
    });
}

async fn passed_on(checks: &mut Checks, house: &House, dialect: Dialect, spec: &str, least: u64, most: u64) {
    house.first.reset();
    let model = format!("first/fault:status=429,unlimited,{spec}");
    let (heard, told) = house.ask_for(dialect, &model, false, LIMIT).await;
    let calls = house.first.stats().calls;
    let seconds = header_seconds(&heard);
    checks.must(heard.status == 429 && seconds.is_some_and(|s| (least..=most).contains(&s)), || {
        format!("{} {spec}: {} with retry-after {seconds:?}, {told:?}", dialect.name(), heard.status)
    });
    checks.must(calls == 1 && heard.took < Duration::from_secs(2), || {
        format!("{} {spec}: {calls} calls in {:?}", dialect.name(), heard.took)
    });
    told_cleanly(checks, dialect, &told);
}

fn told_cleanly(checks: &mut Checks, dialect: Dialect, told: &Told) {
    checks.must(told.is_clean_failure(), || format!("{}: {told:?}", dialect.name()));
}

fn header_seconds(heard: &Heard) -> Option<u64> {
    heard.header("retry-after")?.trim().parse().ok()
}

/// An HTTP date so many seconds from now.
pub(super) fn date_in(seconds: u64) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + seconds;
    let (days, rest) = (now / 86_400, now % 86_400);
    let (year, month, day) = civil(days);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][usize::try_from(days % 7)?];
    let name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        [usize::try_from(month - 1)?];
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    Ok(format!("{weekday}, {day:02} {name} {year} {hour:02}:{minute:02}:{second:02} GMT"))
}

/// Year, month and day of a number of days since 1970. Howard Hinnant, "chrono-compatible low-level date algorithms".
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_454), (2026, 1, 1));
        assert_eq!(civil(20_453), (2025, 12, 31));
    }
}
