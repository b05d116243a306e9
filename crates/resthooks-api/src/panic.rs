//! A defect in a handler becomes a 500 for that one request.

use std::any::Any;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use http::StatusCode;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::problem::Problem;

/// Wraps routes so that a panic is answered and logged instead of ending the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CatchPanic;

impl Layer<Route> for CatchPanic {
    type Service = Guarded;

    fn layer(&self, inner: Route) -> Guarded {
        Guarded { inner }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Guarded {
    inner: Route,
}

impl Service<Request> for Guarded {
    type Response = Response;
    type Error = Infallible;
    type Future = Guard<<Route as Service<Request>>::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Guard { inner: self.inner.call(request) }
    }
}

pin_project! {
    #[derive(Debug)]
    pub(crate) struct Guard<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Guard<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The future is dropped after a panic and never polled again: nothing sees what it left half done.
        let polled = catch_unwind(AssertUnwindSafe(|| self.project().inner.poll(cx)));
        match polled {
            Ok(polled) => Poll::Ready(ready!(polled)),
            Err(panic) => Poll::Ready(Ok(answer(panic.as_ref()))),
        }
    }
}

fn answer(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    tracing::error!(panic = text, "a handler panicked");
    let detail = "something is broken on our side; it has been logged";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_500() {
        async fn broken() -> &'static str {
            panic!("on purpose")
        }
        let router: Router = Router::new().route("/", get(broken)).layer(CatchPanic);
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
