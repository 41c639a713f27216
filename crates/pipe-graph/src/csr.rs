//! Lists of numbers, one list per row, in two allocations: compressed sparse rows.

use crate::pipe::PipeIndex;

/// Row `r` is `items[starts[r]..starts[r + 1]]`.
#[derive(Clone, Debug)]
pub(crate) struct Csr<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Csr<T> {
    fn default() -> Self {
        Self { starts: vec![0], items: Vec::new() }
    }
}

impl<T: Copy> Csr<T> {
    pub(crate) fn with_capacity(rows: usize, items: usize) -> Self {
        let mut starts = Vec::with_capacity(rows + 1);
        starts.push(0);
        Self { starts, items: Vec::with_capacity(items) }
    }

    pub(crate) fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    pub(crate) fn row(&self, row: usize) -> &[T] {
        &self.items[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// The row that is being written: what was pushed since the last [`Csr::end_row`].
    pub(crate) fn open_row(&mut self) -> &mut [T] {
        let start = self.starts[self.starts.len() - 1] as usize;
        &mut self.items[start..]
    }

    /// Drops what the open row has beyond its first `kept` items.
    pub(crate) fn truncate_open_row(&mut self, kept: usize) {
        self.items.truncate(self.starts[self.starts.len() - 1] as usize + kept);
    }

    pub(crate) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    pub(crate) fn end_row(&mut self) {
        self.starts.push(self.items.len() as u32);
    }

    pub(crate) fn reserve(&mut self, rows: usize) {
        self.starts.reserve(rows);
    }

    pub(crate) fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.items.shrink_to_fit();
    }
}

impl Csr<PipeIndex> {
    /// The same edges seen from the other end; every row comes out ascending.
    pub(crate) fn transposed(&self) -> Self {
        let mut starts = vec![0u32; self.rows() + 1];
        for target in &self.items {
            starts[target.get() + 1] += 1;
        }
        for row in 0..self.rows() {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let mut items = vec![PipeIndex(0); self.items.len()];
        for row in 0..self.rows() {
            for target in self.row(row) {
                let slot = &mut next[target.get()];
                items[*slot as usize] = PipeIndex::at(row);
                *slot += 1;
            }
        }
        Self { starts, items }
    }
}

#[cfg(test)]
mod tests {
    use super::{Csr, PipeIndex};

    #[test]
    fn transposing_twice_gives_the_sorted_rows_back() {
        let mut edges = Csr::default();
        for row in [&[1, 2][..], &[2], &[]] {
            row.iter().for_each(|&target| edges.push(PipeIndex::at(target)));
            edges.end_row();
        }
        let back = edges.transposed();
        assert_eq!(back.row(2), [0, 1].map(PipeIndex::at));
        assert_eq!(back.transposed().row(0), [1, 2].map(PipeIndex::at));
    }
}
