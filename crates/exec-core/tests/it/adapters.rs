//! Providers are executors; executors are services and services are executors.

use std::sync::Arc;
use std::time::Duration;

use exec_core::testing::{Answer, Script};
use exec_core::tower::{Call, ExecutorService, ServiceExecutor};
use exec_core::{Chat, Context, ErrorKind, Executor, Pipeline, Provider, Request};
use tower::ServiceExt;

fn call() -> Call {
    Call { request: Request::chat(Chat::user("x")), context: Context::new("1") }
}

#[tokio::test]
async fn a_provider_drops_into_a_pipeline() {
    let provider: Arc<dyn Provider> = Script::new("s", [Answer::text("x")]);
    let executor: Arc<dyn Executor> = provider.clone();
    assert!(provider.capabilities().supports(&call().request));
    let answer = Pipeline::around(executor).execute(call().request, &call().context).await.unwrap();
    assert_eq!(answer.collect().await.unwrap().text(), "x");
}

#[tokio::test]
async fn there_and_back_through_tower() {
    let script = Script::new("s", [Answer::error(ErrorKind::Overloaded), Answer::text("x")]);
    let service = ExecutorService(script);
    let executor = ServiceExecutor(service);
    let first = executor.execute(call().request, &call().context).await.unwrap_err();
    assert_eq!(first.kind(), ErrorKind::Overloaded);
    let second = executor.execute(call().request, &call().context).await.unwrap();
    assert_eq!(second.collect().await.unwrap().text(), "x");
}

#[tokio::test]
async fn a_tower_combinator_becomes_an_executor() {
    let service = ExecutorService(Script::new("s", [Answer::text("x")])).map_response(|mut response| {
        response.report.degraded = true;
        response
    });
    let answer = ServiceExecutor(service).execute(call().request, &call().context).await.unwrap();
    assert!(answer.report.degraded);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_never_ready_ends_at_the_deadline() {
    #[derive(Clone)]
    struct Never;
    impl tower::Service<Call> for Never {
        type Response = exec_core::Response;
        type Error = exec_core::Error;
        type Future = std::future::Pending<exec_core::Result<exec_core::Response>>;
        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<exec_core::Result<()>> {
            std::task::Poll::Pending
        }
        fn call(&mut self, _: Call) -> Self::Future {
            std::future::pending()
        }
    }
    let context = Context::new("1").with_timeout(Duration::from_secs(1));
    let error = ServiceExecutor(Never).execute(call().request, &context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
}
