//! What an answer says of itself beyond its format, where there is something to say: readers pass over members they do
//! not know.

use exec_core::{Integrity, Report};
use serde::Serialize;

/// What is said when an answer begins anew in a format that has no word for it.
pub(crate) const NOT_HERE: &str = "the answer began anew, which this format cannot say";

/// The member `exec` of an answer that is not of one piece, or a stand-in.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct About {
    integrity: &'static str,
    degraded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Broken>,
}

#[derive(Clone, Debug, Serialize)]
struct Broken {
    provider: String,
    at: usize,
}

impl About {
    /// What `report` says that every caller should know; `None` when it is an answer like any other.
    pub(crate) fn of(report: &Report) -> Option<Self> {
        if report.integrity == Integrity::Whole && !report.degraded {
            return None;
        }
        Some(Self {
            integrity: report.integrity.as_str(),
            degraded: report.degraded,
            provider: report.provider.as_deref().map(str::to_owned),
            model: report.model.as_deref().map(str::to_owned),
            broken: report
                .integrity
                .broken()
                .map(|(provider, at)| Broken { provider: provider.to_string(), at }),
        })
    }
}
