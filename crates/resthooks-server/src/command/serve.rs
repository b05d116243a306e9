//! `resthooks serve`: runs a node until a signal ends it.

use clap::Args;

use super::wait_for;
use crate::failure::Failure;
use crate::lifecycle::{Node, Signals, Wish};
use crate::settings::{self, Given, Resolved, Settings, StoreAt};
use crate::{telemetry, terminal};

/// File handles that are neither a caller's nor a target's: the store's, the runtime's, lookups of names.
const HANDLES_OF_OUR_OWN: usize = 64;
/// Keys shorter than this can be guessed.
const SHORT_KEY: usize = 16;

/// The command's words.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    given: Given,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let resolved = Resolved::load(&self.given)?;
        resolved.check_tls()?;
        let identity = resolved.client_identity()?;
        let mut settings = resolved.settings;
        settings.engine.client_identity = identity;
        telemetry::init(settings.log_format, &settings.log_level);
        for name in settings::unknown_variables(std::env::vars_os().map(|(name, _)| name)) {
            tracing::warn!(name, "this environment variable looks like a setting and is none");
        }
        settings.max_connections = fitting_connections(&settings, raise_file_limit());
        wait_for(serve(settings))
    }
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    // Before anything is begun, so that a signal at any later moment ends it in order.
    let mut signals = Signals::catch()?;
    if settings.tls().is_some() {
        signals.catch_hang_up()?;
    }
    let node = tokio::select! {
        node = Node::start(&settings) => node?,
        // What the start had begun ends with the process, as in a crash: nothing was answered yet.
        signal = signals.next() => {
            tracing::info!(signal, "stopped while starting");
            return Ok(());
        }
    };
    greet(&settings, &node);
    if !settings.dev && settings.admin_key.as_ref().is_some_and(|key| key.len() < SHORT_KEY) {
        tracing::warn!(
            "the admin key is short enough to be guessed: give at least {SHORT_KEY} random characters"
        );
    }
    tracing::info!(
        address = %node.address(), node = node.no().0, version = env!("CARGO_PKG_VERSION"), "started"
    );
    let signal = loop {
        match signals.wish().await {
            Wish::Stop(signal) => break signal,
            Wish::Reload => node.reload(),
        }
    };
    tracing::info!(signal, "stopping");
    let all_ended = tokio::select! {
        stopped = node.stop(settings.shutdown_grace) => stopped,
        signal = signals.next() => {
            tracing::error!(signal, "ended at once by a second signal");
            // Not even by way of destructors: they would wait for the disk.
            std::process::exit(1);
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
    let url = node.url();
    terminal::line(format_args!("resthooks {}", env!("CARGO_PKG_VERSION")));
    terminal::line(format_args!("listening on {url}"));
    match &settings.store {
        file @ StoreAt::File(_) => terminal::line(format_args!("store: {file}")),
        // Never with its password.
        database @ StoreAt::Postgres(_) => {
            terminal::line(format_args!("store: {database}, schema {}", settings.schema));
        }
    }
    terminal::line(format_args!("docs: {url}/docs"));
    if let Some(key) = node.made_admin_key() {
        terminal::line(format_args!("admin key: {key}   (shown this once: keep it)"));
    }
    if let Some(path) = node.made_key_file() {
        let path = path.display();
        terminal::line(format_args!(
            "secret key: made {path}   (keep a copy: without it the secrets in the store can't be read)"
        ));
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

/// Each connection is a file handle; the soft limit is often a mere 1,024. The limit that holds.
fn raise_file_limit() -> Option<u64> {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => {
            tracing::debug!(limit, "file handles");
            Some(limit)
        }
        Err(error) => {
            tracing::warn!(%error, "the limit of file handles can't be raised");
            None
        }
    }
}

/// As many connections of callers as leave file handles for those to targets, and for the store.
fn fitting_connections(settings: &Settings, file_limit: Option<u64>) -> usize {
    let Some(limit) = file_limit.and_then(|limit| usize::try_from(limit).ok()) else {
        return settings.max_connections;
    };
    let left = limit.saturating_sub(settings.engine.max_in_flight + HANDLES_OF_OUR_OWN).max(1);
    if left < settings.max_connections {
        tracing::warn!(limit, max_connections = left, "the limit of file handles allows fewer connections");
    }
    settings.max_connections.min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_targets() {
        let settings = Resolved::defaults().unwrap().settings;
        let all = settings.max_connections;
        assert_eq!(fitting_connections(&settings, None), all);
        assert_eq!(fitting_connections(&settings, Some(1 << 20)), all);
        assert_eq!(fitting_connections(&settings, Some(1024)), 1024 - 512 - 64);
        assert_eq!(fitting_connections(&settings, Some(256)), 1);
    }
}
