//! A contacts API that embeds resthooks: its users subscribe to what happens to their contacts through the API itself.
//!
//! In the order of a start: [`run`] opens the store, starts the engine, says what it emits (`event_types`), and serves
//! its own routes (`contacts`) and the consumers' routes of `resthooks-api`, both behind its own authentication (`auth`).

mod auth;
mod contacts;
mod event_types;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use resthooks::Hooks;
use resthooks_sqlite::SqliteStore;
use tokio::net::TcpListener;

/// How long deliveries in flight may take when it stops.
const GRACE: Duration = Duration::from_secs(30);

/// Serves until `stop` ends, then stops in order: requests first, then deliveries in flight, then the store.
///
/// # Errors
/// When the store can't be opened, or the engine can't be started.
pub async fn run(
    listener: TcpListener,
    store: impl AsRef<Path>,
    options: resthooks::Options,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let store = Arc::new(SqliteStore::open(store, resthooks_sqlite::Options::default())?);
    let hooks = Hooks::start(Arc::clone(&store) as _, options).await?;
    let base = format!("http://{}", listener.local_addr()?);
    event_types::register(&hooks, &base).await?;

    axum::serve(listener, app(hooks.clone())).with_graceful_shutdown(stop).await?;

    hooks.shutdown(GRACE).await;
    // Moves the last of the log into the file, which takes some milliseconds of this thread.
    store.close()?;
    Ok(())
}

/// The application's routes and, below `/hooks`, those of its consumers.
fn app(hooks: Hooks) -> Router {
    let users = Arc::new(auth::Users::default());
    Router::new()
        .merge(contacts::routes(hooks.clone()))
        .nest("/hooks", resthooks_api::consumer_router(hooks))
        .layer(from_fn_with_state(users, auth::authenticate))
}
