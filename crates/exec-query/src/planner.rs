//! The planner: from a query to the way that should be cheapest.

mod choice;
mod price;
mod ways;
mod write;

use crate::cache::CacheKey;
use crate::cost::CostModel;
use crate::estimate::Estimator;
use crate::feedback::{Feedback, Verdict};
use crate::limits::Limits;
use crate::plan::{Actual, Plan};
use crate::problem::Problems;
use crate::query::Query;
use crate::rewrite::{self, Normal};
use crate::schema::Schema;
use crate::statistics::Statistics;

/// Chooses a way for each query. Pure: it asks nothing and waits for nothing; planning takes some microseconds.
///
/// ```
/// use exec_query::{Condition, Kind, Planner, Query, Schema, Statistics};
/// let schema = Schema::builder("runs", "id").field("status", Kind::Text).index("by_status", ["status"]).build()?;
/// let failed = Condition::equals(schema.field("status")?, "x' OR 1 --");
/// let planner = Planner::new(schema.clone(), Statistics::unknown(&schema, 200_000))?;
/// let plan = planner.plan(&Query::new(failed).limit(20))?;
/// let statement = plan.statement().unwrap();
/// assert_eq!(
///     statement.sql,
///     "SELECT r.id, r.status FROM runs AS r INDEXED BY by_status WHERE r.status = ?1 ORDER BY r.id DESC LIMIT ?2"
/// );
/// # Ok::<(), exec_query::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct Planner {
    schema: Schema,
    statistics: Statistics,
    model: CostModel,
    limits: Limits,
    feedback: Feedback,
}

impl Planner {
    /// A planner with the default limits and constants.
    ///
    /// # Errors
    /// When the statistics are of another schema.
    pub fn new(schema: Schema, statistics: Statistics) -> Result<Self, Problems> {
        statistics.check(&schema)?;
        let (model, limits, feedback) = (CostModel::default(), Limits::default(), Feedback::default());
        Ok(Self { schema, statistics, model, limits, feedback })
    }

    /// Other constants, usually from a [`Calibration`](crate::Calibration).
    #[must_use]
    pub fn with_model(self, model: CostModel) -> Self {
        Self { model, ..self }
    }

    /// Other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Corrections from an earlier run.
    #[must_use]
    pub fn with_feedback(self, feedback: Feedback) -> Self {
        Self { feedback, ..self }
    }

    /// What is searched.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What is known about the rows.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Takes newer statistics.
    ///
    /// # Errors
    /// When they are of another schema; the old ones stay.
    pub fn set_statistics(&mut self, statistics: Statistics) -> Result<(), Problems> {
        statistics.check(&self.schema)?;
        self.statistics = statistics;
        Ok(())
    }

    /// What was learnt so far.
    #[must_use]
    pub fn feedback(&self) -> &Feedback {
        &self.feedback
    }

    /// The way that should be cheapest.
    ///
    /// # Errors
    /// When the query is over the limits or does not fit the schema; everything that is wrong.
    pub fn plan(&self, query: &Query) -> Result<Plan, Problems> {
        Ok(self.choose(self.normal(query)?))
    }

    /// The same, for a program that keeps results: `has` says whether it has one under a key.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn plan_cached(&self, query: &Query, has: impl FnOnce(&CacheKey) -> bool) -> Result<Plan, Problems> {
        let normal = self.normal(query)?;
        if has(&CacheKey::of(&normal, &self.schema)) {
            return Ok(self.cached(normal));
        }
        Ok(self.choose(normal))
    }

    /// Every way there is, the cheapest first. All give the same rows in the same order.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn candidates(&self, query: &Query) -> Result<Vec<Plan>, Problems> {
        Ok(self.all(&self.normal(query)?))
    }

    /// Says what really happened. Estimates that were off by more than ten times are corrected from now on.
    pub fn learn(&mut self, plan: &Plan, actual: &Actual) -> Verdict {
        self.feedback.learn(plan, actual)
    }

    fn normal(&self, query: &Query) -> Result<Normal, Problems> {
        self.limits.check(query, &self.schema)?;
        Ok(rewrite::normal(query, &self.schema, self.limits.rows))
    }

    fn estimator(&self) -> Estimator<'_> {
        Estimator { schema: &self.schema, statistics: &self.statistics, model: &self.model }
    }
}
