//! The result lines: `@bench {JSON}`, one per case. `cargo xtask bench` makes a table of them.

use crate::Pair;
use serde::Serialize;

/// One case of a bench: our figure and, where there is one, the rival's from the same run.
#[derive(Clone, Debug, Serialize)]
#[must_use = "a figure is only seen when it is printed"]
pub struct Figure<'a> {
    bench: &'a str,
    case: &'a str,
    ours: f64,
    rival: Option<f64>,
    rival_name: Option<&'a str>,
    unit: &'a str,
    ratio: Option<f64>,
}

impl<'a> Figure<'a> {
    /// A figure without a rival. The table shows the first 24 characters of `case`.
    pub fn alone(bench: &'a str, case: &'a str, ours: f64, unit: &'a str) -> Self {
        Self { bench, case, ours, rival: None, rival_name: None, unit, ratio: None }
    }

    /// Adds the rival; the ratio is the one of the pair.
    pub fn against(self, rival_name: &'a str, pair: Pair) -> Self {
        Self { rival: Some(pair.rival), rival_name: Some(rival_name), ratio: Some(pair.ratio), ..self }
    }

    /// Adds the rival's figure without a ratio, where one would mean nothing.
    pub fn beside(self, rival_name: &'a str, rival: f64) -> Self {
        Self { rival: Some(rival), rival_name: Some(rival_name), ratio: None, ..self }
    }

    /// A pair: ours, the rival, and the median of the paired ratios.
    pub fn of(bench: &'a str, case: &'a str, pair: Pair, unit: &'a str, rival_name: &'a str) -> Self {
        Self::alone(bench, case, pair.ours, unit).against(rival_name, pair)
    }

    /// The line, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        // A struct of numbers and strings cannot fail.
        format!("@bench {}", serde_json::to_string(self).unwrap_or_default())
    }

    /// Prints the line.
    #[expect(clippy::print_stdout, reason = "the line on stdout is what `cargo xtask bench` reads")]
    pub fn print(&self) {
        println!("{}", self.line());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_becomes_a_line_with_its_own_ratio() {
        let pair = Pair { ours: 3.0, rival: 2.0, ratio: 1.4, lowest: 1.0 };
        assert_eq!(
            Figure::of("layers", "one", pair, "ns", "box").line(),
            r#"@bench {"bench":"layers","case":"one","ours":3.0,"rival":2.0,"rival_name":"box","unit":"ns","ratio":1.4}"#
        );
    }

    #[test]
    fn a_rival_beside_us_gives_no_ratio() {
        let line = Figure::alone("gateway", "one", 1.0, "us").beside("nginx", -2.0).line();
        assert!(line.contains(r#""rival":-2.0"#) && line.contains(r#""ratio":null"#), "{line}");
    }

    #[test]
    fn a_figure_alone_has_nulls() {
        let line = Figure::alone("layers", "one", 1.0, "ns").line();
        assert!(line.contains(r#""rival":null"#) && line.contains(r#""ratio":null"#), "{line}");
    }
}
