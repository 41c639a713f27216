//! Every operation that can be asked, found by layer, category or words.
//!
//! A catalogue of some hundred operations is too long to hand to a model or a person whole, so it answers at three
//! [levels of detail](Detail): first names, then sentences, then the full spec of the one that is wanted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::operation::{Effect, OperationSpec};
use crate::{Error, ErrorKind, Result};

/// How much of each operation an answer holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Layer and name.
    Name,
    /// With category, effect and description.
    #[default]
    Summary,
    /// The whole spec with its schemas.
    Full,
}

/// What to look for. Everything that is set must match.
#[derive(Clone, Debug, Default)]
pub struct Search<'a> {
    /// Only this layer.
    pub layer: Option<&'a str>,
    /// Only this category.
    pub category: Option<&'a str>,
    /// Only reads, or only writes.
    pub effect: Option<Effect>,
    /// Words looked for in names and descriptions; the more an operation has, the earlier it comes.
    pub words: &'a str,
}

/// A set of operations with unique names, in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    specs: BTreeMap<String, OperationSpec>,
}

impl Catalogue {
    /// Adds an operation.
    ///
    /// # Errors
    /// `InvalidRequest` when the name is empty or taken: one name never means two things.
    pub fn add(&mut self, spec: OperationSpec) -> Result<()> {
        if spec.name.is_empty() {
            return Err(Error::new(ErrorKind::InvalidRequest, "an operation needs a name"));
        }
        if self.specs.contains_key(&spec.name) {
            let message = format!("operation `{}` is already in the catalogue", spec.name);
            return Err(Error::new(ErrorKind::InvalidRequest, message).with_code("duplicate_operation"));
        }
        self.specs.insert(spec.name.clone(), spec);
        Ok(())
    }

    /// The spec of one operation.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OperationSpec> {
        self.specs.get(name)
    }

    /// How many operations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.specs.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty()
    }

    /// Every operation that matches, best first, then by name. O(n) over the catalogue.
    #[must_use]
    pub fn find(&self, search: &Search<'_>) -> Vec<&OperationSpec> {
        let words: Vec<String> = search.words.split_whitespace().map(str::to_lowercase).collect();
        let mut found: Vec<(usize, &OperationSpec)> = self
            .specs
            .values()
            .filter(|spec| search.admits(spec))
            .map(|spec| (score(spec, &words), spec))
            .filter(|(score, _)| words.is_empty() || *score > 0)
            .collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        found.into_iter().map(|(_, spec)| spec).collect()
    }
}

impl Search<'_> {
    fn admits(&self, spec: &OperationSpec) -> bool {
        self.layer.is_none_or(|layer| layer == spec.layer)
            && self.category.is_none_or(|category| category == spec.category)
            && self.effect.is_none_or(|effect| effect == spec.effect)
    }
}

fn score(spec: &OperationSpec, words: &[String]) -> usize {
    let text = format!("{} {}", spec.name, spec.description).to_lowercase();
    words.iter().filter(|word| text.contains(*word)).count()
}

impl OperationSpec {
    /// The spec as JSON, with as much as `detail` asks for.
    #[must_use]
    pub fn to_json(&self, detail: Detail) -> Value {
        match detail {
            Detail::Name => json!({"layer": self.layer, "name": self.name}),
            Detail::Summary => json!({
                "layer": self.layer,
                "name": self.name,
                "category": self.category,
                "effect": self.effect,
                "description": self.description,
            }),
            // A spec holds nothing that cannot be JSON: the fallback is never taken.
            Detail::Full => serde_json::to_value(self).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let mut all = Catalogue::default();
        for spec in [
            OperationSpec::new("chat").in_layer("models", "text").describe("Talk to a model").read(),
            OperationSpec::new("embed").in_layer("models", "vectors").describe("Vectors for a text").read(),
            OperationSpec::new("instances.create")
                .in_layer("machines", "lifecycle")
                .describe("Start machines"),
        ] {
            all.add(spec).unwrap();
        }
        all
    }

    fn names(search: &Search<'_>) -> Vec<String> {
        catalogue().find(search).iter().map(|spec| spec.name.clone()).collect()
    }

    #[test]
    fn finds_by_layer_category_effect_and_words() {
        assert_eq!(names(&Search { layer: Some("models"), ..Search::default() }), ["chat", "embed"]);
        assert_eq!(names(&Search { category: Some("vectors"), ..Search::default() }), ["embed"]);
        assert_eq!(names(&Search { effect: Some(Effect::Write), ..Search::default() }), ["instances.create"]);
        assert_eq!(
            names(&Search { words: "text VECTORS start", ..Search::default() }),
            ["embed", "instances.create"]
        );
        assert!(names(&Search { words: "nothing", ..Search::default() }).is_empty());
    }

    #[test]
    fn three_levels_of_detail_grow() {
        let all = catalogue();
        let spec = all.get("chat").unwrap();
        let sizes = [Detail::Name, Detail::Summary, Detail::Full].map(|d| spec.to_json(d).to_string().len());
        assert!(sizes[0] < sizes[1] && sizes[1] < sizes[2], "{sizes:?}");
        let back: OperationSpec = serde_json::from_value(spec.to_json(Detail::Full)).unwrap();
        assert_eq!(&back, spec);
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut all = catalogue();
        assert_eq!(all.add(OperationSpec::new("chat")).unwrap_err().code(), "duplicate_operation");
        assert!(all.add(OperationSpec::default()).is_err());
        assert_eq!(all.len(), 3);
    }
}
