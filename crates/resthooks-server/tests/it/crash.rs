//! Killed at any moment, the server loses nothing that it answered 202 for, and invents nothing.
//!
//! Many clients send events while the process is killed with SIGKILL again and again and started on the same file.
//! Some targets fail, break off or dawdle at times. What the clients were promised is compared with what the targets
//! saw. The moments and the failures follow from one printed number; the threads' order does not.

#[path = "crash/subscriber.rs"]
mod subscriber;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use self::subscriber::{Subscriber, Temper, subscribe};
use crate::support::{Answer, Api, Chance, Server, Setup, eventually, now, pass, within};

const CLIENTS: usize = 32;
/// Events that each client sends until they are accepted.
const EVENTS: usize = 250;
const KILLS: usize = 24;
const ACCOUNTS: usize = 4;
/// How long the backlog may take once nobody kills any more.
const BACKLOG: Duration = Duration::from_secs(60);

/// What the clients know.
#[derive(Debug, Default)]
struct Promised {
    /// Account and type of every event that was sent, by its token, whatever came back.
    sent: HashMap<String, (usize, bool)>,
    /// Those that were answered 202.
    accepted: Vec<String>,
}

struct World {
    address: Mutex<Option<SocketAddr>>,
    accepted: AtomicUsize,
    stopped: AtomicBool,
    promised: Mutex<Promised>,
    subscribers: Vec<Subscriber>,
}

#[test]
fn nothing_accepted_is_lost_and_nothing_is_invented() {
    let begun = now();
    let seed = Chance::seed();
    let chance = Arc::new(Chance::new(seed));
    let life = Arc::new(AtomicUsize::new(0));
    let schedule = ["50ms", "100ms", "150ms", "200ms"].into_iter().chain(std::iter::repeat_n("300ms", 60));
    let schedule: Vec<&str> = schedule.collect();
    let setup =
        Setup::new().flag(format!("--retry-schedule={}", schedule.join(","))).flag("--log-level=warn");
    let mut server = setup.start();
    // Every account has targets of several tempers.
    let subscribers: Vec<Subscriber> = (0..3 * ACCOUNTS)
        .map(|place| subscribe(&server, place, Temper::ALL[place % Temper::ALL.len()], &chance, &life))
        .collect();
    let world = World {
        address: Mutex::new(Some(server.address())),
        accepted: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        promised: Mutex::default(),
        subscribers,
    };
    let log = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let own = Chance::new(seed.wrapping_add(1 + number as u64));
                let world = &world;
                scope.spawn(move || client(number, &own, world))
            })
            .collect();
        let _stop = StopOnPanic(&world);
        let log = kill_again_and_again(&setup, &mut server, &chance, &world, &life);
        clients.into_iter().for_each(|client| client.join().unwrap());
        log
    });
    let promised = std::mem::take(&mut *world.promised.lock().unwrap());
    println!(
        "{} accepted of {} sent, {KILLS} kills, {:?}",
        promised.accepted.len(),
        promised.sent.len(),
        begun.elapsed()
    );
    assert_eq!(promised.accepted.len(), CLIENTS * EVENTS, "every client went on until it was answered 202");
    within(BACKLOG, || everything_arrived(&world, &promised).map_err(|why| format!("{why}\n{log}")));
    println!("everything arrived after {:?}", begun.elapsed());
    nothing_else_arrived(&world, &promised);
    the_server_says_the_same(&server, &promised, &chance);
}

/// Lets the clients end when the test fails.
struct StopOnPanic<'a>(&'a World);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stopped.store(true, Ordering::SeqCst);
        }
    }
}

fn account_name(account: usize) -> String {
    format!("account-{account}")
}

/// Sends its events, each until it is accepted: under one id again and again, or, without an id, anew each time,
/// because nobody can tell whether one that was not answered has been accepted.
fn client(number: usize, chance: &Chance, world: &World) {
    let mut api = None;
    for event in 0..EVENTS {
        let own_id = chance.percent(50);
        let account = usize::try_from(chance.below(ACCOUNTS as u64)).unwrap();
        let paid = chance.percent(50);
        let padding = "x".repeat(usize::try_from(chance.below(600)).unwrap());
        for attempt in 0.. {
            if world.stopped.load(Ordering::SeqCst) {
                return;
            }
            let token =
                if own_id { format!("{number}-{event}") } else { format!("{number}-{event}-{attempt}") };
            let name = if paid { "order.paid" } else { "order.created" };
            let mut body = json!({"account": account_name(account), "event": name,
                "data": {"token": token, "padding": padding}});
            if own_id {
                body["id"] = json!(token);
            }
            let Some(api) = connected(&mut api, world) else { continue };
            world.promised.lock().unwrap().sent.insert(token.clone(), (account, paid));
            match post(api, &body) {
                Some(answer) if answer.status == 202 => {
                    world.promised.lock().unwrap().accepted.push(token);
                    world.accepted.fetch_add(1, Ordering::SeqCst);
                    break;
                }
                Some(answer) if answer.status == 503 => assert!(answer.header("retry-after").is_some()),
                Some(answer) => panic!("answered {}: {}", answer.status, answer.text()),
                None => {}
            }
        }
    }
}

/// A client of the server that runs now; nothing, after a moment, when none does.
fn connected<'a>(api: &'a mut Option<Api>, world: &World) -> Option<&'a mut Api> {
    let Some(address) = *world.address.lock().unwrap() else {
        pass(Duration::from_millis(2));
        return None;
    };
    if api.as_ref().is_none_or(|api| api.address() != address) {
        *api = Some(Api::new(address));
    }
    api.as_mut()
}

