//! Order, retries through `Next`, and one budget for everything.

use std::sync::Arc;

use exec_core::testing::{Answer, Script};
use exec_core::{
    Chat, Context, ErrorKind, Executor, Middleware, Next, Pipeline, Request, Response, Result, from_fn,
};

struct Tag(&'static str);

#[async_trait::async_trait]
impl Middleware for Tag {
    async fn handle(&self, request: Request, context: &Context, next: Next<'_>) -> Result<Response> {
        let mut response = next.run(request, context).await?;
        response.report.dropped.push(self.0.to_owned());
        Ok(response)
    }

    fn name(&self) -> &'static str {
        self.0
    }
}

/// Calls on up to three times.
fn thrice() -> impl Middleware {
    from_fn(|request, context, next| {
        Box::pin(async move {
            for _ in 0..2 {
                if let Ok(response) = next.run(request.clone(), context).await {
                    return Ok(response);
                }
            }
            next.run(request, context).await
        })
    })
}

fn counted() -> impl Middleware {
    from_fn(|request, context, next| {
        Box::pin(async move {
            context.budget().take_attempt()?;
            next.run(request, context).await
        })
    })
}

fn request() -> Request {
    Request::chat(Chat::user("x"))
}

#[tokio::test]
async fn the_first_added_is_the_outermost() {
    let pipeline =
        Pipeline::around(Script::new("s", [Answer::text("x")])).with(Tag("outer")).with(Tag("inner"));
    assert_eq!(pipeline.order().collect::<Vec<_>>(), ["outer", "inner"]);
    let response = pipeline.execute(request(), &Context::new("1")).await.unwrap();
    assert_eq!(response.report.dropped, ["inner", "outer"], "answers pass the layers in reverse");
}

#[tokio::test]
async fn three_nested_retries_make_as_many_calls_as_the_budget_has() {
    let script = Script::new("s", [Answer::error(ErrorKind::Upstream)]);
    let pipeline =
        Pipeline::around(script.clone()).with(thrice()).with(thrice()).with(thrice()).with(counted());
    let error = pipeline.execute(request(), &Context::new("1")).await.unwrap_err();
    assert_eq!((script.calls(), error.kind()), (8, ErrorKind::Exhausted));
}

#[tokio::test]
async fn a_pipeline_is_an_executor_and_nests() {
    let inner = Pipeline::around(Script::new("s", [Answer::text("x")])).with(Tag("inner"));
    let outer = Pipeline::around(Arc::new(inner)).with(Tag("outer"));
    let calls = (0..3).map(|_| (request(), Context::new("1"))).collect();
    let answers = outer.execute_all(calls).await;
    assert_eq!(answers.len(), 3);
    for answer in answers {
        assert_eq!(answer.unwrap().collect().await.unwrap().text(), "x");
    }
}
