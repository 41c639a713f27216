//! Plan and run any graph of pipes.
//!
//! A pipe reads some named inputs and makes one named output. This crate turns a set of pipes into an order: sources
//! first for batch work, sinks first for streams. It is a leaf: it has no clock, no I/O and no runtime, and it knows
//! nothing of models.
//!
//! ```
//! use std::sync::Arc;
//! use pipe_graph::{Forward, Pipe, PipeGraph, Planner, Reverse};
//!
//! let graph = Arc::new(PipeGraph::new([
//!     Pipe::new("ingest", ["orders.csv"], "raw.orders"),
//!     Pipe::new("clean", ["raw.orders"], "clean.orders"),
//!     Pipe::new("report", ["clean.orders"], "figures"),
//!     Pipe::new("archive", ["raw.orders"], "backup"),
//! ])?);
//! assert_eq!(graph.external_inputs(), ["orders.csv"]);
//!
//! let batch = Forward.plan(&graph)?;
//! let ids = |plan: &pipe_graph::Plan, n| plan.generation(n).unwrap().ids().map(str::to_owned).collect::<Vec<_>>();
//! assert_eq!(ids(&batch, 1), ["archive", "clean"]);
//!
//! let streaming = Reverse.plan(&graph)?;
//! assert_eq!(ids(&streaming, 0), ["archive", "report"]);
//! # Ok::<(), pipe_graph::Problems>(())
//! ```
//!
//! What is where:
//!
//! - [`Pipe`] is one declaration; [`GraphBuilder`] takes many, in any order, and makes a [`PipeGraph`] or says
//!   everything that is wrong, as [`Problems`].
//! - [`PipeGraph`] numbers its pipes ([`PipeIndex`]) by name and answers who feeds whom: [`PipeGraph::dependencies`],
//!   [`PipeGraph::dependents`], [`PipeGraph::external_inputs`]. [`PipeGraph::select`], [`PipeGraph::from`] and
//!   [`PipeGraph::until`] give a part of it.
//! - [`Planner`]s make a [`Plan`]: [`Forward`], [`Reverse`], [`Configured`], or one from outside through a
//!   [`PlanDraft`], which is also what is read from a file. A plan has [`Generation`]s of pipes that do not wait for
//!   each other.
//! - [`Plan::render`] draws it as text, Mermaid, DOT or JSON, with what a run has to say laid over it;
//!   [`Plan::recommend_caches`] says what is worth keeping and until when.
//! - [`PlanRunner`] runs a plan: every pipe once, as soon as what it waits for is there; a [`Runner`] says what a pipe
//!   does. [`PlanStreamer`] runs all pipes at once with bounded queues between them; see [`StreamRunner`]. Time comes
//!   from a [`Clock`], threads from a [`Spawner`]; what happens is heard through an [`event_channel`].
//! - [`Chooser`] picks a way of running and says why.
//!
//! Numbers of pipes and edges, and the bytes of all names together, are bounded by 2^32. Everything is iterative: a chain
//! of a million pipes is planned like any other graph.

mod builder;
mod cache;
mod choose;
mod csr;
mod cycle;
mod graph;
mod layers;
mod names;
mod parts;
mod pipe;
mod plan;
mod planner;
mod problem;
mod render;
mod runner;
mod stream;

pub use builder::GraphBuilder;
pub use cache::{CacheOptions, CacheReason, CacheRecommendation};
pub use choose::{Candidate, Choice, ChooseError, Chooser, Hints};
pub use graph::{GraphStats, PipeGraph, Producers, SelfRead};
pub use pipe::{Metadata, Pipe, PipeId, PipeIndex};
pub use plan::{Generation, GenerationDraft, Order, Plan, PlanDraft, Summary};
pub use planner::{Configured, Forward, Planner, Reverse};
pub use problem::{Problem, Problems};
pub use render::{Mark, Overlay, Render};
pub use runner::{
    Clock, Event, EventSink, Events, Failure, GenerationReport, Input, Inputs, Keep, Mode, OnFailure,
    PipeResult, PipeTiming, PlanRunner, Report, Retry, RunSummary, Runner, Skip, Spawner, Status, Task,
    Timing, Totals, event_channel,
};
pub use stream::{
    Checkpoint, Closed, Flow, Message, OnStreamFailure, PlanStreamer, StreamReport, StreamRunner,
};

/// Runs the code of the page about graphs.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/graphs.md")]
struct GraphsPage;
