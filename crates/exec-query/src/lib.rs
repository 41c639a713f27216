//! A typed, cost-based planner for searches over a SQLite and FTS5 store.
//!
//! This crate is the place for typed queries, rewrites that keep their meaning, statistics, and the choice
//! among candidate plans. It is pure: no I/O and no database driver.
//!
//! Nothing is here yet; the crate reserves the room and the rule that it depends on no other crate of the
//! workspace.
