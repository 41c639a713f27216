//! Which pipe may commit the open checkpoint: those whose dependents all have. Pure bookkeeping.

use crate::graph::PipeGraph;
use crate::pipe::PipeIndex;

/// At most one checkpoint is open at a time.
pub(crate) struct Ledger {
    /// The last checkpoint that every pipe has committed.
    pub(crate) complete: u64,
    /// By pipe: the last checkpoint it has committed.
    pub(crate) committed: Vec<u64>,
    open: Option<u64>,
    /// By pipe: what it has sent before the open checkpoint, once it has passed that.
    passed: Vec<Option<u64>>,
    /// By pipe: dependents that have not committed.
    waits: Vec<usize>,
    left: usize,
    /// A pipe has failed: what it lost is only safe if nobody upstream commits any more.
    pub(crate) broken: bool,
}

impl Ledger {
    pub(crate) fn new(pipes: usize, resume: u64) -> Self {
        Self {
            complete: resume,
            committed: vec![resume; pipes],
            open: None,
            passed: vec![None; pipes],
            waits: vec![0; pipes],
            left: 0,
            broken: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Opens the next checkpoint.
    pub(crate) fn open(&mut self, graph: &PipeGraph) -> u64 {
        let checkpoint = self.complete + 1;
        self.open = Some(checkpoint);
        self.passed.fill(None);
        self.waits = graph.indices().map(|pipe| graph.dependents(pipe).len()).collect();
        self.left = graph.len();
        checkpoint
    }

    /// A pipe has dealt with all before the open checkpoint, and had sent so many items by then. Whether it may commit.
    pub(crate) fn pass(&mut self, pipe: PipeIndex, sent: u64) -> bool {
        if self.open.is_none() || self.passed[pipe.get()].is_some() {
            return false;
        }
        self.passed[pipe.get()] = Some(sent);
        self.may_commit(pipe)
    }

    fn may_commit(&self, pipe: PipeIndex) -> bool {
        !self.broken && self.passed[pipe.get()].is_some() && self.waits[pipe.get()] == 0
    }

    /// The open checkpoint, as this pipe has passed it.
    pub(crate) fn checkpoint(&self, pipe: PipeIndex) -> Option<(u64, u64)> {
        Some((self.open?, self.passed[pipe.get()]?))
    }

    /// A pipe has committed. Those that may now.
    pub(crate) fn commit(&mut self, graph: &PipeGraph, pipe: PipeIndex) -> Vec<PipeIndex> {
        let Some(checkpoint) = self.open else { return Vec::new() };
        self.committed[pipe.get()] = checkpoint;
        self.left -= 1;
        if self.left == 0 {
            self.complete = checkpoint;
            self.open = None;
            return Vec::new();
        }
        let dependencies = graph.dependencies(pipe).iter().copied();
        let free = dependencies.filter(|near| {
            self.waits[near.get()] -= 1;
            self.may_commit(*near)
        });
        free.collect()
    }
}
