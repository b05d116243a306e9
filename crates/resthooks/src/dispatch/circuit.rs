//! Circuits: hosts that can't be reached are left alone, and come back gently, however many subscriptions go there.
//!
//! A host is an origin: scheme, name and port. Only those in trouble are known here, so that a healthy one costs a look into an
//! empty map. After some connections in a row that failed the circuit opens: nothing is sent for a while, then one
//! delivery as a probe. Once that reaches the host, requests at once are allowed in growing number until the host
//! is as good as any. Nothing here sends or waits; what is held back stays in its lane.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::model::SubscriptionNo;

/// So many connections in a row that failed open the circuit.
const OPENS_AFTER: u32 = 5;
/// The first silence; each one that follows is twice as long, up to the longest.
const FIRST_SILENCE: Duration = Duration::from_secs(5);
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// Requests at once after the first one that has reached the host again; one more with each that does.
const RAMP_FROM: usize = 2;
/// With so many at once the host is as good as any.
const RAMP_TO: usize = 64;

/// How a target's host stands, for as far as its connections tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Circuit {
    /// Requests are sent.
    #[default]
    Closed,
    /// None is: it could not be reached several times in a row.
    Open,
    /// One is, to see whether it can be reached again.
    HalfOpen,
}

impl Circuit {
    /// The word used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[derive(Debug)]
struct Host {
    circuit: Circuit,
    /// Connections in a row that failed.
    failures: u32,
    /// While it is open: until when.
    until: Duration,
    silence: Duration,
    /// The most requests at once; any number as long as the circuit was never open.
    limit: Option<usize>,
    /// Those that were admitted here.
    in_flight: usize,
    /// Lanes that are held back.
    waiting: VecDeque<SubscriptionNo>,
}

impl Host {
    fn new() -> Self {
        Self {
            circuit: Circuit::Closed,
            failures: 0,
            until: Duration::ZERO,
            silence: FIRST_SILENCE,
            limit: None,
            in_flight: 0,
            waiting: VecDeque::new(),
        }
    }

    fn has_room(&self) -> bool {
        self.circuit != Circuit::Open && self.limit.is_none_or(|limit| self.in_flight < limit)
    }

    fn open(&mut self, now: Duration) {
        self.silence =
            if self.limit.is_some() { (self.silence * 2).min(LONGEST_SILENCE) } else { FIRST_SILENCE };
        self.circuit = Circuit::Open;
        self.until = now + self.silence;
        self.limit = Some(1);
    }
}

/// The hosts in trouble.
#[derive(Debug, Default)]
pub(super) struct Circuits {
    hosts: HashMap<Arc<str>, Host>,
    /// Those whose silence has an end.
    silent: BTreeSet<(Duration, Arc<str>)>,
    /// A silence began: the timer must look.
    pub(super) grew: bool,
}

/// Whether a request may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Admitted {
    /// It may.
    #[default]
    Freely,
    /// It may, and is counted with this host until it ends.
    Counted(Arc<str>),
    /// It may not: its lane is held back.
    No,
}

impl Admitted {
    /// The host that it is counted with.
    pub(super) const fn host(&self) -> Option<&Arc<str>> {
        match self {
            Self::Counted(host) => Some(host),
            Self::Freely | Self::No => None,
        }
    }
}

impl Circuits {
    /// How a host stands.
    pub(super) fn of(&self, host: &str) -> Circuit {
        self.hosts.get(host).map_or(Circuit::Closed, |host| host.circuit)
    }

    /// Hosts that nothing or next to nothing is sent to.
    pub(super) fn open(&self) -> usize {
        self.hosts.values().filter(|host| host.circuit != Circuit::Closed).count()
    }

    /// Asks for a request of this lane.
    pub(super) fn admit(&mut self, host: &Arc<str>, no: SubscriptionNo) -> Admitted {
        if self.hosts.is_empty() {
            return Admitted::Freely;
        }
        let Some(found) = self.hosts.get_mut(host) else { return Admitted::Freely };
        if found.limit.is_none() {
            return Admitted::Freely;
        }
        if !found.has_room() {
            found.waiting.push_back(no);
            return Admitted::No;
        }
        found.in_flight += 1;
        Admitted::Counted(Arc::clone(host))
    }

