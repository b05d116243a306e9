//! Pace: at most so many requests in a second or a minute to a subscription's target, shared out among the nodes that send
//! to it.
//!
//! A lane whose turn has not come by its pace stands apart from those that can send, so that it costs the others
//! nothing, until the timer (`pacer`) brings it back. Nothing here sends or waits.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::lane::Lane;
use super::start_runners;
use crate::core::Core;
use crate::model::{Per, RateLimit, SubscriptionNo};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
/// What a target that was silent for a while gets at once when nobody says: this part of a minute's requests, one at
/// least.
const BURST_PART: u64 = 60;

/// At most so many turns in any such time, spread over it. A token bucket, kept as the moment from which on it would be
/// full; a new one has one token, so that it is no burst.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    rate: RateLimit,
    full_at: Duration,
}

impl Pace {
    /// At this rate, as one of `nodes` that share it.
    pub(crate) fn new(rate: RateLimit, now: Duration, nodes: usize) -> Self {
        let mut pace = Self { rate, full_at: now };
        pace.full_at += pace.ahead(nodes);
        pace
    }

    /// The same with as much at once from the beginning as after a silence.
    pub(crate) const fn full(rate: RateLimit, now: Duration) -> Self {
        Self { rate, full_at: now }
    }

    /// Another rate from now on: what was owed by the former one is owed no longer than this one asks for.
    pub(crate) fn set(&mut self, rate: RateLimit, now: Duration, nodes: usize) {
        let slower = Self::new(rate, now, nodes);
        let longest = slower.full_at + slower.interval(nodes);
        *self = Self { full_at: self.full_at.min(longest), ..slower };
    }

    /// From when on there is a turn.
    pub(crate) fn ready_at(&self, nodes: usize) -> Duration {
        self.full_at.saturating_sub(self.ahead(nodes))
    }

    /// Takes a turn: the next one there is.
    pub(crate) fn take(&mut self, now: Duration, nodes: usize) {
        self.full_at = self.full_at.max(now) + self.interval(nodes);
    }

    /// Whether nothing would be lost by making another one in its place.
    pub(crate) fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }

    /// The time in which turns are counted.
    const fn period(&self) -> Duration {
        match self.rate.per {
            Per::Second => SECOND,
            Per::Minute => MINUTE,
        }
    }

    fn limit(&self) -> u64 {
        u64::from(self.rate.limit.max(1))
    }

    /// One node's part of the period's turns, rounded down, so that all together stay within it; 0 when there are more
    /// nodes.
    fn part(&self, nodes: usize) -> u64 {
        self.limit() / share(nodes)
    }

    /// How many of them at once after a silence.
    fn burst(&self, nodes: usize) -> u64 {
        let part = self.part(nodes);
        let unsaid = match self.rate.per {
            // A second's worth of a second would leave nothing to spread: a tenth.
            Per::Second => part / 10,
            Per::Minute => part / BURST_PART,
        };
        let said = self.rate.burst.map(|burst| u64::from(burst) / share(nodes));
        said.unwrap_or(unsaid).clamp(1, part.max(1))
    }

    /// Between two turns, when there are always some wanted: so long that with the burst before it no period holds more
    /// than allowed. With more nodes than that, it evens out over as many periods.
    fn interval(&self, nodes: usize) -> Duration {
        let (periods, turns) = match self.part(nodes) {
            0 => (share(nodes), self.limit()),
            part => (1, part + 1 - self.burst(nodes)),
        };
        let nanos = (self.period().as_nanos() * u128::from(periods)).div_ceil(u128::from(turns));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn ahead(&self, nodes: usize) -> Duration {
        let tokens = u32::try_from(self.burst(nodes) - 1).unwrap_or(u32::MAX);
        self.interval(nodes).saturating_mul(tokens)
    }
}

fn share(nodes: usize) -> u64 {
    (nodes as u64).max(1)
}

/// The paces of all subscriptions that have one, and the lanes that wait for theirs.
#[derive(Debug)]
pub(super) struct Paces {
    of: HashMap<SubscriptionNo, Pace>,
    waiting: BTreeSet<(Duration, SubscriptionNo)>,
    nodes: usize,
    /// The moment, by the monotonic clock: set whenever the lists are locked.
    now: Duration,
    /// A lane began to wait: the timer must look.
    pub(super) grew: bool,
}

impl Default for Paces {
    fn default() -> Self {
        Self { of: HashMap::new(), waiting: BTreeSet::new(), nodes: 1, now: Duration::ZERO, grew: false }
    }
}

impl Paces {
    /// Whether there are any: else nobody needs to know the time.
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    pub(super) fn set_now(&mut self, now: Duration) {
        self.now = now;
    }

