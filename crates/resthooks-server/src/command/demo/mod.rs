//! `resthooks demo`: the whole thing at work in some seconds, with nothing to prepare.
//!
//! A node like any other runs on loopback with a temporary store; everything is asked of it through its HTTP API, as a
//! provider and a consumer would. What arrived is judged at the end: the demo fails when anything isn't as it should be.

mod show;
mod story;
mod targets;

use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use clap::Args;
use resthooks::env::{Clock as _, SystemClock};

use super::wait_for;
use crate::failure::Failure;
use crate::lifecycle::{Node, Signals};
use crate::settings::{DEV_ADMIN_KEY, LogFormat, Resolved};
use crate::telemetry;
use crate::terminal::Screen;

/// How long it may take, in all.
const WITHIN: Duration = Duration::from_secs(13);
/// How long its server may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// The command's words.
#[derive(Debug, Args)]
pub(super) struct Demo {}

impl Demo {
    #[expect(clippy::unused_self, reason = "as every command's")]
    pub(super) fn run(self) -> Result<(), Failure> {
        telemetry::init(LogFormat::Auto, "error");
        wait_for(async {
            let mut signals = Signals::catch()?;
            tokio::select! {
                shown = demo() => Ok(shown?),
                signal = signals.next() => Err(Failure::Running(anyhow!("ended by {signal}"))),
            }
        })
    }
}

async fn demo() -> anyhow::Result<()> {
    let clock = SystemClock::default();
    let folder = tempfile::Builder::new().prefix("resthooks-demo-").tempdir()?;
    let store = folder.path().join("demo.db");
    let store = store.to_str().context("the folder for temporary files has a name that is no text")?;
    let settings = Resolved::of(&[
        ("dev", "true"),
        ("listen", "127.0.0.1:0"),
        ("store", &format!("sqlite:{store}")),
        ("admin-key", DEV_ADMIN_KEY),
        // Retries within a second instead of days.
        ("retry-schedule", "300ms"),
        ("retry-schedule", "700ms"),
        ("retry-schedule", "1s"),
    ])?
    .settings;
    let node = Node::start(&settings).await?;
    let url = node.url();
    let shown = tokio::select! {
        shown = story::tell(&url, store, Screen::stdout(), clock) => shown,
        () = clock.sleep(WITHIN) => Err(anyhow!("it is not done after {} s", WITHIN.as_secs())),
    };
    let all_ended = node.stop(STOP_WITHIN).await;
    folder.close().context("the temporary store can't be removed")?;
    shown?;
    ensure!(all_ended, "the server did not stop in order");
    Ok(())
}