/// Nothing when it was not answered.
fn post(api: &mut Api, body: &Value) -> Option<Answer> {
    let answer = api.ask("POST", "/api/v1/event/", &[], Some(&serde_json::to_vec(body).unwrap()));
    if answer.is_err() {
        pass(Duration::from_millis(1));
    }
    answer.ok()
}

/// Kills the server at random moments, spread over all that the clients have to send, and starts it again.
fn kill_again_and_again(
    setup: &Setup,
    server: &mut Server,
    chance: &Chance,
    world: &World,
    life: &AtomicUsize,
) -> String {
    let mut log = String::new();
    for kill in 1..=KILLS {
        // One in four is killed while it starts, and takes up what the one before left.
        let early = kill > 1 && chance.percent(25);
        if !early {
            *world.address.lock().unwrap() = Some(eventually(|| server.poll_address()));
            let enough = CLIENTS * EVENTS * kill / (KILLS + 2);
            within(BACKLOG, || match world.accepted.load(Ordering::SeqCst) {
                accepted if accepted >= enough => Ok(()),
                accepted => Err(format!("{accepted} of {enough} events were accepted\n{}", server.log())),
            });
        }
        // Some live long enough to save how far everything is recorded, the others die with that in memory.
        let at_most = if kill % 4 == 0 { 1_800_000 } else { 40_000 };
        pass(Duration::from_micros(chance.below(at_most)));
        *world.address.lock().unwrap() = None;
        server.kill();
        // What the killed one sent has been taken in before the next one sends: only so can it be told which of
        // them has sent something twice.
        eventually(|| {
            let open: usize = world.subscribers.iter().map(|subscriber| subscriber.target.open()).sum();
            if open == 0 { Ok(()) } else { Err(format!("{open} connections of a killed process are open")) }
        });
        life.fetch_add(1, Ordering::SeqCst);
        log += &server.log();
        *server = setup.spawn();
    }
    *world.address.lock().unwrap() = Some(eventually(|| server.poll_address()));
    log
}

/// Every event that was answered 202 was acknowledged by every subscription that it matched.
fn everything_arrived(world: &World, promised: &Promised) -> Result<(), String> {
    for (place, subscriber) in world.subscribers.iter().enumerate() {
        let seen = subscriber.seen.lock().unwrap();
        let missing: Vec<&String> = promised
            .accepted
            .iter()
            .filter(|token| {
                let (account, paid) = promised.sent[*token];
                subscriber.wants(account, paid) && !seen.tokens.contains(*token)
            })
            .collect();
        if !missing.is_empty() {
            return Err(format!("subscriber {place} lacks {} events: {missing:.200?}", missing.len()));
        }
    }
    Ok(())
}

/// Nothing arrived that was never sent, or where it does not belong; ids, events and numbers belong together; and
/// nothing came twice but what a killed server may have had in flight.
fn nothing_else_arrived(world: &World, promised: &Promised) {
    let (mut requests, mut again) = (0, 0);
    let mut all_ids = HashSet::new();
    for (place, subscriber) in world.subscribers.iter().enumerate() {
        let seen = subscriber.seen.lock().unwrap();
        assert!(seen.wrong.is_empty(), "subscriber {place}: {:#?}", seen.wrong);
        let (mut tokens, mut sequences) = (HashSet::new(), HashSet::new());
        for (id, delivery) in &seen.deliveries {
            let known = promised.sent.get(&delivery.token);
            let (account, paid) = known.unwrap_or_else(|| panic!("{delivery:?} was never sent"));
            assert!(subscriber.wants(*account, *paid), "{delivery:?} does not belong to subscriber {place}");
            assert!(all_ids.insert(id.clone()), "{id} goes to two subscriptions");
            assert!(tokens.insert(&delivery.token), "{} has two webhook-ids", delivery.token);
            assert!(sequences.insert(&delivery.sequence), "two deliveries are number {}", delivery.sequence);
            let lives: HashSet<&usize> = delivery.lives.iter().collect();
            assert_eq!(lives.len(), delivery.lives.len(), "acknowledged twice in one life: {delivery:?}");
            requests += delivery.lives.len();
            again += delivery.lives.len().saturating_sub(1);
        }
    }
    println!("{requests} acknowledged, {again} of them again after a kill");
}

/// Of some events, what the API says became of them: all delivered, with attempts to show for it.
fn the_server_says_the_same(server: &Server, promised: &Promised, chance: &Chance) {
    let mut api = server.api();
    for _ in 0..50 {
        let place = usize::try_from(chance.below(promised.accepted.len() as u64)).unwrap();
        let token = &promised.accepted[place];
        if token.matches('-').count() != 1 {
            // One that has an id of ours, which nobody noted.
            continue;
        }
        let account = account_name(promised.sent[token].0);
        let deliveries = eventually(|| {
            let listed =
                api.get(&format!("/api/v1/event/{token}/delivery/?account={account}")).expect(200).json;
            let deliveries = listed["data"].as_array().unwrap().clone();
            let delivered = deliveries.iter().all(|delivery| delivery["status"] == "delivered");
            if delivered { Ok(deliveries) } else { Err(format!("{token}: {listed:#}")) }
        });
        assert!(
            deliveries.iter().all(|delivery| delivery["attempt_count"].as_u64() >= Some(1)),
            "{deliveries:?}"
        );
    }
    api.get("/readyz").expect(200);
}
