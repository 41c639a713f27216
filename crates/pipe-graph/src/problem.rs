//! What can be wrong with pipes, requests and plans. Everything that is wrong is said in one go.

use std::fmt;

use serde::Serialize;
use serde::ser::SerializeStruct;

use crate::pipe::PipeId;

/// Everything that was found wrong, never empty, in the order of [`Problem`]'s variants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", Lines(.0))]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `Ok` with the value when nothing was found.
    pub(crate) fn none_or<T>(mut problems: Vec<Problem>, value: impl FnOnce() -> T) -> Result<T, Self> {
        if problems.is_empty() {
            return Ok(value());
        }
        problems.sort_by_key(Problem::rank);
        Err(Self(problems))
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// One thing that is wrong, with the names of the pipes it is about.
///
/// Serializes as `{"kind", "ids", "message"}`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// More names or edges than 32 bits can number, or more than 4 GiB of names.
    #[error("more pipes, edges or names than a graph can hold")]
    TooLarge,
    /// Pipes that were asked for and never declared; sorted.
    #[error("no such pipe: {}", Names(.ids))]
    Missing {
        /// The unknown names.
        ids: Vec<PipeId>,
    },
    /// A name that more than one pipe was declared with.
    #[error("{id:?} is declared {times} times")]
    DuplicatePipe {
        /// The name.
        id: PipeId,
        /// How often it was declared.
        times: usize,
    },
    /// A pipe that was asked for more than once.
    #[error("{id:?} is requested {times} times")]
    DuplicateRequest {
        /// The name.
        id: PipeId,
        /// How often it was asked for.
        times: usize,
    },
    /// An entity that several pipes make.
    #[error("{entity:?} is made by more than one pipe: {}", Names(.ids))]
    DuplicateProducer {
        /// What they make.
        entity: String,
        /// Who makes it; sorted.
        ids: Vec<PipeId>,
    },
    /// A pipe that reads what it makes, where that is not allowed.
    #[error("{id:?} reads its own output {entity:?}")]
    SelfRead {
        /// The pipe.
        id: PipeId,
        /// What it reads and makes.
        entity: String,
    },
    /// Pipes that wait for each other: the shortest such chain among those that are tied together.
    #[error("cycle: {}", Chain(.ids))]
    Cycle {
        /// From the smallest name along the flow back to it: the last is the first again.
        ids: Vec<PipeId>,
    },
    /// A `processing_mode` that is neither `batch` nor `streaming`.
    #[error("{id:?} has an unknown processing_mode {value:?}: batch or streaming is expected")]
    UnknownMode {
        /// The pipe.
        id: PipeId,
        /// What its tag says.
        value: String,
    },
    /// Pipes of the graph that a plan leaves out; sorted.
    #[error("not planned: {}", Names(.ids))]
    NotPlanned {
        /// The forgotten ones.
        ids: Vec<PipeId>,
    },
    /// Pipes of a plan that the graph does not have; sorted.
    #[error("planned, but not in the graph: {}", Names(.ids))]
    NotInGraph {
        /// The invented ones.
        ids: Vec<PipeId>,
    },
    /// A pipe that a plan names more than once.
    #[error("{id:?} is planned {} times, in generations {generations:?}", .generations.len())]
    PlannedTwice {
        /// The pipe.
        id: PipeId,
        /// Where it is named, ascending; a generation that names it twice is there twice.
        generations: Vec<usize>,
    },
    /// A pipe that is planned before, or together with, pipes that must be in an earlier generation.
    #[error("{id:?} in generation {generation} must come after {}", Names(.unmet))]
    OutOfOrder {
        /// The pipe.
        id: PipeId,
        /// Where it is.
        generation: usize,
        /// What must be in an earlier generation and is not; sorted.
        unmet: Vec<PipeId>,
    },
    /// A generation whose number is not its place.
    #[error("generation {found} stands at place {expected}")]
    WrongNumber {
        /// Its place, from 0.
        expected: usize,
        /// The number it claims.
        found: usize,
    },
    /// A generation without pipes.
    #[error("generation {generation} is empty")]
    EmptyGeneration {
        /// Its place, from 0.
        generation: usize,
    },
    /// A generation that states other dependencies than its pipes have.
    #[error("generation {generation} states wrong dependencies; they are: {}", Names(.ids))]
    WrongDependencies {
        /// Its place, from 0.
        generation: usize,
        /// The right ones, sorted.
        ids: Vec<PipeId>,
    },
    /// What a planner from outside has to say.
    #[error("{message}")]
    Refused {
        /// Why it makes no plan.
        message: String,
        /// The pipes it is about.
        ids: Vec<PipeId>,
    },
}

impl Problem {
    /// The variant as a word in snake case, for programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.name_and_rank().0
    }

    fn rank(&self) -> u8 {
        self.name_and_rank().1
    }

    fn name_and_rank(&self) -> (&'static str, u8) {
        match self {
            Self::TooLarge => ("too_large", 0),
            Self::Missing { .. } => ("missing", 1),
            Self::DuplicatePipe { .. } => ("duplicate_pipe", 2),
            Self::DuplicateRequest { .. } => ("duplicate_request", 3),
            Self::DuplicateProducer { .. } => ("duplicate_producer", 4),
            Self::SelfRead { .. } => ("self_read", 5),
            Self::Cycle { .. } => ("cycle", 6),
            Self::UnknownMode { .. } => ("unknown_mode", 7),
            Self::NotPlanned { .. } => ("not_planned", 8),
            Self::NotInGraph { .. } => ("not_in_graph", 9),
            Self::PlannedTwice { .. } => ("planned_twice", 10),
            Self::OutOfOrder { .. } => ("out_of_order", 11),
            Self::WrongNumber { .. } => ("wrong_number", 12),
            Self::EmptyGeneration { .. } => ("empty_generation", 13),
            Self::WrongDependencies { .. } => ("wrong_dependencies", 14),
            Self::Refused { .. } => ("refused", 15),
        }
    }

    /// The pipes it is about.
    #[must_use]
    pub fn ids(&self) -> Vec<PipeId> {
        match self {
            Self::TooLarge | Self::WrongNumber { .. } | Self::EmptyGeneration { .. } => Vec::new(),
            Self::Missing { ids }
            | Self::DuplicateProducer { ids, .. }
            | Self::Cycle { ids }
            | Self::NotPlanned { ids }
            | Self::NotInGraph { ids }
            | Self::WrongDependencies { ids, .. }
            | Self::Refused { ids, .. } => ids.clone(),
            Self::DuplicatePipe { id, .. }
            | Self::DuplicateRequest { id, .. }
            | Self::SelfRead { id, .. }
            | Self::UnknownMode { id, .. }
            | Self::PlannedTwice { id, .. }
            | Self::OutOfOrder { id, .. } => vec![id.clone()],
        }
    }
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Problem", 3)?;
        fields.serialize_field("kind", self.kind())?;
        fields.serialize_field("ids", &self.ids())?;
        fields.serialize_field("message", &self.to_string())?;
        fields.end()
    }
}

struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(out, self.0, "\n", |out, problem| problem.fmt(out))
    }
}

struct Names<'a>(&'a [PipeId]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(out, self.0, ", ", |out, id| write!(out, "{id:?}"))
    }
}

struct Chain<'a>(&'a [PipeId]);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(out, self.0, " → ", |out, id| write!(out, "{id:?}"))
    }
}

fn joined<T>(
    out: &mut fmt::Formatter<'_>,
    items: &[T],
    between: &str,
    mut each: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.write_str(between)?;
        }
        each(out, item)?;
    }
    Ok(())
}
