//! The targets of the crash test: how they answer, and what each keeps of what it saw.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::{ACCOUNTS, account_name};
use crate::support::{Chance, Received, Reply, Server, Target};

/// What one target keeps: of each delivery, what it carried and in which of the server's lives it was acknowledged.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) deliveries: HashMap<String, Delivery>,
    /// Tokens that were acknowledged.
    pub(super) tokens: HashSet<String>,
    pub(super) wrong: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) token: String,
    pub(super) sequence: String,
    /// The lives in which it was acknowledged.
    pub(super) lives: Vec<usize>,
}

impl Seen {
    /// Keeps a request, and what does not fit to what came before.
    fn keep(&mut self, request: &Received, acknowledged: bool, life: usize) {
        let token = request.json()["data"]["token"].as_str().unwrap_or_default().to_owned();
        let sequence = request.header("x-hook-sequence").to_owned();
        let fresh = Delivery { token: token.clone(), sequence: sequence.clone(), lives: Vec::new() };
        let known = self.deliveries.entry(request.id().to_owned()).or_insert(fresh);
        if (&known.token, &known.sequence) != (&token, &sequence) {
            let now = format!("{token} as number {sequence}");
            self.wrong.push(format!("{} carried first {known:?} and then {now}", request.id()));
        }
        if acknowledged {
            known.lives.push(life);
            self.tokens.insert(token);
        }
    }
}

/// A subscription, its target, and what that has seen.
pub(super) struct Subscriber {
    account: usize,
    wants_all: bool,
    pub(super) target: Target,
    pub(super) seen: Arc<Mutex<Seen>>,
}

impl Subscriber {
    /// Whether an event of this account goes to it.
    pub(super) const fn wants(&self, account: usize, paid: bool) -> bool {
        account == self.account && (self.wants_all || paid)
    }
}

/// How a target answers: well, or badly in so many of a hundred cases.
#[derive(Debug, Clone, Copy)]
pub(super) enum Temper {
    Good,
    Failing(u64),
    Resetting(u64),
    Slow,
}

impl Temper {
    pub(super) const ALL: [Self; 5] =
        [Self::Good, Self::Failing(30), Self::Resetting(20), Self::Slow, Self::Failing(5)];

    fn reply(self, chance: &Chance) -> Reply {
        match self {
            Self::Failing(percent) if chance.percent(percent) => Reply::Status(500),
            Self::Resetting(percent) if chance.percent(percent) => Reply::Reset,
            // Now and then so slow that the watermark is saved while it is awaited.
            Self::Slow if chance.percent(2) => {
                Reply::After(Duration::from_millis(500 + chance.below(1500)), 200)
            }
            Self::Slow => Reply::After(Duration::from_millis(chance.below(20)), 200),
            _ => Reply::Status(200),
        }
    }
}

/// Subscribes a new target of this temper. `life` counts the starts of the server.
pub(super) fn subscribe(
    server: &Server,
    place: usize,
    temper: Temper,
    chance: &Arc<Chance>,
    life: &Arc<AtomicUsize>,
) -> Subscriber {
    let seen = Arc::<Mutex<Seen>>::default();
    let (keeping, chance, life) = (Arc::clone(&seen), Arc::clone(chance), Arc::clone(life));
    let target = Target::answering(move |request, _| {
        let reply = temper.reply(&chance);
        let acknowledged = matches!(reply, Reply::Status(200) | Reply::After(_, 200));
        keeping.lock().unwrap().keep(request, acknowledged, life.load(Ordering::SeqCst));
        reply
    });
    let (account, wants_all) = (place % ACCOUNTS, place < 2 * ACCOUNTS);
    let event = if wants_all { "order.*" } else { "order.paid" };
    let body = json!({"account": account_name(account), "event": event, "target_url": target.url()});
    server.api().post("/api/v1/subscription/", &body).expect(201);
    Subscriber { account, wants_all, target, seen }
}
