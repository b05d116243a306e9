//! `resthooks listen`: a receiver to look at hooks with, for whoever builds one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use clap::Args;
use http::StatusCode;
use resthooks::env::{Clock as _, SystemClock};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::wait_for;
use crate::failure::Failure;
use crate::lifecycle::Signals;
use crate::receiver::{self, Hook};
use crate::terminal::{self, Colour, Screen};

/// The command's words.
#[derive(Debug, Args)]
pub(super) struct Listen {
    /// Where to listen: an address and a port; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// The subscription's secret (whsec_…), or its public key (whpk_…), to verify signatures with; hooks that fail are answered
    /// 401. Of several, one that fits is enough
    // Not parsed by clap, which would repeat what it can't read.
    #[arg(
        long,
        value_name = "SECRET",
        env = "RESTHOOKS_SECRET",
        hide_env_values = true,
        value_delimiter = ','
    )]
    secret: Vec<String>,
    /// The status that hooks are answered with
    #[arg(long, value_name = "CODE", default_value = "200", value_parser = parse_status)]
    status: StatusCode,
    /// End after so many hooks
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

fn parse_status(text: &str) -> Result<StatusCode, String> {
    let status: StatusCode = text.parse().map_err(|_| "must be a status code")?;
    if (200..600).contains(&status.as_u16()) { Ok(status) } else { Err("must be from 200 to 599".to_owned()) }
}

impl Listen {
    pub(super) fn run(mut self) -> Result<(), Failure> {
        // A variable that is set to nothing gives none.
        self.secret.retain(|secret| !secret.is_empty());
        for secret in &self.secret {
            receiver::check_secret(secret).map_err(|wrong| Failure::Usage(format!("--secret: {wrong}")))?;
        }
        wait_for(self.listen())
    }

    async fn listen(self) -> Result<(), Failure> {
        let mut signals = Signals::catch()?;
        let bound = TcpListener::bind(self.listen).await;
        let listener = bound.with_context(|| format!("--listen: can't listen on {}", self.listen))?;
        terminal::line(format_args!("waiting for hooks on http://{}/", listener.local_addr()?));
        if self.secret.is_empty() {
            terminal::line(
                "signatures are not verified: give the subscription's secret or public key with --secret",
            );
        }
        let enough = Arc::new(Notify::new());
        let received = AtomicU64::new(0);
        let (screen, clock) = (Screen::stdout(), SystemClock::default());
        let was_enough = Arc::clone(&enough);
        let answer = move |hook: Hook| {
            let status = self.take(&hook, screen, &clock);
            if Some(received.fetch_add(1, Ordering::Relaxed) + 1) == self.count {
                was_enough.notify_one();
            }
            status
        };
        let stop = async {
            tokio::select! {
                () = enough.notified() => {}
                _ = signals.next() => {}
            }
        };
        receiver::receive(listener, answer, stop).await;
        Ok(())
    }

    /// Prints a hook and says what it is answered with.
    fn take(&self, hook: &Hook, screen: Screen, clock: &SystemClock) -> StatusCode {
        let verify = |secret: &String| receiver::verify(&hook.headers, &hook.body, secret, clock.now());
        let verified = self.secret.iter().map(verify).reduce(|one, other| one.or(other));
        let (verdict, status) = match verified {
            None => (screen.paint(Colour::Yellow, "signature not verified"), self.status),
            Some(Ok(())) => (screen.paint(Colour::Green, "signature verified"), self.status),
            Some(Err(why)) => {
                (screen.paint(Colour::Red, format_args!("refused: it {why}")), StatusCode::UNAUTHORIZED)
            }
        };
        let body = match serde_json::from_slice::<Value>(&hook.body) {
            Ok(json) => format!("{json:#}"),
            Err(_) => String::from_utf8_lossy(&hook.body).into_owned(),
        };
        terminal::line(format_args!(
            "\n{}  {}  attempt {}  {verdict}  answered {}\n{}",
            screen.paint(Colour::Bold, shown(hook.header("x-hook-event"))),
            shown(hook.header("webhook-id")),
            shown(hook.header("x-hook-attempt")),
            status.as_u16(),
            body.chars().filter(|c| *c == '\n' || !c.is_control()).collect::<String>(),
        ));
        status
    }
}

/// What a stranger sent, without what would steer the terminal.
fn shown(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if text.is_empty() { "–".to_owned() } else { text }
}
