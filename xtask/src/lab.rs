//! The built server, driven from outside as an operator and its callers would: processes, a client that sees every byte, and
//! what an answer says in each of the three formats callers speak. For the jobs that break things.

mod client;
mod dialect;
mod events;
mod gateway;
mod limits;
mod told;

pub(crate) use client::{Call, Client, Ended, Heard, Talk};
pub(crate) use dialect::Dialect;
pub(crate) use events::events;
pub(crate) use gateway::{Gateway, Lab};
pub(crate) use limits::raise_open_files;
pub(crate) use told::Told;
