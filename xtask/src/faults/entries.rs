//! What the report lists: every scenario and every rule, in order.

use super::house::{Route, Wire};
use super::rules::Rule;
use super::{catalogue, outage};

/// A table of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The scenarios of the public suite.
    Suite,
    /// What holds besides.
    Rules,
}

impl Part {
    pub(super) const ALL: &[Self] = &[Self::Suite, Self::Rules];

    pub(super) fn columns(self) -> &'static [&'static str] {
        const ROUTES: [&str; 4] =
            [Route::ALL[0].name(), Route::ALL[1].name(), Route::ALL[2].name(), Route::ALL[3].name()];
        const WIRES: [&str; 2] = [Wire::BOTH[0].name(), Wire::BOTH[1].name()];
        match self {
            Self::Suite => &ROUTES,
            Self::Rules => &WIRES,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Suite => SUITE,
            Self::Rules => RULES,
        }
    }
}

const SUITE: &str = "
## The sixteen public scenarios

Faults, times and bounds are those of the public suite
[failoverbench](https://github.com/failoverbench/failoverbench) (method 0.1),
told to an upstream of our own in both formats; its code was not run. One
primary, one secondary that is well, one configuration for all
([below](#settings)); a column names their formats. The time limits of a try are
10 s where the suite's baseline has 30 s; the waits and the outage are as long as
there, but a stall never ends by itself. Beyond the suite, no request may make
more than eight calls, nothing may be left under way afterwards, and the server
must then answer another request.
";

const RULES: &str = "
## What holds besides

A column names the format of the providers.
";

/// A row of the report.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) part: Part,
}

/// All rows, in the order of the report.
pub(super) fn entries() -> Vec<Entry> {
    let mut suite: Vec<Entry> = catalogue::scenarios()
        .iter()
        .map(|s| Entry { id: s.id, title: s.title, part: Part::Suite })
        .collect();
    let flapping = outage::FLAPPING;
    suite.push(Entry { id: flapping.id, title: flapping.title, part: Part::Suite });
    suite.sort_by_key(|entry| entry.id);
    for outage in [outage::FIFTEEN, outage::FIFTEEN_BY_MODE] {
        suite.push(Entry { id: outage.id, title: outage.title, part: Part::Rules });
    }
    suite.extend(Rule::ALL.map(|rule| Entry { id: rule.row().0, title: rule.row().1, part: Part::Rules }));
    suite
}
