//! A pool of connections, or of anything else that is costly to make and can break.
//!
//! This crate is the place for leases, idle and lifetime limits, fair waiting and pools by key. It is a leaf:
//! it knows nothing of executions, so a database driver can use it alone.
//!
//! Nothing is here yet; the crate reserves the room and the rule that it depends on no other crate of the
//! workspace.
