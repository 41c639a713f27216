//! Who hears of executions: whoever subscribes to their events, and the figures over all of them.
//!
//! [`Trace`](crate::Trace) tells the life of *one* call, as a span and as events; the [`EventBus`] carries events of all
//! calls to those who want to see them; [`Metrics`] counts calls, whether or not anybody tells or hears of them.

mod bus;
mod figures;
mod labels;
mod metrics;

pub use self::bus::{EventBus, Subscription, Told};
pub use self::figures::{ModelFigures, Quantiles, Snapshot};
pub use self::metrics::{Metrics, MetricsConfig};