    /// A subscription's rate, `None` for any. Whether that is another one than before.
    pub(super) fn set(&mut self, no: SubscriptionNo, rate: Option<RateLimit>) -> bool {
        let Some(rate) = rate else { return self.of.remove(&no).is_some() };
        let (now, nodes) = (self.now, self.nodes);
        match self.of.get_mut(&no) {
            Some(pace) if pace.rate == rate => false,
            Some(pace) => {
                pace.set(rate, now, nodes);
                true
            }
            None => {
                self.of.insert(no, Pace::new(rate, now, nodes));
                true
            }
        }
    }

    /// How many nodes share the rates. Whether that is another number than before.
    pub(super) fn set_nodes(&mut self, nodes: usize) -> bool {
        std::mem::replace(&mut self.nodes, nodes) != nodes
    }

    /// Puts a lane among those that wait for their turn, if it has to. Whether it has.
    pub(super) fn park(&mut self, no: SubscriptionNo, lane: &mut Lane) -> bool {
        let Some(pace) = self.of.get(&no) else { return false };
        let at = pace.ready_at(self.nodes);
        if at <= self.now {
            return false;
        }
        if lane.parked != Some(at) {
            self.unpark(no, lane);
            self.waiting.insert((at, no));
            lane.parked = Some(at);
            self.grew = true;
        }
        true
    }

    pub(super) fn unpark(&mut self, no: SubscriptionNo, lane: &mut Lane) {
        if let Some(at) = lane.parked.take() {
            self.waiting.remove(&(at, no));
        }
    }

    /// A request is made now.
    pub(super) fn take(&mut self, no: SubscriptionNo) {
        let (now, nodes) = (self.now, self.nodes);
        if let Some(pace) = self.of.get_mut(&no) {
            pace.take(now, nodes);
        }
    }

    /// Takes the next turn for a request that is not a lane's, when it comes within `longest`: how long that is to wait;
    /// as an error when it is longer.
    pub(super) fn reserve(&mut self, no: SubscriptionNo, longest: Duration) -> Result<Duration, Duration> {
        let (now, nodes) = (self.now, self.nodes);
        let Some(pace) = self.of.get_mut(&no) else { return Ok(Duration::ZERO) };
        let wait = pace.ready_at(nodes).saturating_sub(now);
        if wait > longest {
            return Err(wait);
        }
        pace.take(now, nodes);
        Ok(wait)
    }

    /// The lanes whose turn has come. They are still marked as waiting.
    pub(super) fn come(&mut self) -> Vec<SubscriptionNo> {
        let mut come = Vec::new();
        while let Some((at, no)) = self.waiting.first().copied().filter(|(at, _)| *at <= self.now) {
            self.waiting.remove(&(at, no));
            come.push(no);
        }
        come
    }

    /// All lanes that wait. They are still marked as waiting.
    pub(super) fn take_waiting(&mut self) -> Vec<SubscriptionNo> {
        std::mem::take(&mut self.waiting).into_iter().map(|(_, no)| no).collect()
    }

    /// How long until the first one's turn.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.waiting.first().map(|(at, _)| at.saturating_sub(self.now))
    }
}

