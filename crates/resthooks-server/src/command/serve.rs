//! `resthooks serve`: runs a node until a signal ends it.

use clap::Args;

use super::runtime;
use crate::failure::Failure;
use crate::lifecycle::{Node, Signals};
use crate::settings::{Given, Resolved, Settings};
use crate::{telemetry, terminal};

/// The command's words.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    given: Given,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let settings = Resolved::load(&self.given)?.settings;
        telemetry::init(settings.log_format, &settings.log_level);
        raise_file_limit();
        runtime()?.block_on(serve(settings))
    }
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    // Before anything is begun, so that a signal at any later moment ends it in order.
    let mut signals = Signals::catch()?;
    let node = tokio::select! {
        node = Node::start(&settings) => node?,
        // What the start had begun ends with the process, as in a crash: nothing was answered yet.
        signal = signals.next() => {
            tracing::info!(signal, "stopped while starting");
            return Ok(());
        }
    };
    greet(&settings, &node);
    tracing::info!(address = %node.address(), version = env!("CARGO_PKG_VERSION"), "started");
    let signal = signals.next().await;
    tracing::info!(signal, "stopping");
    let all_ended = tokio::select! {
        stopped = node.stop(settings.shutdown_grace) => stopped,
        signal = signals.next() => {
            return Err(Failure::Running(anyhow::anyhow!("ended at once by a second signal ({signal})")));
        }
    };
    if all_ended {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped; what did not end is taken up by the next start");
    }
    Ok(())
}

/// What an operator wants to know first, on stdout. The line with the address is there for programs, too.
fn greet(settings: &Settings, node: &Node) {
    let address = node.address();
    terminal::line(format_args!("resthooks {}", env!("CARGO_PKG_VERSION")));
    terminal::line(format_args!("listening on http://{address}"));
    terminal::line(format_args!("store: sqlite:{}", settings.store.display()));
    terminal::line(format_args!("docs: http://{address}/docs"));
    if let Some(key) = node.made_admin_key() {
        terminal::line(format_args!("admin key: {key}   (shown this once: keep it)"));
    }
    if settings.dev {
        let key = settings.admin_key.as_deref().unwrap_or_default();
        let key = if key == crate::settings::DEV_ADMIN_KEY { key } else { "the one that was given" };
        terminal::line(format_args!(
            "development mode: http and private targets are allowed, event types register themselves, the admin key \
             is {key}"
        ));
    }
}

/// Each connection is a file handle; the soft limit is often a mere 1,024.
fn raise_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "file handles"),
        Err(error) => tracing::warn!(%error, "the limit of file handles can't be raised"),
    }
}
