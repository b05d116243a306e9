//! Asking the provider's own authentication.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use resthooks::deliver::http::{Body, Call, Client};
use resthooks::env::Clock;
use resthooks::model::Invalid;

use super::answer::{Outcome, Reading};
use super::line::{Joined, Line, Open};
use super::question::Question;
use crate::caller::Admission;
use crate::credentials::cache::{Cache, Fingerprint};
use crate::credentials::{Endpoint, Unverified};
use crate::peer::PeerAddress;

/// Half of how many answers are kept.
const KEPT: usize = 8192;
/// A no is kept for so much shorter than a yes: whoever has just been given access has it soon.
const NO_IS_SHORTER: u32 = 10;
/// How long after a line that it does not work the next one may follow.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Why somebody is told to come again though the provider may answer well.
const TOO_MANY: &str = "too many are asking";

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

#[derive(Debug)]
struct Asking {
    options: ForwardOptions,
    kept: Cache<Outcome>,
    line: Arc<Line>,
    health: Mutex<Health>,
}

/// What was last logged of how it answers.
#[derive(Debug, Default)]
struct Health {
    is_failing: bool,
    told_at: Option<Duration>,
}

impl Health {
    /// Notes an answer that is neither yes nor no; whether that is worth a line. A stranger may know how to get such an
    /// answer, whenever others get theirs: that makes no line for each.
    fn fails(&mut self, now: Duration) -> bool {
        let is_news = !self.is_failing && self.told_at.is_none_or(|at| now.saturating_sub(at) >= TELL_EVERY);
        if is_news {
            (self.is_failing, self.told_at) = (true, Some(now));
        }
        is_news
    }
}

impl ForwardAuth {
    /// The headers that are shown.
    pub(crate) fn headers(&self) -> &[HeaderName] {
        &self.0.options.headers
    }

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
            line: Line::new(),
            health: Mutex::default(),
        })))
    }

    /// Finds out who asks; nothing when the request shows nothing that could be asked about.
    pub(in crate::credentials) async fn admit(&self, parts: &Parts) -> Result<Option<Admission>, Unverified> {
        let asking = &self.0;
        let question = Question::of(parts, &asking.options.headers).map_err(|_| Unverified::Refused)?;
        let Some(question) = question else { return Ok(None) };
        let outcome = match asking.kept.get(&question.name, asking.options.clock.monotonic()) {
            Some(kept) => kept,
            None => {
                let peer: Option<&PeerAddress> = parts.extensions.get();
                asking.outcome(question, peer.map(|peer| peer.network())).await
            }
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
    async fn outcome(self: &Arc<Self>, question: Question, from: Option<IpAddr>) -> Outcome {
        let mut answers = match self.line.join(question.name, from) {
            Joined::Asked(answers) => answers,
            Joined::Full => return Outcome::Failed(TOO_MANY),
            Joined::New(open, tell, answers) => {
                let asking = Arc::clone(self);
                // A task of its own: a caller that goes away breaks nothing off for the others.
                tokio::spawn(async move {
                    let outcome = asking.ask(&open, question.headers).await;
                    asking.keep(open.name, &outcome);
                    tell.send_replace(Some(outcome));
                });
                answers
            }
        };
        let told = answers.wait_for(Option::is_some).await;
        told.ok().and_then(|outcome| outcome.clone()).unwrap_or(Outcome::Failed("asking was broken off"))
    }

    async fn ask(&self, open: &Open, headers: HeaderMap) -> Outcome {
        let options = &self.options;
        let turn = tokio::select! {
            turn = open.turn() => turn,
            () = options.clock.sleep(options.patience) => return Outcome::Failed(TOO_MANY),
        };
        let target = &options.endpoint.target;
        let call = Call { method: Method::GET, target, headers, body: Body::default(), timeout: None };
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
        let (url, now) = (&self.options.endpoint.name, self.options.clock.monotonic());
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match &outcome {
            Outcome::Failed(reason) if health.fails(now) => {
                tracing::warn!(
                    url,
                    reason,
                    "the provider's authentication answers neither yes nor no; callers get 503"
                );
            }
            Outcome::Admitted(_) | Outcome::Refused if std::mem::take(&mut health.is_failing) => {
                tracing::info!(url, "the provider's authentication answers again");
            }
            _ => {}
        }
        drop(health);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_fills_no_log() {
        let mut health = Health::default();
        let mut lines = 0;
        for second in 0..600 {
            lines += usize::from(health.fails(Duration::from_secs(second)));
            // Somebody else gets an answer.
            health.is_failing = false;
        }
        assert_eq!(lines, 10);
        assert!(
            health.fails(Duration::from_secs(1000)) && !health.fails(Duration::from_secs(2000)),
            "told once"
        );
    }
}
