//! What we are asked for, and what we ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use exec_core::{Error, ErrorKind, Remedy, Result};
use serde::Deserialize;

/// The callers' names for models and the provider's: `{ "gpt-4o" = "gpt-4o-2024-11-20", "*" = "*" }`.
///
/// `"*"` on the left stands for every name that is not listed, on the right for the name that was asked for. The
/// default lets every name through.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ModelMap(BTreeMap<String, String>);

const ANY: &str = "*";

impl Default for ModelMap {
    fn default() -> Self {
        Self([(ANY.to_owned(), ANY.to_owned())].into())
    }
}

impl FromIterator<(String, String)> for ModelMap {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl ModelMap {
    /// The provider's name for `asked`.
    ///
    /// # Errors
    /// `NotFound` with code `model_not_found` and the remedy `Elsewhere` when this provider is not asked for it.
    pub fn resolve<'a>(&'a self, asked: &'a str) -> Result<&'a str> {
        match self.0.get(asked).or_else(|| self.0.get(ANY)).map(String::as_str) {
            Some(ANY) => Ok(asked),
            Some(name) => Ok(name),
            None => Err(Error::new(ErrorKind::NotFound, format!("this provider has no model `{asked}`"))
                .with_code("model_not_found")
                .with_remedy(Remedy::Elsewhere)),
        }
    }

    /// The names that are listed, without `"*"`.
    pub fn names(&self) -> impl Iterator<Item = Arc<str>> {
        self.0.keys().filter(|name| *name != ANY).map(|name| name.as_str().into())
    }

    /// Whether names that are not listed are let through.
    #[must_use]
    pub fn takes_any(&self) -> bool {
        self.0.contains_key(ANY)
    }

    /// What is wrong with the map, if anything.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        if self.0.is_empty() {
            return Some("must name at least one model, or `\"*\" = \"*\"` for all");
        }
        let starred = |(asked, name): (&String, &String)| name == ANY && asked != ANY;
        self.0
            .iter()
            .any(starred)
            .then_some("`\"*\"` on the right stands for the asked name: it needs `\"*\"` on the left")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> ModelMap {
        pairs.iter().map(|(asked, name)| ((*asked).to_owned(), (*name).to_owned())).collect()
    }

    #[test]
    fn listed_names_are_mapped_and_others_pass_only_with_a_star() {
        let open = map(&[("a", "a-2024"), ("*", "*")]);
        assert_eq!((open.resolve("a").unwrap(), open.resolve("b").unwrap()), ("a-2024", "b"));
        let one = map(&[("*", "only")]);
        assert_eq!(one.resolve("anything").unwrap(), "only");
        let closed = map(&[("a", "a-2024")]);
        let error = closed.resolve("b").unwrap_err();
        assert_eq!((error.code(), error.remedy()), ("model_not_found", Remedy::Elsewhere));
        assert_eq!((closed.takes_any(), closed.names().count(), open.names().count()), (false, 1, 1));
    }

    #[test]
    fn a_map_that_cannot_work_is_named() {
        assert!(map(&[]).problem().is_some());
        assert!(map(&[("a", "*")]).problem().is_some());
        assert!(ModelMap::default().problem().is_none());
    }
}
