//! What runs a call: the pipeline that every call passes, and behind it the router to the providers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use exec_core::{
    Capabilities, Context, Error, ErrorKind, Executor, Input, Operation, Options, Pipeline, Provider,
    Request, Response, Result,
};
use futures_util::future::join_all;

use crate::status::Watches;

/// The providers by name.
pub type Providers = BTreeMap<Arc<str>, Arc<dyn Provider>>;

/// How long the lists of models may take together.
const LIST_LIMIT: Duration = Duration::from_secs(5);

/// Runs calls. Built once from a configuration; it never changes afterwards.
pub struct Engine {
    router: Arc<Router>,
    pipeline: Pipeline,
    watches: Watches,
}

impl Engine {
    /// An engine over `providers`, of which `default` is asked when nobody names one. `guard` puts the middleware around.
    ///
    /// # Errors
    /// Those of `guard`.
    pub fn new<E>(
        providers: Providers,
        default: Arc<str>,
        guard: impl FnOnce(Pipeline) -> Result<Pipeline, E>,
    ) -> Result<Self, E> {
        let router = Arc::new(Router { providers, default });
        let pipeline = guard(Pipeline::around(router.clone()))?;
        Ok(Self { pipeline, router, watches: Watches::default() })
    }

    /// The same with handles of its guards, so that it can say how they are.
    #[must_use]
    pub fn with_watches(mut self, watches: Watches) -> Self {
        self.watches = watches;
        self
    }

    /// Handles of its guards.
    #[must_use]
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// The provider that is asked when nobody names one.
    #[must_use]
    pub fn default_provider(&self) -> &str {
        &self.router.default
    }

    /// The providers by name.
    #[must_use]
    pub fn providers(&self) -> &Providers {
        &self.router.providers
    }

    /// The names of the middleware, outermost first.
    pub fn order(&self) -> impl Iterator<Item = &'static str> {
        self.pipeline.order()
    }

    /// Every model a caller can name, by the name that reaches it. A provider that takes any model is asked for its
    /// list; one that does not answer within five seconds is left out.
    pub async fn models(&self, context: &Context) -> Vec<Model> {
        let lists = self.router.providers.iter().map(|(name, provider)| async {
            let models = models_of(&**provider, context).await;
            models.into_iter().map(|model| self.router.reachable(name, &model)).collect::<Vec<_>>()
        });
        let mut models = join_all(lists).await.concat();
        // Those of the default provider first, then by name.
        models.sort_by_cached_key(|model| (model.provider != self.router.default, model.id.clone()));
        models
    }
}

#[async_trait]
impl Executor for Engine {
    async fn execute(&self, request: Request, context: &Context) -> Result<Response> {
        self.pipeline.execute(request, context).await
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("pipeline", &self.pipeline).finish_non_exhaustive()
    }
}

/// A model a caller can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The name that reaches it.
    pub id: String,
    /// Who has it.
    pub provider: Arc<str>,
}

async fn models_of(provider: &dyn Provider, context: &Context) -> Vec<Arc<str>> {
    let Capabilities { models, any_model, .. } = provider.capabilities();
    if !any_model || !models.is_empty() {
        return models.clone();
    }
    let context = context.with_timeout(LIST_LIMIT);
    let request = Request::new(Operation::MODELS, Input::none());
    let list = context.bound(async { provider.execute(request, &context).await?.collect().await }).await;
    match list {
        Ok(output) => {
            output.data.iter().filter_map(|name| Some(name.read::<String>().ok()?.into())).collect()
        }
        Err(error) => {
            tracing::warn!(provider = provider.name(), kind = %error.kind(), "the models could not be listed");
            Vec::new()
        }
    }
}

/// Finds the provider of a request.
///
/// 1. The provider the caller names.
/// 2. A model `NAME/rest` where NAME is a provider: that provider, asked for `rest`.
/// 3. A provider whose map of models names the model; the default first.
/// 4. The default.
struct Router {
    providers: Providers,
    default: Arc<str>,
}

impl Router {
    fn route<'a>(&'a self, request: &mut Request) -> Result<&'a dyn Provider> {
        if let Some(name) = &request.options.provider {
            return self.providers.get(name).map(|provider| &**provider).ok_or_else(|| self.unknown(name));
        }
        if let Some((name, rest)) = request.model.as_deref().and_then(|model| model.split_once('/'))
            && let Some(provider) = self.providers.get(name)
        {
            let model: Arc<str> = rest.into();
            request.options = Arc::new(Options { provider: Some(name.into()), ..(*request.options).clone() });
            request.model = Some(model);
            return Ok(&**provider);
        }
        let default = self.providers.get(&self.default);
        let named = request.model.as_ref().and_then(|model| {
            let lists = |provider: &&Arc<dyn Provider>| provider.capabilities().models.contains(model);
            default.filter(lists).or_else(|| self.providers.values().find(lists))
        });
        named.or(default).map(|provider| &**provider).ok_or_else(|| self.unknown(&self.default))
    }

    fn unknown(&self, name: &str) -> Error {
        let known: Vec<&str> = self.providers.keys().map(AsRef::as_ref).collect();
        let message = format!("there is no provider `{name}`; there are: {}", known.join(", "));
        Error::new(ErrorKind::NotFound, message).with_code("unknown_provider")
    }

    fn reachable(&self, provider: &Arc<str>, model: &str) -> Model {
        let id = if *provider == self.default { model.to_owned() } else { format!("{provider}/{model}") };
        Model { id, provider: provider.clone() }
    }
}

#[async_trait]
impl Executor for Router {
    async fn execute(&self, mut request: Request, context: &Context) -> Result<Response> {
        self.route(&mut request)?.execute(request, context).await
    }
}

#[cfg(test)]
mod tests {
    use exec_core::Chat;
    use exec_core::testing::{Answer, Script};

    use super::*;

    fn engine() -> Engine {
        let providers = ["first", "second"].map(|name| {
            let provider: Arc<dyn Provider> = Script::new(name, [Answer::text(name)]);
            (Arc::from(name), provider)
        });
        Engine::new(providers.into(), "first".into(), Ok::<_, Error>).unwrap()
    }

    async fn asked(change: impl FnOnce(Request) -> Request) -> Result<String> {
        let answer = engine().execute(change(Request::chat(Chat::user("x"))), &Context::new("1")).await?;
        Ok(answer.collect().await?.text())
    }

    #[tokio::test]
    async fn the_named_provider_then_the_prefix_then_the_default() {
        let named = |name: &'static str| {
            move |r: Request| r.with_options(Options { provider: Some(name.into()), ..Options::default() })
        };
        assert_eq!(asked(named("second")).await.unwrap(), "second");
        assert_eq!(asked(|r| r.with_model("second/m")).await.unwrap(), "second");
        assert_eq!(
            asked(|r| r.with_model("vendor/m")).await.unwrap(),
            "first",
            "a slash alone names no provider"
        );
        assert_eq!(asked(|r| r).await.unwrap(), "first");
        let error = asked(named("third")).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "unknown_provider"));
    }
}
