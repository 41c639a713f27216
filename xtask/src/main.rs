//! The jobs of this workspace.
fn main() {}
