//! Runs everything: what only waits at the same time, what measures short times one after the other.

use super::house::{Route, Wire};
use super::rules::Rule;
use super::scenario::Form;
use super::verdict::{Checks, Finding, Verdict};
use super::{catalogue, outage};
use crate::lab::{Dialect, Lab};
use crate::shell::Result;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Runs at one time. They mostly wait; each is a process.
const AT_ONCE: usize = 64;

/// A run that will give its finding.
type Run = Pin<Box<dyn Future<Output = Finding> + Send>>;

/// Runs all scenarios, or those of these ids.
pub(super) async fn all(lab: Lab, only: &[String]) -> Result<Vec<Finding>> {
    let lab = Arc::new(lab);
    let wanted = |id: &str| only.is_empty() || only.iter().any(|only| only == id);
    // The longest first.
    let mut runs = outages(&lab, &wanted);
    runs.extend(suite(&lab, &wanted));
    runs.extend(rules(&lab, &wanted, false));
    let mut findings = at_once(runs).await?;
    // What measures short times has the machine for itself.
    for run in rules(&lab, &wanted, true) {
        findings.push(run.await);
    }
    findings.sort_by(|a, b| (a.id, a.column).cmp(&(b.id, b.column)));
    Ok(findings)
}

fn outages(lab: &Arc<Lab>, wanted: &impl Fn(&str) -> bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for outage in [outage::FLAPPING, outage::FIFTEEN, outage::FIFTEEN_BY_MODE] {
        let routes = if outage.id == outage::FLAPPING.id { &Route::ALL[..] } else { &Route::ALL[..2] };
        for route in routes.iter().copied().filter(|_| wanted(outage.id)) {
            for dialect in Dialect::ALL {
                let lab = Arc::clone(lab);
                runs.push(Box::pin(async move {
                    settled(outage.id, route.name(), outage.run(&lab, route, dialect).await)
                }));
            }
        }
    }
    runs
}

fn suite(lab: &Arc<Lab>, wanted: &impl Fn(&str) -> bool) -> Vec<Run> {
    let scenarios = catalogue::scenarios().into_iter().filter(|scenario| wanted(scenario.id));
    let forms = scenarios.flat_map(|scenario| Form::all(&scenario));
    forms
        .map(|form| -> Run {
            let lab = Arc::clone(lab);
            let (id, column) = (form.scenario.id, form.route.name());
            Box::pin(async move { settled(id, column, form.run(&lab).await) })
        })
        .collect()
}

fn rules(lab: &Arc<Lab>, wanted: &impl Fn(&str) -> bool, exact: bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for rule in Rule::ALL.into_iter().filter(|rule| rule.is_exact() == exact && wanted(rule.row().0)) {
        for wire in Wire::BOTH {
            let lab = Arc::clone(lab);
            runs.push(Box::pin(async move {
                let (id, column) = (rule.row().0, wire.name());
                let checks = rule.run(&lab, wire).await;
                let mut finding = settled(id, column, checks.map(|checks| checks.finding(id, column)));
                if finding.verdict != Verdict::Pass {
                    // What a rule says it saw is what it looked for.
                    finding.seen = format!("not so: see `cargo xtask test faults --only \"{id}\"`");
                }
                finding
            }));
        }
    }
    runs
}

/// A run that could not be made is one that failed.
fn settled(id: &'static str, column: &'static str, finding: Result<Finding>) -> Finding {
    finding.unwrap_or_else(|error| {
        let mut checks = Checks::new();
        checks.must(false, || format!("it could not be run: {error}"));
        checks.finding(id, column)
    })
}

async fn at_once(runs: Vec<Run>) -> Result<Vec<Finding>> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for run in runs {
        let place = Arc::clone(&places).acquire_owned().await?;
        tasks.spawn(async move {
            let _place = place;
            run.await
        });
    }
    let mut findings = Vec::new();
    while let Some(finding) = tasks.join_next().await {
        findings.push(finding?);
    }
    Ok(findings)
}
