//! The demo's three targets: receivers that check what arrives with nothing but the secret they were shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use resthooks::env::{Clock, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::receiver::{self, Hook};

/// How a target behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Manner {
    /// Answers 204.
    Good,
    /// Answers 500 to its first two requests, then 200.
    Flaky,
    /// Answers 410.
    Gone,
}

impl Manner {
    pub(super) const ALL: [Self; 3] = [Self::Good, Self::Flaky, Self::Gone];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Flaky => "flaky",
            Self::Gone => "gone",
        }
    }

    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::Good => "answers 204 to every hook",
            Self::Flaky => "answers 500 twice, then 200",
            Self::Gone => "answers 410: it wants no more hooks",
        }
    }

    const fn answer(self, requests_before: usize) -> StatusCode {
        match self {
            Self::Good => StatusCode::NO_CONTENT,
            Self::Flaky if requests_before < 2 => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Flaky => StatusCode::OK,
            Self::Gone => StatusCode::GONE,
        }
    }
}

/// A hook that arrived at a target.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    /// Where.
    pub at: Manner,
    /// Its type.
    pub event: String,
    /// Its `webhook-id`.
    pub id: String,
    /// Its `x-hook-attempt`.
    pub attempt: String,
    /// What it was answered with.
    pub answered: StatusCode,
    /// Whether its signatures are right, and why not.
    pub verified: Result<(), String>,
    /// When it arrived, since the demo began.
    pub after: Duration,
}

/// The targets. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Targets {
    urls: HashMap<Manner, String>,
    secrets: Secrets,
    tasks: tokio::task::JoinSet<()>,
}

type Secrets = Arc<Mutex<HashMap<Manner, String>>>;

impl Targets {
    /// Begins to receive on free ports of loopback; every arrival is told to `arrivals`.
    pub(super) async fn start(
        clock: SystemClock,
        arrivals: &mpsc::UnboundedSender<Arrival>,
    ) -> std::io::Result<Self> {
        let mut targets =
            Self { urls: HashMap::new(), secrets: Arc::default(), tasks: tokio::task::JoinSet::new() };
        for manner in Manner::ALL {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            targets.urls.insert(manner, format!("http://{}/hooks", listener.local_addr()?));
            let (secrets, arrivals) = (Arc::clone(&targets.secrets), arrivals.clone());
            let requests = Mutex::new(0);
            let answer = move |hook: Hook| {
                let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
                let answered = manner.answer(*requests);
                *requests += 1;
                // Told before the lock is given back, so that arrivals are shown in the order of the answers.
                let _ = arrivals.send(arrival(manner, &hook, answered, &secrets, &clock));
                answered
            };
            targets.tasks.spawn(receiver::receive(listener, answer, std::future::pending()));
        }
        Ok(targets)
    }

    /// A target's URL.
    pub(super) fn url(&self, manner: Manner) -> &str {
        self.urls.get(&manner).map_or("", String::as_str)
    }

    /// Tells a target the secret that it was subscribed with.
    pub(super) fn tell_secret(&self, manner: Manner, secret: &str) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(manner, secret.to_owned());
    }
}

fn arrival(at: Manner, hook: &Hook, answered: StatusCode, secrets: &Secrets, clock: &SystemClock) -> Arrival {
    let secret = secrets.lock().unwrap_or_else(PoisonError::into_inner).get(&at).cloned().unwrap_or_default();
    Arrival {
        at,
        event: hook.header("x-hook-event").to_owned(),
        id: hook.header("webhook-id").to_owned(),
        attempt: hook.header("x-hook-attempt").to_owned(),
        answered,
        verified: receiver::verify(&hook.headers, &hook.body, &secret, clock.now()),
        after: clock.monotonic(),
    }
}
