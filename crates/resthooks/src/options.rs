//! How the engine runs: every setting with its default, and which values make sense.

use std::sync::Arc;
use std::time::Duration;

use crate::deliver::guard;
use crate::deliver::http::{self, Client};
use crate::deliver::resolver::{Resolver, SystemResolver};
use crate::env::{Clock, Random, SystemClock, SystemRandom};
use crate::error::Error;
use crate::model::Intent;
use crate::retention::RetentionPolicy;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The longest timeout and step of a schedule.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// The shortest lease: a node must be able to lengthen it several times over a slow network.
const SHORTEST_LEASE: Duration = Duration::from_millis(500);
/// The longest name of a node, in bytes.
const MAX_NODE_NAME_BYTES: usize = 255;

/// The longest origin, in bytes: as long as a host's name can be, with an address's brackets and a port.
const MAX_ORIGIN_BYTES: usize = 270;

/// Whether events of unregistered types are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventTypes {
    /// They are.
    #[default]
    Strict,
    /// A type registers itself with its first event.
    Auto,
}

/// When a failed delivery is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// The wait after the first attempt, after the second, …; after the last one's attempt the delivery is dead.
    pub schedule: Vec<Duration>,
    /// Each wait is lengthened by up to this fraction of itself, at random.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    /// 5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h; 20 % jitter.
    fn default() -> Self {
        let seconds = [5, 30, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
        Self { schedule: seconds.into_iter().map(Duration::from_secs).collect(), jitter: 0.2 }
    }
}