/// Brings lanes back when their turn has come, until the engine stops.
pub(crate) async fn pacer(core: Arc<Core>) {
    loop {
        let changed = core.dispatch.pace_changed.notified();
        let wait = core.dispatch.resume_paced();
        start_runners(&core);
        let turn = async {
            match wait {
                Some(wait) => core.options.clock.sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = changed => {}
            () = turn => {}
            () = core.stopping.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [u32; 14] = [1, 2, 7, 30, 59, 60, 61, 119, 120, 121, 600, 3600, 6000, 60_000];

    /// When turns are taken by somebody who takes all he can get for so long.
    fn greedy(per_minute: u32, nodes: usize, minutes: u32) -> Vec<Duration> {
        let mut pace = Pace::new(RateLimit::of_minute(per_minute), Duration::ZERO, nodes);
        let mut taken = Vec::new();
        let mut now = Duration::ZERO;
        while now < MINUTE * minutes {
            taken.push(now);
            pace.take(now, nodes);
            now = now.max(pace.ready_at(nodes));
        }
        taken
    }

    fn most_in_a_minute(taken: &[Duration]) -> usize {
        let within = |from: &Duration| taken.partition_point(|at| *at < *from + MINUTE);
        taken.iter().enumerate().map(|(place, from)| within(from) - place).max().unwrap_or(0)
    }

    #[test]
    fn no_minute_holds_more_than_allowed_and_hardly_less() {
        for rate in RATES {
            let taken = greedy(rate, 1, 5);
            assert!(most_in_a_minute(&taken) <= rate as usize, "{rate}: {}", most_in_a_minute(&taken));
            assert!(taken.len() >= rate as usize * 5 * 95 / 100, "{rate}: {} in five minutes", taken.len());
        }
    }

    #[test]
    fn who_was_silent_gets_a_second_at_once_and_then_no_more_than_allowed() {
        for rate in RATES {
            let mut pace = Pace::new(RateLimit::of_minute(rate), Duration::ZERO, 1);
            let mut now = MINUTE * 60;
            let (begun, mut taken) = (now, Vec::new());
            while now < begun + MINUTE * 2 {
                taken.push(now);
                pace.take(now, 1);
                now = now.max(pace.ready_at(1));
            }
            let at_once = taken.iter().filter(|at| **at == begun).count();
            assert_eq!(at_once, (rate as usize / 60).max(1), "{rate}");
            assert!(most_in_a_minute(&taken) <= rate as usize, "{rate}: {}", most_in_a_minute(&taken));
        }
    }

    /// Whatever the time and the burst: no such time holds more than allowed, and hardly less.
    #[test]
    fn seconds_and_bursts_are_kept() {
        for (limit, per, burst) in [
            (1, Per::Second, None),
            (5, Per::Second, None),
            (100, Per::Second, Some(50)),
            (100, Per::Second, Some(100)),
            (60, Per::Minute, Some(60)),
            (60, Per::Minute, Some(7)),
        ] {
            let rate = RateLimit { limit, per, burst };
            let period = if per == Per::Second { SECOND } else { MINUTE };
            let mut pace = Pace::full(rate, Duration::ZERO);
            let (mut now, mut taken) = (Duration::ZERO, Vec::new());
            while now < period * 10 {
                taken.push(now);
                pace.take(now, 1);
                now = now.max(pace.ready_at(1));
            }
            let within = |from: &Duration| taken.partition_point(|at| *at < *from + period);
            let most = taken.iter().enumerate().map(|(place, from)| within(from) - place).max().unwrap();
            assert!(most <= limit as usize, "{rate:?}: {most}");
            let at_once = taken.iter().filter(|at| at.is_zero()).count();
            let unsaid = if per == Per::Second { limit / 10 } else { limit / 60 };
            assert_eq!(at_once as u32, burst.unwrap_or(unsaid).max(1), "{rate:?}");
            // After a burst of all there is, the next comes a period later: what is owed.
            let least = if burst == Some(limit) { 10 } else { limit as usize * 4 };
            assert!(taken.len() >= least, "{rate:?}: {}", taken.len());
        }
    }

    #[test]
    fn nodes_share_a_rate() {
        for (rate, nodes) in [(60, 2), (60, 3), (61, 4), (600, 7), (6000, 3), (4, 4)] {
            let all = greedy(rate, nodes, 10).len() * nodes;
            assert!(all <= rate as usize * 10 + nodes, "{rate} on {nodes}: {all}");
            let of_a_minute = most_in_a_minute(&greedy(rate, nodes, 10)) * nodes;
            assert!(of_a_minute <= rate as usize, "{rate} on {nodes}: {of_a_minute}");
        }
        // Fewer a minute than nodes: evened out over several minutes.
        assert_eq!(greedy(1, 3, 9).len(), 3);
    }

    #[test]
    fn another_rate_holds_at_once() {
        let mut pace = Pace::new(RateLimit::of_minute(1), Duration::ZERO, 1);
        pace.take(Duration::ZERO, 1);
        assert_eq!(pace.ready_at(1), MINUTE);
        pace.set(RateLimit::of_minute(600), Duration::ZERO, 1);
        assert!(pace.ready_at(1) <= Duration::from_millis(110), "{:?}", pace.ready_at(1));
        pace.take(pace.ready_at(1), 1);
        pace.set(RateLimit::of_minute(2), Duration::from_secs(1), 1);
        pace.take(Duration::from_secs(1), 1);
        let wait = pace.ready_at(1).saturating_sub(Duration::from_secs(1));
        assert!((30..32).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn what_is_taken_beside_the_lane_counts() {
        let mut paces = Paces::default();
        let no = SubscriptionNo(1);
        assert_eq!(paces.reserve(no, Duration::ZERO), Ok(Duration::ZERO), "no rate, no wait");
        assert!(
            paces.set(no, Some(RateLimit::of_minute(60))) && !paces.set(no, Some(RateLimit::of_minute(60)))
        );
        let second = Duration::from_secs(1);
        assert_eq!(paces.reserve(no, second), Ok(Duration::ZERO));
        assert_eq!(paces.reserve(no, second), Ok(second));
        assert_eq!(paces.reserve(no, second), Err(second * 2), "and takes nothing");
        assert_eq!(paces.reserve(no, second * 2), Ok(second * 2));
        assert!(paces.set(no, None) && paces.is_empty());
    }
}
