//! One node from start to stop.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use resthooks::Hooks;
use resthooks::env::Clock;
use resthooks::model::NodeNo;
use resthooks_api::RateLimit;
use tokio::net::TcpListener;

use super::admin_key;
use super::connection::Service;
use super::door::{Door, Room};
use super::store::{OpenStore, key_file_to_make};
use super::tls::Tls;
use crate::settings::{Hidden, Settings};

/// A running node.
#[derive(Debug)]
pub(crate) struct Node {
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    made_admin_key: Option<Hidden>,
    made_key_file: Option<PathBuf>,
    door: Door,
    hooks: Hooks,
    store: OpenStore,
    clock: Arc<dyn Clock>,
}

impl Node {
    /// Takes the address, opens the store, starts the engine, makes sure that there is an admin key, and lets callers
    /// in.
    pub(crate) async fn start(settings: &Settings) -> anyhow::Result<Self> {
        // First of all, because it is the likeliest to fail and leaves nothing behind when something later does.
        let listener = listen(settings.listen).await?;
        let address = listener.local_addr()?;
        let tls = settings.tls().map(Tls::load).transpose()?.map(Arc::new);
        let made_key_file = key_file_to_make(settings);
        let store = OpenStore::open(settings).await?;
        let made_key_file = made_key_file.filter(|path| path.exists());
        let mut engine = settings.engine.clone();
        if engine.node_name.is_empty() {
            engine.node_name = own_name();
        }
        let public_url = settings.public_url.clone().unwrap_or_else(|| url(address, tls.is_some()));
        engine.origin = host(&public_url);
        let hooks = Hooks::start(store.store(), engine).await?;
        let made_admin_key =
            admin_key::ensure(&hooks, settings.admin_key.as_deref()).await?.map(Hidden::from);
        let options = api_options(settings, public_url)?;
        let app = resthooks_api::router(hooks.clone(), options);
        let clock = Arc::clone(&settings.engine.clock);
        let connections = settings.max_connections;
        let per_address = settings.max_connections_per_address.unwrap_or(connections.div_ceil(2));
        let service = Service { app, tls: tls.clone(), clock: Arc::clone(&clock) };
        let door = Door::open(listener, service, Room { connections, per_address });
        Ok(Self { address, tls, made_admin_key, made_key_file, door, hooks, store, clock })
    }

    /// Reads the files again that may change while it runs.
    pub(crate) fn reload(&self) {
        if let Some(tls) = &self.tls {
            tls.reload();
        }
    }

    /// Where it listens, as a URL.
    pub(crate) fn url(&self) -> String {
        url(self.address, self.tls.is_some())
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its number among the nodes of its store.
    pub(crate) fn no(&self) -> NodeNo {
        self.hooks.node_no()
    }

    /// The file with the key that secrets are sealed with, when this start made it.
    pub(crate) fn made_key_file(&self) -> Option<&Path> {
        self.made_key_file.as_deref()
    }

    /// The admin key, when this start made one. It can't be read again.
    pub(crate) fn made_admin_key(&self) -> Option<&str> {
        self.made_admin_key.as_deref()
    }

    /// Lets nobody in any more, answers who is inside, lets deliveries in flight end, and closes the store, all within
    /// `grace`. Whether everything ended by itself; what did not is taken up by the next start.
    pub(crate) async fn stop(self, grace: Duration) -> bool {
        let begun = self.clock.monotonic();
        // A caller that dawdles must not use up the time that deliveries in flight need.
        let all_answered = self.door.close(grace / 2).await;
        let left = grace.saturating_sub(self.clock.monotonic().saturating_sub(begun));
        let all_delivered = self.hooks.shutdown(left).await;
        let closed = self.store.close().await;
        if let Err(error) = &closed {
            // Nothing is lost by that, as after a crash: the next start takes more time.
            tracing::warn!(%error, "the store could not be closed in full");
        }
        all_answered && all_delivered && closed.is_ok()
    }
}

fn api_options(settings: &Settings, public_url: String) -> anyhow::Result<resthooks_api::Options> {
    let mut options = resthooks_api::Options::default();
    options.public_url = Some(public_url);
    options.rate_limit = settings
        .rate_limit
        .map(|per_second| RateLimit { per_second, burst: settings.rate_limit_burst.unwrap_or(per_second) });
    options.cors_origins.clone_from(&settings.cors_origins);
    options.metrics_key.clone_from(&settings.metrics_key);
    options.clock = Arc::clone(&settings.engine.clock);
    options.credentials = settings.credentials.build(&settings.engine)?;
    Ok(options)
}

fn url(address: SocketAddr, with_tls: bool) -> String {
    format!("{}://{address}", if with_tls { "https" } else { "http" })
}

/// Who we are to targets.
fn host(public_url: &str) -> String {
    let url = url::Url::parse(public_url).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| "localhost".to_owned())
}

/// What tells this process from the others on its host, and its host from others.
fn own_name() -> String {
    let host = whoami::hostname().unwrap_or_else(|_| "unnamed host".to_owned());
    format!(
        "{} {}",
        host.chars().filter(|c| !c.is_control()).take(60).collect::<String>(),
        std::process::id()
    )
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("--listen: {address} is in use by another program")
        }
        io::ErrorKind::PermissionDenied => anyhow::anyhow!("--listen: {address} is not allowed to this user"),
        io::ErrorKind::AddrNotAvailable => {
            anyhow::anyhow!("--listen: {address} is not an address of this machine")
        }
        _ => anyhow::Error::new(error).context(format!("--listen: can't listen on {address}")),
    })
}
