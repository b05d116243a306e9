//! Whose turn it is to be asked: few at once in all, few to one host, and no faster to it than a person would mind.
//!
//! Whoever can create subscriptions could else have us send any number of requests to somebody who never asked for
//! one. Accounts take turns, and one alone gets half of what is free, so that nobody's confirmations wait for those of
//! another account. Nothing here sends or waits.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::Pace;
use crate::model::{AccountId, RateLimit, SubscriptionNo};

/// Requests in flight in all.
const IN_FLIGHT: usize = 32;
/// Requests in flight to one host; of one account, one.
const IN_FLIGHT_PER_HOST: usize = 4;
/// Requests a minute to one host, by all nodes together.
const HOST_PACE: RateLimit = RateLimit::of_minute(600);
/// Requests a minute for one account, by all nodes together.
const ACCOUNT_PACE: RateLimit = RateLimit::of_minute(1200);
/// Accounts that are looked at in one go.
const ACCOUNT_LOOKS: usize = 256;
/// Until the next ones are looked at.
const NEXT_LOOK: Duration = Duration::from_millis(10);
/// Of one account's waiting ones, so many are looked at before it is the next one's turn.
const LOOKS: usize = 8;

/// One that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) no: SubscriptionNo,
    pub(super) account: AccountId,
    /// Scheme, host and port.
    pub(super) host: Arc<str>,
}

#[derive(Debug)]
struct Account {
    waiting: VecDeque<Waiting>,
    hosts: HashSet<Arc<str>>,
    pace: Pace,
}

#[derive(Debug)]
struct Host {
    in_flight: usize,
    pace: Pace,
}

/// Those that wait, and those that are being asked.
#[derive(Debug, Default)]
pub(super) struct Line {
    accounts: HashMap<AccountId, Account>,
    /// Accounts with some that wait, in turn.
    ring: VecDeque<AccountId>,
    hosts: HashMap<Arc<str>, Host>,
    asked: HashMap<SubscriptionNo, Waiting>,
    /// All that wait or are being asked.
    known: HashSet<SubscriptionNo>,
}

/// What may be done now.
#[derive(Debug)]
pub(super) enum Turn {
    /// This one may be asked, and counts as being asked until it is finished.
    Go(Waiting),
    /// Nobody may; somebody may after so long, if it is a matter of time alone.
    Wait(Option<Duration>),
}

impl Line {
    /// Puts one at the end of its account's, unless it is known.
    pub(super) fn push(&mut self, waiting: Waiting, now: Duration) {
        if !self.known.insert(waiting.no) {
            return;
        }
        let account = self.accounts.entry(waiting.account.clone()).or_insert_with(|| Account {
            waiting: VecDeque::new(),
            hosts: HashSet::new(),
            pace: Pace::full(ACCOUNT_PACE, now),
        });
        if account.waiting.is_empty() {
            self.ring.push_back(waiting.account.clone());
        }
        account.waiting.push_back(waiting);
    }

    /// The next one.
    pub(super) fn next(&mut self, now: Duration, nodes: usize) -> Turn {
        let free = IN_FLIGHT.saturating_sub(self.asked.len());
        let mut soonest: Option<Duration> = None;
        for _ in 0..self.ring.len().min(ACCOUNT_LOOKS) {
            let Some(id) = self.ring.pop_front() else { break };
            let Some(account) = self.accounts.get_mut(&id) else { continue };
            let ready_at = account.pace.ready_at(nodes);
            let may = account.hosts.len() < free && ready_at <= now;
            if account.hosts.len() < free && ready_at > now {
                soonest = Some(soonest.map_or(ready_at, |at| at.min(ready_at)));
            }
            let found = may.then(|| account.look(&mut self.hosts, now, nodes, &mut soonest)).flatten();
            if !account.waiting.is_empty() {
                self.ring.push_back(id);
            }
            if let Some(found) = found {
                self.asked.insert(found.no, found.clone());
                return Turn::Go(found);
            }
        }
        let wait = soonest.map(|at| at.saturating_sub(now));
        let more = free > 0 && self.ring.len() > ACCOUNT_LOOKS;
        Turn::Wait(if more { Some(wait.unwrap_or(NEXT_LOOK).min(NEXT_LOOK)) } else { wait })
    }

