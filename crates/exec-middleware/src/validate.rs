//! A request that cannot work is refused before it costs anything, with every reason at once.
//!
//! This is about what a request means. Whether a body is well-formed is checked where it is read.
//!
//! Which neighbour do I want instead? To refuse what is too *much*, a [`RateLimit`](crate::RateLimit). To change a
//! request instead of refusing it, a middleware of your own.

mod rules;
#[cfg(feature = "schema")]
mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use exec_core::{Context, Error, FieldError, Middleware, Next, Request, Response, Result};
use serde::{Deserialize, Serialize};

/// How bad it is when a [`Rule`] finds something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// The request is refused.
    #[default]
    Error,
    /// The request is logged and goes on; in strict mode it is refused.
    Warning,
}

/// Something a request must fulfil.
pub trait Rule: Send + Sync + 'static {
    /// Adds what is wrong with `request` to `errors`.
    fn check(&self, request: &Request, errors: &mut Vec<FieldError>);

    /// How bad that is.
    fn severity(&self) -> Severity {
        Severity::Error
    }
}

impl<F: Fn(&Request, &mut Vec<FieldError>) + Send + Sync + 'static> Rule for F {
    fn check(&self, request: &Request, errors: &mut Vec<FieldError>) {
        self(request, errors);
    }
}

/// A rule whose findings are warnings.
struct Mild<R>(R);

impl<R: Rule> Rule for Mild<R> {
    fn check(&self, request: &Request, errors: &mut Vec<FieldError>) {
        self.0.check(request, errors);
    }

    fn severity(&self) -> Severity {
        Severity::Warning
    }
}

/// The settings of a [`Validate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidateConfig {
    /// Whether warnings refuse a request as errors do. Default no.
    pub strict: bool,
    /// Whether answers are held against the schema of their operation, where one is declared. Default yes.
    pub output: bool,
}

impl Default for ValidateConfig {
    fn default() -> Self {
        Self { strict: false, output: true }
    }
}

/// Everything that was found in a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issues {
    /// What refuses it.
    pub errors: Vec<FieldError>,
    /// What does not.
    pub warnings: Vec<FieldError>,
}

/// Checks every request against rules. The default has the rules for conversations and embeddings, and warns when no
/// model is named.
///
/// With the feature `schema` a catalogue of operations can be added, whose schemas requests and answers must fulfil.
/// Dropping the future while the call runs drops the call; checking itself never waits.
///
/// ```
/// use exec_core::{Chat, FieldError, Request};
/// use exec_middleware::{Validate, ValidateConfig};
/// let validate = Validate::new(ValidateConfig { strict: true, ..ValidateConfig::default() })
///     .with(|request: &Request, errors: &mut Vec<FieldError>| {
///         if request.model.as_deref() == Some("gone") {
///             errors.push(FieldError::new("model", "not_here", "name another model"));
///         }
///     });
/// let request = Request::chat(Chat::default()).with_model("gone");
/// let codes: Vec<_> = validate.issues(&request).errors.iter().map(|issue| issue.code).collect();
/// assert_eq!(codes, ["empty", "not_here"]);
/// ```
#[derive(Clone)]
pub struct Validate {
    config: ValidateConfig,
    rules: Vec<Arc<dyn Rule>>,
    #[cfg(feature = "schema")]
    outputs: Arc<schema::Schemas>,
}

impl Default for Validate {
    fn default() -> Self {
        Self::new(ValidateConfig::default())
    }
}

impl Validate {
    /// The default rules with these settings.
    #[must_use]
    pub fn new(config: ValidateConfig) -> Self {
        let rules: Vec<Arc<dyn Rule>> = vec![
            Arc::new(rules::conversation),
            Arc::new(rules::embedding),
            Arc::new(Mild(rules::unnamed_model)),
        ];
        Self {
            config,
            rules,
            #[cfg(feature = "schema")]
            outputs: Arc::default(),
        }
    }

    /// Adds a rule.
    #[must_use]
    pub fn with(mut self, rule: impl Rule) -> Self {
        self.rules.push(Arc::new(rule));
        self
    }

    /// Adds a rule whose findings are warnings.
    #[must_use]
    pub fn with_warning(self, rule: impl Rule) -> Self {
        self.with(Mild(rule))
    }

    /// Adds the schemas of `catalogue`: inputs must fulfil theirs, and so must answers, where one is declared.
    ///
    /// An answer's value is its one datum, the list of its data if there are several, or else its words read as JSON. An
    /// answer that was asked for as a stream is not checked: it is handed on while it comes.
    ///
    /// # Errors
    /// Every schema that is none, each with its operation. Schemas are compiled here, once, and cannot refer to others
    /// over the network.
    #[cfg(feature = "schema")]
    pub fn with_catalogue(mut self, catalogue: &exec_core::Catalogue) -> Result<Self, Vec<FieldError>> {
        let (inputs, outputs) = schema::compile(catalogue)?;
        self.outputs = Arc::new(outputs);
        Ok(self.with(inputs))
    }

    /// Everything that is wrong with `request`. In strict mode there are no warnings: all of them are errors.
    #[must_use]
    pub fn issues(&self, request: &Request) -> Issues {
        let mut issues = Issues::default();
        for rule in &self.rules {
            let mild = rule.severity() == Severity::Warning && !self.config.strict;
            rule.check(request, if mild { &mut issues.warnings } else { &mut issues.errors });
        }
        issues
    }

    /// Checks `request` against every rule.
    ///
    /// # Errors
    /// `InvalidRequest` with everything that is wrong.
    pub fn check(&self, request: &Request) -> Result<()> {
        let Issues { errors, warnings } = self.issues(request);
        for FieldError { path, code, message } in warnings {
            tracing::debug!(target: "exec", path, code, message, "a request was let through with a warning");
        }
        if errors.is_empty() { Ok(()) } else { Err(Error::invalid(errors)) }
    }
}

#[async_trait]
impl Middleware for Validate {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        self.check(&request)?;
        #[cfg(feature = "schema")]
        if self.config.output && !request.options.stream && self.outputs.know(&request.operation) {
            let operation = request.operation.clone();
            let response = next.run(request, context).await?;
            return self.outputs.hold(&operation, response).await;
        }
        next.run(request, context).await
    }

    fn name(&self) -> &'static str {
        "validate"
    }
}

impl std::fmt::Debug for Validate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Validate({} rules, strict: {})", self.rules.len(), self.config.strict)
    }
}
