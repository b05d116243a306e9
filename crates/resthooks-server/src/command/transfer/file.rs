//! What stands in an export's lines, and how far along one is.

use std::io::Write as _;
use std::time::Duration;

use resthooks::env::{Clock as _, SystemClock};
use resthooks::store::transfer::{Cursor, Item};
use serde::{Deserialize, Serialize};

/// The form of the lines. A program reads the forms up to its own. In the first one secrets were in clear.
pub(super) const FORM: u32 = 2;
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(2);

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// The first one.
    ResthooksExport {
        /// The form of the lines.
        form: u32,
        /// Where the store's export went on from.
        after: String,
    },
    /// The store's export had come so far.
    At(String),
    /// The last one: what the lines hold.
    End(Counts),
    /// Something that moves.
    #[serde(untagged)]
    Item(Item),
}

/// How many there are of each kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    accounts: u64,
    event_types: u64,
    api_keys: u64,
    subscriptions: u64,
    #[serde(default)]
    audit_entries: u64,
    events: u64,
    deliveries: u64,
}

impl Counts {
    pub(super) fn add(&mut self, item: &Item) {
        match item {
            Item::Account(_) => self.accounts += 1,
            Item::EventType(_) => self.event_types += 1,
            Item::ApiKey(_) => self.api_keys += 1,
            Item::Subscription(_) => self.subscriptions += 1,
            Item::Audit(_) => self.audit_entries += 1,
            Item::Event(event) => {
                self.events += 1;
                self.deliveries += event.matched.iter().filter(|one| one.delivery.is_some()).count() as u64;
            }
        }
    }

    pub(super) const fn items(&self) -> u64 {
        self.accounts
            + self.event_types
            + self.api_keys
            + self.subscriptions
            + self.audit_entries
            + self.events
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { accounts, event_types, api_keys, subscriptions, audit_entries, events, deliveries } = self;
        write!(
            f,
            "{accounts} accounts, {event_types} event types, {api_keys} API keys, {subscriptions} subscriptions, \
             {audit_entries} audit entries, {events} events with {deliveries} deliveries"
        )
    }
}

/// Says on stderr, now and then, how far along one is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    clock: SystemClock,
    said: Duration,
}

impl Progress {
    /// Says it when it is time to.
    pub(super) fn at(&mut self, counts: &Counts, cursor: &Cursor) {
        let now = self.clock.monotonic();
        if now.saturating_sub(self.said) >= PROGRESS {
            self.said = now;
            say(format_args!("{counts}; at {cursor}"));
        }
    }
}

/// A line on stderr.
pub(super) fn say(line: impl std::fmt::Display) {
    // Not eprintln, which panics when stderr is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}
