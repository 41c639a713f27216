//! The values a label may have. A metric is kept for each of them for ever, so callers must not be able to invent them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// What every name is called that is not known.
pub(super) const OTHER: &str = "other";

/// Names, at most so many: those that are learned first. All others are [`OTHER`].
#[derive(Debug)]
pub(super) struct Labels {
    most: usize,
    known: Mutex<HashSet<Arc<str>>>,
}

impl Labels {
    pub(super) fn new(most: usize) -> Self {
        Self { most, known: Mutex::default() }
    }

    /// The label for `name`.
    pub(super) fn get(&self, name: &str) -> Arc<str> {
        lock(&self.known).get(name).cloned().unwrap_or_else(|| OTHER.into())
    }

    /// The label for `name`, which is known to be real: somebody answered to it.
    pub(super) fn learn(&self, name: &str) -> Arc<str> {
        let mut known = lock(&self.known);
        if let Some(label) = known.get(name) {
            return label.clone();
        }
        if known.len() >= self.most {
            return OTHER.into();
        }
        let label: Arc<str> = name.into();
        known.insert(label.clone());
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_real_has_a_name_and_only_so_many_do() {
        let labels = Labels::new(2);
        assert_eq!(&*labels.get("a"), OTHER);
        for (name, label) in [("a", "a"), ("b", "b"), ("c", OTHER), ("a", "a")] {
            assert_eq!((&*labels.learn(name), &*labels.get(name)), (label, label));
        }
    }
}