    /// A request has ended; `reached` is whether it reached the host, when that was tried. Lanes that may be looked at
    /// again.
    pub(super) fn ended(
        &mut self,
        host: &Arc<str>,
        admitted: &Admitted,
        reached: Option<bool>,
        now: Duration,
    ) -> Vec<SubscriptionNo> {
        if reached != Some(false) && self.hosts.is_empty() {
            return Vec::new();
        }
        if reached == Some(false) && !self.hosts.contains_key(host) {
            self.hosts.insert(Arc::clone(host), Host::new());
        }
        let Some(found) = self.hosts.get_mut(host) else { return Vec::new() };
        let is_counted = admitted.host().is_some();
        if is_counted {
            found.in_flight = found.in_flight.saturating_sub(1);
        }
        match reached {
            Some(true) => found.reached(),
            Some(false) => {
                found.failures += 1;
                // Failures of before a silence say nothing new.
                let counts = found.circuit == Circuit::HalfOpen && is_counted
                    || found.circuit == Circuit::Closed && found.failures >= OPENS_AFTER;
                if counts {
                    found.open(now);
                    self.silent.insert((found.until, Arc::clone(host)));
                    self.grew = true;
                }
            }
            // Not tried after all: the next one may.
            None => {}
        }
        let free = if found.has_room() {
            let room = found.limit.map_or(usize::MAX, |limit| limit - found.in_flight);
            let count = found.waiting.len().min(room);
            found.waiting.drain(..count).collect()
        } else {
            Vec::new()
        };
        let is_good = found.circuit == Circuit::Closed
            && found.failures == 0
            && found.limit.is_none_or(|limit| limit >= RAMP_TO)
            && found.waiting.is_empty();
        if is_good {
            self.hosts.remove(host);
        }
        free
    }

    /// Hosts whose silence has ended: one lane of each may be looked at again.
    pub(super) fn come(&mut self, now: Duration) -> Vec<SubscriptionNo> {
        let mut come = Vec::new();
        while let Some((at, host)) = self.silent.first().filter(|(at, _)| *at <= now).cloned() {
            self.silent.remove(&(at, Arc::clone(&host)));
            let Some(found) = self.hosts.get_mut(&host).filter(|found| found.circuit == Circuit::Open) else {
                continue;
            };
            found.circuit = Circuit::HalfOpen;
            match found.waiting.pop_front() {
                Some(no) => come.push(no),
                // Nobody wants anything of it: the next one who does is the probe.
                None => continue,
            }
        }
        come
    }

    /// A lane that was let in has nothing to send after all: another one may be looked at in its place.
    pub(super) fn pass_on(&mut self, host: &Arc<str>) -> Option<SubscriptionNo> {
        let found = self.hosts.get_mut(host)?;
        if found.has_room() { found.waiting.pop_front() } else { None }
    }

    /// How long until the first silence ends.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        self.silent.first().map(|(at, _)| at.saturating_sub(now))
    }
}

