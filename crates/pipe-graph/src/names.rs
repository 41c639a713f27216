//! Many names in one allocation, numbered in the order they came; and the table that finds a number by name.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Names by number. Holds at most 4 GiB of text; [`Names::fits`] says whether one more fits.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    text: String,
    /// Name `n` is `text[starts[n]..starts[n + 1]]`.
    starts: Vec<u32>,
}

impl Default for Names {
    fn default() -> Self {
        Self { text: String::new(), starts: vec![0] }
    }
}

impl Names {
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    #[inline]
    pub(crate) fn get(&self, number: usize) -> &str {
        &self.text[self.range(number)]
    }

    /// Like [`Names::get`], for comparing: no look at where characters end.
    #[inline]
    pub(crate) fn bytes(&self, number: usize) -> &[u8] {
        &self.text.as_bytes()[self.range(number)]
    }

    #[inline]
    fn range(&self, number: usize) -> std::ops::Range<usize> {
        self.starts[number] as usize..self.starts[number + 1] as usize
    }

    /// Whether a name of this length can still be numbered with 32 bits; the last number is kept to mean "none".
    #[inline]
    pub(crate) fn fits(&self, length: usize) -> bool {
        self.text.len() + length <= u32::MAX as usize && self.starts.len() < u32::MAX as usize
    }

    /// Adds a name that [fits](Names::fits).
    #[inline]
    pub(crate) fn push(&mut self, name: &str) -> u32 {
        let number = self.len() as u32;
        self.text.push_str(name);
        self.starts.push(self.text.len() as u32);
        number
    }

    pub(crate) fn reserve(&mut self, names: usize) {
        self.starts.reserve(names);
    }

    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.starts.shrink_to_fit();
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
    #[inline]
    pub(crate) fn intern(&mut self, name: &str) -> u32 {
        let Self { names, table, hasher } = self;
        let name_bytes = name.as_bytes();
        let hash = hasher.hash_one(name_bytes);
        if let Some(&number) = table.find(hash, |&number| names.bytes(number as usize) == name_bytes) {
            return number;
        }
        let number = names.push(name);
        table.insert_unique(hash, number, |&number| hasher.hash_one(names.bytes(number as usize)));
        number
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn reserve(&mut self, more: usize) {
        let Self { names, table, hasher } = self;
        names.reserve(more);
        table.reserve(more, |&number| hasher.hash_one(names.bytes(number as usize)));
    }

    pub(crate) fn into_names(self) -> Names {
        self.names
    }
}