    /// One that was given its turn needs it no longer.
    pub(super) fn finished(&mut self, no: SubscriptionNo) {
        self.known.remove(&no);
        let Some(asked) = self.asked.remove(&no) else { return };
        if let Some(account) = self.accounts.get_mut(&asked.account) {
            account.hosts.remove(&asked.host);
        }
        if let Some(host) = self.hosts.get_mut(&asked.host) {
            host.in_flight = host.in_flight.saturating_sub(1);
        }
    }

    /// Whether it is being asked.
    pub(super) fn is_asked(&self, no: SubscriptionNo) -> bool {
        self.asked.contains_key(&no)
    }

    /// How many are being asked.
    pub(super) fn in_flight(&self) -> usize {
        self.asked.len()
    }

    /// Forgets accounts and hosts of which nothing is left to know.
    pub(super) fn tidy(&mut self, now: Duration) {
        self.accounts
            .retain(|_, one| !one.waiting.is_empty() || !one.hosts.is_empty() || !one.pace.is_full(now));
        self.hosts.retain(|_, one| one.in_flight > 0 || !one.pace.is_full(now));
    }
}

impl Account {
    /// The first of its waiting ones whose host has room; those that are passed over go to the end.
    fn look(
        &mut self,
        hosts: &mut HashMap<Arc<str>, Host>,
        now: Duration,
        nodes: usize,
        soonest: &mut Option<Duration>,
    ) -> Option<Waiting> {
        for _ in 0..self.waiting.len().min(LOOKS) {
            let waiting = self.waiting.pop_front()?;
            let host = hosts
                .entry(Arc::clone(&waiting.host))
                .or_insert_with(|| Host { in_flight: 0, pace: Pace::full(HOST_PACE, now) });
            let ready_at = host.pace.ready_at(nodes);
            let room = host.in_flight < IN_FLIGHT_PER_HOST && !self.hosts.contains(&waiting.host);
            if room && ready_at <= now {
                host.in_flight += 1;
                host.pace.take(now, nodes);
                self.pace.take(now, nodes);
                self.hosts.insert(Arc::clone(&waiting.host));
                return Some(waiting);
            }
            if room {
                *soonest = Some(soonest.map_or(ready_at, |at| at.min(ready_at)));
            }
            self.waiting.push_back(waiting);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn push(line: &mut Line, no: i64, account: &str, host: &str) {
        let waiting =
            Waiting { no: SubscriptionNo(no), account: account.parse().unwrap(), host: host.into() };
        line.push(waiting, Duration::ZERO);
    }

    /// All that may be asked at this moment.
    fn asked(line: &mut Line, now: Duration) -> Vec<i64> {
        let next = || match line.next(now, 1) {
            Turn::Go(waiting) => Some(waiting.no.0),
            Turn::Wait(_) => None,
        };
        std::iter::from_fn(next).collect()
    }

    fn wait(line: &mut Line, now: Duration) -> Option<Duration> {
        match line.next(now, 1) {
            Turn::Go(waiting) => panic!("{waiting:?} may be asked"),
            Turn::Wait(wait) => wait,
        }
    }

    #[test]
    fn a_thousand_to_one_host_are_asked_one_after_the_other_and_slowly() {
        let mut line = Line::default();
        (0..1000).for_each(|no| push(&mut line, no, "a", "victim"));
        assert_eq!(asked(&mut line, Duration::ZERO), [0]);
        assert_eq!(wait(&mut line, SECOND), None, "it waits for the first one's answer");
        let mut now = SECOND;
        let mut times = vec![Duration::ZERO];
        line.finished(SubscriptionNo(0));
        while now < 61 * SECOND {
            match line.next(now, 1) {
                Turn::Go(waiting) => {
                    times.push(now);
                    line.finished(waiting.no);
                }
                Turn::Wait(wait) => now += wait.unwrap(),
            }
        }
        let most = |within| {
            let until = |from: &Duration| times.partition_point(|at| *at < *from + within);
            times.iter().enumerate().map(|(place, from)| until(from) - place).max().unwrap()
        };
        let (minute, second) = (most(60 * SECOND), most(SECOND));
        assert!(minute <= 600, "{minute} in a minute");
        assert!(second <= 20, "{second} in a second");
    }

    #[test]
    fn of_many_accounts_a_host_is_asked_by_four_at_once() {
        let mut line = Line::default();
        (0..100).for_each(|no| push(&mut line, no, &format!("a{no}"), "shared"));
        let mut flying = Vec::new();
        for tenth in 0..100 {
            flying.extend(asked(&mut line, SECOND * tenth / 10));
        }
        assert_eq!(flying, [0, 1, 2, 3]);
        line.finished(SubscriptionNo(2));
        assert_eq!(asked(&mut line, 10 * SECOND).len(), 1);
    }

    #[test]
    fn one_account_leaves_room_for_the_next() {
        let mut line = Line::default();
        (0..1000).for_each(|no| push(&mut line, no, "greedy", &format!("h{no}")));
        let mut flying = Vec::new();
        for tenth in 0..100 {
            flying.extend(asked(&mut line, SECOND * tenth / 10));
        }
        assert_eq!(flying.len(), IN_FLIGHT / 2);
        push(&mut line, 2000, "other", "h0");
        assert_eq!(asked(&mut line, 10 * SECOND), [2000], "and shares the host");
    }

    #[test]
    fn one_that_waits_for_its_host_holds_up_no_other_host() {
        let mut line = Line::default();
        (0..5).for_each(|no| push(&mut line, no, "a", "slow"));
        push(&mut line, 9, "a", "quick");
        let mut flying = Vec::new();
        for tenth in 0..10 {
            flying.extend(asked(&mut line, SECOND * tenth / 10));
        }
        assert_eq!(flying, [0, 9]);
    }

    #[test]
    fn one_is_known_once_until_it_is_finished() {
        let mut line = Line::default();
        (0..3).for_each(|_| push(&mut line, 1, "a", "h"));
        assert_eq!(asked(&mut line, Duration::ZERO), [1]);
        push(&mut line, 1, "a", "h");
        line.finished(SubscriptionNo(1));
        assert_eq!(wait(&mut line, SECOND), None);
        push(&mut line, 1, "a", "h");
        assert_eq!(asked(&mut line, SECOND), [1]);
    }

    #[test]
    fn however_many_wait_in_vain_the_others_come_to_their_turn() {
        let mut line = Line::default();
        (0..1000).for_each(|no| push(&mut line, no, &format!("a{no}"), "shared"));
        assert_eq!(asked(&mut line, Duration::ZERO).len(), 4);
        push(&mut line, 5000, "other", "elsewhere");
        for _ in 0..4 {
            match line.next(Duration::ZERO, 1) {
                Turn::Go(waiting) => return assert_eq!(waiting.no.0, 5000),
                Turn::Wait(wait) => assert!(wait.is_some_and(|wait| wait <= NEXT_LOOK), "{wait:?}"),
            }
        }
        panic!("its turn never came");
    }

    #[test]
    fn nothing_is_kept_of_what_is_over() {
        let mut line = Line::default();
        (0..10).for_each(|no| push(&mut line, no, &format!("a{no}"), &format!("h{no}")));
        let flying = asked(&mut line, Duration::ZERO);
        assert_eq!(flying.len(), 10);
        flying.iter().for_each(|no| line.finished(SubscriptionNo(*no)));
        line.tidy(Duration::ZERO);
        assert_eq!((line.accounts.len(), line.hosts.len()), (10, 10), "their paces are not over");
        line.tidy(10 * SECOND);
        assert_eq!((line.accounts.len(), line.hosts.len(), line.known.len()), (0, 0, 0));
    }
}
