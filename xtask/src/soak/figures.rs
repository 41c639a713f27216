//! The server's own figures, as Prometheus would read them.

use std::collections::BTreeMap;

/// Samples by name and labels, as they stand in the text.
#[derive(Debug, Default)]
pub(super) struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// Reads the text of `/metrics`; lines that are no samples are left out.
    pub(super) fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// The samples of one name: their labels (in braces, or nothing) and values.
    pub(super) fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.iter().filter_map(move |(key, value)| {
            let labels = key.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, *value))
        })
    }

    /// Their sum over the labels that contain all of `parts`.
    pub(super) fn sum(&self, name: &str, parts: &[&str]) -> f64 {
        let wanted = |labels: &str| parts.iter().all(|part| labels.contains(part));
        self.of(name).filter(|(labels, _)| wanted(labels)).map(|(_, value)| value).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn samples_are_found_by_name_and_labels() {
        let text = "# HELP a x\n# TYPE a gauge\na 1\na_b{guard=\"x\"} 2\na{guard=\"x\",why=\"full\"} 3\na{guard=\"y\"} 4.5\n";
        let figures = Figures::read(text);
        assert_eq!(figures.of("a").count(), 3);
        assert!((figures.sum("a", &["guard=\"x\""]) - 3.0).abs() < 1e-9);
        assert!((figures.sum("a", &[]) - 8.5).abs() < 1e-9);
        assert_eq!(figures.of("c").count(), 0);
    }
}
