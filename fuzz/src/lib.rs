//! What the fuzz targets share: the whole API over an engine on a store of its own, called without a socket.
//!
//! Nothing leaves the machine: no name resolves, and every connection is asked of a proxy that is not there.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use resthooks::deliver::resolver::StaticResolver;
use resthooks::env::{ManualClock, SeededRandom};
use resthooks::model::Timestamp;
use resthooks::{EventTypes, Hooks};
use resthooks_api::Options;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

/// The provider's key.
pub const ADMIN: &str = "admin-key-of-the-fuzz-targets";
/// Now, in seconds: the clock stands still.
pub const NOW: i64 = 1_767_323_045;

/// An engine with its API.
pub struct App {
    runtime: Runtime,
    router: Router,
    // Removed with it.
    _place: TempDir,
}

impl App {
    /// A fresh one, in memory where there is such a place.
    pub fn start(api: Options) -> Self {
        let place = tempfile::tempdir_in(if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" });
        let place = place.expect("a place for the store");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let store = resthooks_sqlite::SqliteStore::open(place.path().join("store.db"), Default::default());
        let store = Arc::new(store.expect("a store"));
        let options = resthooks::Options {
            clock: clock(),
            random: Arc::new(SeededRandom::new(7)),
            resolver: Arc::new(StaticResolver::default()),
            event_types: EventTypes::Auto,
            outbound_proxy: Some("http://127.0.0.1:1".parse().expect("a proxy's URL")),
            ..resthooks::Options::default()
        };
        let router = runtime.block_on(async {
            let hooks = Hooks::start(store, options).await.expect("an engine");
            hooks.ensure_provider_key(ADMIN).await.expect("the provider's key");
            resthooks_api::router(hooks, api)
        });
        Self { runtime, router, _place: place }
    }

    /// Asks, and answers the status and the body.
    pub fn ask(&self, request: Request<Body>) -> (StatusCode, Vec<u8>) {
        self.runtime.block_on(async {
            let answer = self.router.clone().oneshot(request).await.expect("a router always answers");
            let status = answer.status();
            (status, answer.into_body().collect().await.expect("a whole answer").to_bytes().to_vec())
        })
    }
}

/// A clock that stands still, so that what is found once is found again.
pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(NOW * 1000)))
}
