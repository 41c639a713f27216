//! The parts of the workspace's jobs that tests and benches also use in-process.
pub mod upstream;