/// How the engine runs. `Options::default()` is fit for production.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether unknown event types are refused.
    pub event_types: EventTypes,
    /// Which targets are allowed.
    pub targets: guard::Policy,
    /// When failed deliveries are tried again.
    pub retry: RetryPolicy,
    /// To resolve, connect and shake hands (5 s).
    pub connect_timeout: Duration,
    /// For a whole attempt (15 s).
    pub attempt_timeout: Duration,
    /// Requests in flight to all targets together (512).
    pub max_in_flight: usize,
    /// Requests in flight to one target, unless its subscription says another number (64).
    pub max_in_flight_per_target: usize,
    /// Deliveries that wait in memory for one target; what is more waits in the store (8,192).
    pub queue_per_target: usize,
    /// Bytes of events that wait in memory for all targets together (64 MiB).
    pub queue_bytes: usize,
    /// How long a delivery waits in memory for its turn before it goes to the store (5 s).
    pub queue_patience: Duration,
    /// A subscription that has had no success for so long while failing is disabled (5 days).
    pub disable_after: Duration,
    /// How receivers confirm their intent, unless their account says otherwise (`none`).
    pub intent: Intent,
    /// A subscription that is not confirmed within this time is removed (24 h).
    pub intent_timeout: Duration,
    /// The waits between the attempts of a confirmation: few, since somebody waits for it (5 s, 30 s, 2 min, 10 min).
    pub intent_retries: Vec<Duration>,
    /// Who we are to targets that are asked for a grant (`WebHook-Request-Origin`): a host's name (`localhost`).
    pub origin: String,
    /// How often a target is asked again for its grant (24 h).
    pub grant_renewal: Duration,
    /// How long what has happened is kept (events 30 days).
    pub retention: RetentionPolicy,
    /// How often counters and the watermark are saved (1 s).
    pub checkpoint_interval: Duration,
    /// What this node is called among those that share a store; for operators. Empty in a store of its own.
    pub node_name: String,
    /// How long this node may be silent before others that share its store take over what it has in hand (10 s).
    pub lease: Duration,
    /// Certificates to trust beside the built-in roots, DER.
    pub extra_roots: Vec<Vec<u8>>,
    /// The certificate shown to targets that ask for one (none).
    pub client_identity: Option<http::Identity>,
    /// The HTTP proxy by which targets are connected to (none; the environment is never asked).
    pub outbound_proxy: Option<http::Proxy>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub random: Arc<dyn Random>,
    /// Resolves targets' names.
    pub resolver: Arc<dyn Resolver>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            event_types: EventTypes::default(),
            targets: guard::Policy::default(),
            retry: RetryPolicy::default(),
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(15),
            max_in_flight: 512,
            max_in_flight_per_target: 64,
            queue_per_target: 8192,
            queue_bytes: 64 * 1024 * 1024,
            queue_patience: Duration::from_secs(5),
            disable_after: Duration::from_secs(5 * 24 * 3600),
            intent: Intent::None,
            intent_timeout: DAY,
            intent_retries: [5, 30, 120, 600].into_iter().map(Duration::from_secs).collect(),
            origin: "localhost".to_owned(),
            grant_renewal: DAY,
            retention: RetentionPolicy::default(),
            checkpoint_interval: Duration::from_secs(1),
            node_name: String::new(),
            lease: Duration::from_secs(10),
            extra_roots: Vec::new(),
            client_identity: None,
            outbound_proxy: None,
            clock: Arc::new(SystemClock::default()),
            random: Arc::new(SystemRandom),
            resolver: Arc::new(SystemResolver::default()),
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let positive = [
            ("max_in_flight", self.max_in_flight),
            ("max_in_flight_per_target", self.max_in_flight_per_target),
            ("queue_per_target", self.queue_per_target),
            ("queue_bytes", self.queue_bytes),
        ];
        let zero = positive.into_iter().find(|(_, value)| *value == 0).map(|(name, _)| name);
        let durations = [
            ("connect_timeout", self.connect_timeout),
            ("attempt_timeout", self.attempt_timeout),
            ("queue_patience", self.queue_patience),
            ("checkpoint_interval", self.checkpoint_interval),
            ("lease", self.lease),
            ("intent_timeout", self.intent_timeout),
            ("grant_renewal", self.grant_renewal),
        ];
        let kept = [
            ("retention.events", self.retention.events),
            ("retention.attempts", self.retention.attempts),
            ("retention.missed", self.retention.missed),
            ("retention.audit", self.retention.audit.unwrap_or(DAY)),
        ];
        let none = durations.into_iter().chain(kept).find(|(_, value)| value.is_zero()).map(|(name, _)| name);
        let long = durations.into_iter().find(|(_, value)| *value > LONGEST).map(|(name, _)| name);
        let schedules = [("retry.schedule", &self.retry.schedule), ("intent_retries", &self.intent_retries)];
        let too_long = |(name, steps): (_, &Vec<_>)| steps.iter().any(|step| *step > LONGEST).then_some(name);
        let long = long.or_else(|| schedules.into_iter().find_map(too_long));
        match zero.or(none) {
            Some(name) => Err(Error::field(name, "must be more than zero")),
            None if long.is_some() => Err(Error::field(long.unwrap_or_default(), "must be at most 30d")),
            None if self.lease < SHORTEST_LEASE => Err(Error::field("lease", "must be at least 500ms")),
            None if self.node_name.len() > MAX_NODE_NAME_BYTES => {
                Err(Error::field("node_name", format!("must be at most {MAX_NODE_NAME_BYTES} bytes")))
            }
            None if self.origin.is_empty()
                || self.origin.len() > MAX_ORIGIN_BYTES
                || !self.origin.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                let message = format!("must be 1 to {MAX_ORIGIN_BYTES} visible ASCII characters");
                Err(Error::field("origin", message))
            }
            None if !(0.0..=1.0).contains(&self.retry.jitter) => {
                Err(Error::field("retry.jitter", "must be from 0 to 1"))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn client(&self) -> Result<Client, Error> {
        let mut options =
            http::Options::new(self.targets.clone(), Arc::clone(&self.resolver), Arc::clone(&self.clock));
        options.connect_timeout = self.connect_timeout;
        options.total_timeout = self.attempt_timeout;
        // As many as may be in use: many subscriptions may share an origin, and what is idle is closed soon.
        options.max_idle_per_origin = self.max_in_flight;
        options.max_idle_total = self.max_in_flight.max(options.max_idle_total);
        options.extra_roots = self.extra_roots.iter().map(|der| der.clone().into()).collect();
        options.identity.clone_from(&self.client_identity);
        options.proxy.clone_from(&self.outbound_proxy);
        Client::new(options).map_err(|e| Error::field("extra_roots", e.to_string()))
    }
}
