//! Many names in one allocation, numbered in the order they came; and the table that finds a number by name.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Names by number. Holds at most 4 GiB of text; [`Names::fits`] says whether one more fits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    text: String,
    ends: Vec<u32>,
}

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, number: usize) -> &str {
        let start = if number == 0 { 0 } else { self.ends[number - 1] as usize };
        &self.text[start..self.ends[number] as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// Whether a name of this length can still be numbered with 32 bits; the last number is kept to mean "none".
    pub(crate) fn fits(&self, length: usize) -> bool {
        self.text.len() + length <= u32::MAX as usize && self.ends.len() + 1 < u32::MAX as usize
    }

    /// Adds a name that [fits](Names::fits).
    pub(crate) fn push(&mut self, name: &str) -> u32 {
        let number = self.ends.len() as u32;
        self.text.push_str(name);
        self.ends.push(self.text.len() as u32);
        number
    }

    pub(crate) fn reserve(&mut self, names: usize) {
        self.ends.reserve(names);
    }

    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// Names that are each kept once. The hash is keyed per process, so that chosen names cannot slow it down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interner {
    names: Names,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Interner {
    /// The number of this name, which it keeps for good; the name must [fit](Names::fits).
    pub(crate) fn intern(&mut self, name: &str) -> u32 {
        let Self { names, table, hasher } = self;
        let hash = hasher.hash_one(name);
        if let Some(&number) = table.find(hash, |&number| names.get(number as usize) == name) {
            return number;
        }
        let number = names.push(name);
        table.insert_unique(hash, number, |&number| hasher.hash_one(names.get(number as usize)));
        number
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn reserve(&mut self, more: usize) {
        let Self { names, table, hasher } = self;
        names.reserve(more);
        table.reserve(more, |&number| hasher.hash_one(names.get(number as usize)));
    }

    pub(crate) fn into_names(self) -> Names {
        self.names
    }
}
