//! From the resources' routes to a router: each path with and without its trailing slash, and an answer for what
//! is not there.

use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use http::StatusCode;
use resthooks::Hooks;
use utoipa_axum::router::UtoipaMethodRouter;

use crate::api::{Api, Callers};
use crate::options::Options;
use crate::panic::CatchPanic;
use crate::problem::Problem;
use crate::{account, api_key, audit, delivery, event, event_type, guard, node, ops, subscription, verify};

/// One path's handlers with their descriptions.
pub(crate) type Routes = UtoipaMethodRouter<Arc<Api>>;

/// Where the API begins.
pub(crate) const PREFIX: &str = "/api/v1";

/// Routes and where they are mounted.
pub(crate) struct Mounted {
    pub prefix: &'static str,
    pub routes: Vec<Routes>,
    /// Whether they need no credentials.
    pub open: bool,
}

/// Everything that the server answers.
pub(crate) fn everything() -> Vec<Mounted> {
    let resources = [
        subscription::routes(),
        event_type::routes(),
        event::routes(),
        delivery::routes(),
        verify::routes(),
        api_key::routes(),
        account::routes(),
        audit::routes(),
        node::routes(),
    ];
    vec![
        Mounted { prefix: PREFIX, routes: resources.into_iter().flatten().collect(), open: false },
        Mounted { prefix: "", routes: ops::routes(), open: true },
    ]
}

/// The whole HTTP API: everything under `/api/v1`, authenticated by API keys and whatever
/// else [`Options`] say, and `/healthz`, `/readyz`,
/// `/metrics`, `/openapi.json` and `/docs`, which are open to all who reach the server and hold no secret.
///
/// ```
/// # fn serve(hooks: resthooks::Hooks) -> axum::Router {
/// let app = resthooks_api::router(hooks, resthooks_api::Options::default());
/// // axum::serve(listener, app).await?;
/// # app
/// # }
/// ```
pub fn router(hooks: Hooks, options: Options) -> Router {
    let api = Api::new(hooks, options, Callers::Credentials);
    let cors = guard::cors_layer(&api.options.cors_origins);
    let router = everything().into_iter().fold(Router::new(), |router, Mounted { prefix, routes, open }| {
        let routes = mount(Router::new(), prefix, routes).layer(CatchPanic);
        // Around the rest: a page may see as well why it was refused.
        router.merge(match &cors {
            Some(cors) if !open => routes.layer(cors.clone()),
            _ => routes,
        })
    });
    router.fallback(not_found).with_state(api)
}

/// The routes that an application offers to its own users, to be nested below its own API: event types (to read),
/// subscriptions, events (to read), deliveries, and the verification of hooks.
///
/// They ask for no credentials: the application's own middleware finds out who asks and inserts a
/// [`Caller`](crate::Caller) into the request's extensions. Without one the answer is 401.
///
/// ```
/// use axum::extract::Request;
/// use axum::middleware::{Next, from_fn};
/// use axum::response::Response;
/// use resthooks_api::Caller;
///
/// /// The application's own authentication.
/// async fn authenticate(mut request: Request, next: Next) -> Response {
///     if let Some(user) = request.headers().get("x-user").and_then(|user| user.to_str().ok()) {
///         if let Ok(account) = user.parse() {
///             request.extensions_mut().insert(Caller::Consumer(account));
///         }
///     }
///     next.run(request).await
/// }
///
/// # fn app(hooks: resthooks::Hooks) -> axum::Router {
/// let hooks = resthooks_api::consumer_router(hooks).layer(from_fn(authenticate));
/// axum::Router::new().nest("/api", hooks)
/// # }
/// ```
pub fn consumer_router(hooks: Hooks) -> Router {
    let api = Api::new(hooks, Options::default(), Callers::Embedder);
    let resources = [
        subscription::routes(),
        event_type::consumer_routes(),
        event::consumer_routes(),
        delivery::routes(),
        verify::routes(),
    ];
    let router = resources.into_iter().fold(Router::new(), |router, routes| mount(router, "", routes));
    router.layer(CatchPanic).with_state(api)
}

fn mount(mut router: Router<Arc<Api>>, prefix: &str, routes: Vec<Routes>) -> Router<Arc<Api>> {
    for (_, described, methods) in routes {
        let methods = methods.fallback(method_not_allowed);
        for path in described.paths.keys() {
            let bare = path.trim_end_matches('/');
            router = router
                .route(&format!("{prefix}{bare}"), methods.clone())
                .route(&format!("{prefix}{bare}/"), methods.clone());
        }
    }
    router
}

async fn not_found() -> impl IntoResponse {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such route")
}

/// The router adds `Allow`.
async fn method_not_allowed() -> impl IntoResponse {
    let detail = "this route does not take this method; see Allow";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
