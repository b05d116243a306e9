//! Asking the provider's own authentication.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use resthooks::deliver::http::{Body, Call, Client};
use resthooks::env::Clock;
use resthooks::model::Invalid;
use tokio::sync::{Semaphore, watch};

use super::answer::{Outcome, Reading};
use super::question::Question;
use crate::caller::Admission;
use crate::credentials::cache::{Cache, Fingerprint};
use crate::credentials::{Endpoint, Unverified};

/// Half of how many answers are kept.
const KEPT: usize = 8192;
/// Questions on their way at once.
const AT_ONCE: usize = 64;
/// Questions on their way, or waiting for it; who comes then is told to come again.
const AT_MOST: usize = 1024;
/// A no is kept for so much shorter than a yes: whoever has just been given access has it soon.
const NO_IS_SHORTER: u32 = 10;

/// How the provider's own authentication is asked.
#[derive(Debug)]
#[non_exhaustive]
pub struct ForwardOptions {
    /// Who is asked.
    pub endpoint: Endpoint,
    /// By what.
    pub client: Client,
    /// The headers that are shown to it (`Authorization`).
    pub headers: Vec<HeaderName>,
    /// How its answer is read.
    pub reading: Reading,
    /// How long an answer is kept for the same request by the same caller (10 s); zero for not at all.
    pub cache: Duration,
    /// How long a question may wait for its turn (5 s); the client says how long the answer may take.
    pub patience: Duration,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl ForwardOptions {
    /// The defaults.
    #[must_use]
    pub fn new(endpoint: Endpoint, client: Client, reading: Reading, clock: Arc<dyn Clock>) -> Self {
        Self {
            endpoint,
            client,
            headers: vec![http::header::AUTHORIZATION],
            reading,
            cache: Duration::from_secs(10),
            patience: Duration::from_secs(5),
            clock,
        }
    }
}

/// Admits callers whom the provider's own API admits.
#[derive(Debug, Clone)]
pub struct ForwardAuth(Arc<Asking>);

type Answers = watch::Receiver<Option<Outcome>>;

#[derive(Debug)]
struct Asking {
    options: ForwardOptions,
    kept: Cache<Outcome>,
    /// Questions on their way.
    open: Mutex<HashMap<Fingerprint, Answers>>,
    turns: Semaphore,
    /// Whether the last answer was neither yes nor no: it is logged once.
    is_failing: AtomicBool,
}

impl ForwardAuth {
    /// Whether these headers can be shown to somebody.
    ///
    /// # Errors
    /// When there is none, or one that is of a connection.
    pub fn check_headers(names: &[HeaderName]) -> Result<(), Invalid> {
        if names.is_empty() {
            return Err(Invalid::new("must show at least one header"));
        }
        let wrong = names.iter().find(|name| crate::credentials::is_of_the_connection(name));
        wrong.map_or(Ok(()), |name| {
            Err(Invalid(format!("must not show {name}, which is the connection's own")))
        })
    }

    /// Asks nothing yet.
    ///
    /// # Errors
    /// As [`ForwardAuth::check_headers`].
    pub fn new(options: ForwardOptions) -> Result<Self, Invalid> {
        Self::check_headers(&options.headers)?;
        Ok(Self(Arc::new(Asking {
            options,
            kept: Cache::new(KEPT),
            open: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
            is_failing: AtomicBool::new(false),
        })))
    }

    /// Finds out who asks; nothing when the request shows nothing that could be asked about.
    pub(in crate::credentials) async fn admit(&self, parts: &Parts) -> Result<Option<Admission>, Unverified> {
        let asking = &self.0;
        let question = Question::of(parts, &asking.options.headers).map_err(|_| Unverified::Refused)?;
        let Some(question) = question else { return Ok(None) };
        let outcome = match asking.kept.get(&question.name, asking.options.clock.monotonic()) {
            Some(kept) => kept,
            None => asking.outcome(question).await,
        };
        match outcome {
            Outcome::Admitted(admission) => Ok(Some(admission)),
            Outcome::Refused => Err(Unverified::Refused),
            Outcome::Failed(_) => Err(Unverified::Unavailable),
        }
    }
}

impl Asking {
    /// Asks, or waits for the answer when the same is being asked already.
    async fn outcome(self: &Arc<Self>, question: Question) -> Outcome {
        let mut answers = {
            let mut open = self.open();
            match open.get(&question.name) {
                Some(answers) => answers.clone(),
                None if open.len() >= AT_MOST => return Outcome::Failed("too many are asking"),
                None => {
                    let (tell, answers) = watch::channel(None);
                    open.insert(question.name, answers.clone());
                    let open = Open { asking: Arc::clone(self), name: question.name };
                    // A task of its own: a caller that goes away breaks nothing off for the others.
                    tokio::spawn(async move {
                        let outcome = open.asking.ask(question.headers).await;
                        open.asking.keep(open.name, &outcome);
                        tell.send_replace(Some(outcome));
                    });
                    answers
                }
            }
        };
        let told = answers.wait_for(Option::is_some).await;
        told.ok().and_then(|outcome| outcome.clone()).unwrap_or(Outcome::Failed("asking was broken off"))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Fingerprint, Answers>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, headers: HeaderMap) -> Outcome {
        let Self { options, turns, .. } = self;
        let turn = tokio::select! {
            turn = turns.acquire() => turn,
            () = options.clock.sleep(options.patience) => return self.told(Outcome::Failed("too many are asking")),
        };
        let target = &options.endpoint.target;
        let call = Call { method: Method::GET, target, headers, body: Body::default() };
        let exchange = options.client.send(call).await;
        drop(turn);
        match exchange.answer {
            Ok(answer) => self.told(options.reading.judge(&answer)),
            Err(failure) => {
                tracing::debug!(failure = failure.detail, "the provider's authentication could not be asked");
                self.told(Outcome::Failed("it could not be reached, or did not answer in time"))
            }
        }
    }

    /// Logs that it does not work, and that it works again.
    fn told(&self, outcome: Outcome) -> Outcome {
        let url = &self.options.endpoint.name;
        let is_failing = matches!(outcome, Outcome::Failed(_));
        let was_failing = self.is_failing.swap(is_failing, Ordering::Relaxed);
        match &outcome {
            Outcome::Failed(reason) if !was_failing => {
                tracing::warn!(
                    url,
                    reason,
                    "the provider's authentication answers neither yes nor no; callers get 503"
                );
            }
            Outcome::Admitted(_) | Outcome::Refused if was_failing => {
                tracing::info!(url, "the provider's authentication answers again");
            }
            _ => {}
        }
        outcome
    }

    fn keep(&self, name: Fingerprint, outcome: &Outcome) {
        let kept_for = match outcome {
            Outcome::Admitted(_) => self.options.cache,
            Outcome::Refused => self.options.cache / NO_IS_SHORTER,
            Outcome::Failed(_) => return,
        };
        if !kept_for.is_zero() {
            self.kept.put(name, outcome.clone(), self.options.clock.monotonic() + kept_for);
        }
    }
}

/// A question on its way; when that ends, however it does, it can be asked anew.
#[derive(Debug)]
struct Open {
    asking: Arc<Asking>,
    name: Fingerprint,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.asking.open().remove(&self.name);
    }
}