impl Host {
    fn reached(&mut self) {
        self.failures = 0;
        match self.circuit {
            Circuit::Closed => {
                if let Some(limit) = &mut self.limit {
                    *limit += 1;
                }
            }
            Circuit::Open | Circuit::HalfOpen => {
                self.circuit = Circuit::Closed;
                self.silence = FIRST_SILENCE;
                self.limit = Some(RAMP_FROM);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn host() -> Arc<str> {
        Arc::from("https://example.com:443")
    }

    fn no(n: i64) -> SubscriptionNo {
        SubscriptionNo(n)
    }

    /// Fails so many times in a row, each a request of its own.
    fn failing(circuits: &mut Circuits, times: u32, now: Duration) {
        let admitted: Vec<_> = (0..times).map(|n| circuits.admit(&host(), no(i64::from(n)))).collect();
        for admitted in admitted {
            assert_ne!(admitted, Admitted::No);
            circuits.ended(&host(), &admitted, Some(false), now);
        }
    }

    #[test]
    fn it_opens_after_failures_in_a_row() {
        let mut circuits = Circuits::default();
        failing(&mut circuits, OPENS_AFTER - 1, SECOND);
        circuits.ended(&host(), &Admitted::Freely, Some(true), SECOND);
        assert!(circuits.hosts.is_empty(), "one that was reached is as good as any");
        failing(&mut circuits, OPENS_AFTER, SECOND);
        assert_eq!(circuits.of(&host()), Circuit::Open);
        assert_eq!(circuits.admit(&host(), no(1)), Admitted::No);
        assert_eq!(circuits.admit(&Arc::from("https://other.example:443"), no(2)), Admitted::Freely);
        assert_eq!((circuits.wait(SECOND), circuits.open()), (Some(FIRST_SILENCE), 1));
    }

    #[test]
    fn one_probe_at_a_time_and_each_silence_longer() {
        let mut circuits = Circuits::default();
        failing(&mut circuits, OPENS_AFTER, Duration::ZERO);
        let mut now = Duration::ZERO;
        for lane in 1..=3 {
            assert_eq!(circuits.admit(&host(), no(lane)), Admitted::No);
        }
        let mut silences = Vec::new();
        for _ in 0..6 {
            let silence = circuits.wait(now).unwrap();
            silences.push(silence.as_secs());
            assert!(circuits.come(now + silence - Duration::from_millis(1)).is_empty());
            now += silence;
            let come = circuits.come(now);
            assert_eq!(come.len(), 1);
            let probe = circuits.admit(&host(), come[0]);
            assert!(matches!(probe, Admitted::Counted(_)));
            assert_eq!(circuits.admit(&host(), come[0]), Admitted::No, "one at a time");
            assert!(circuits.ended(&host(), &probe, Some(false), now).is_empty());
            assert_eq!(circuits.of(&host()), Circuit::Open);
        }
        assert_eq!(silences, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn who_comes_back_is_asked_for_more_and_more() {
        let mut circuits = Circuits::default();
        failing(&mut circuits, OPENS_AFTER, Duration::ZERO);
        // Lanes that each want one thing after another.
        let mut wanting: Vec<_> =
            (0..200).filter(|n| circuits.admit(&host(), no(*n)) == Admitted::No).collect();
        assert_eq!(wanting.len(), 200);
        let come = circuits.come(FIRST_SILENCE);
        let mut under_way: Vec<_> = come.into_iter().map(|no| circuits.admit(&host(), no)).collect();
        assert_eq!(under_way.len(), 1);
        let mut most = Vec::new();
        for _ in 0..8 {
            let mut next = Vec::new();
            for admitted in std::mem::take(&mut under_way) {
                for free in circuits.ended(&host(), &admitted, Some(true), FIRST_SILENCE) {
                    next.push(circuits.admit(&host(), free));
                    wanting.pop();
                }
            }
            assert!(next.iter().all(|admitted| *admitted != Admitted::No));
            most.push(next.len());
            under_way = next;
        }
        assert_eq!(most[..6], [2, 4, 8, 16, 32, 64], "twice as many with each round, and no more");
        assert!(most.iter().all(|count| *count <= RAMP_TO + 64));
    }

    /// Failures of requests that were sent before it opened say nothing about the probe.
    #[test]
    fn late_failures_do_not_lengthen_the_silence() {
        let mut circuits = Circuits::default();
        failing(&mut circuits, OPENS_AFTER + 20, SECOND);
        assert_eq!(circuits.wait(SECOND), Some(FIRST_SILENCE));
        // One that was under way and reached it after all.
        circuits.ended(&host(), &Admitted::Freely, Some(true), SECOND * 2);
        assert_eq!(circuits.of(&host()), Circuit::Closed);
        assert!(circuits.come(SECOND + FIRST_SILENCE).is_empty(), "its silence is over");
    }

    #[test]
    fn what_was_not_tried_leaves_its_place_to_another() {
        let mut circuits = Circuits::default();
        failing(&mut circuits, OPENS_AFTER, Duration::ZERO);
        assert_eq!(circuits.admit(&host(), no(1)), Admitted::No);
        assert_eq!(circuits.admit(&host(), no(2)), Admitted::No);
        assert_eq!(circuits.come(FIRST_SILENCE), [no(1)]);
        assert_eq!(circuits.pass_on(&host()), Some(no(2)), "the first one wants nothing any more");
        let probe = circuits.admit(&host(), no(2));
        assert_eq!(circuits.admit(&host(), no(1)), Admitted::No);
        assert_eq!(circuits.ended(&host(), &probe, None, FIRST_SILENCE), [no(1)]);
    }
}
