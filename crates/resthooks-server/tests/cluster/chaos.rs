//! Three nodes on one PostgreSQL, all of which are killed, stopped and restarted while events come in: each event that was
//! accepted arrives at each subscription that it matches, and what comes twice was in flight and has the same id.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal::{SIGCONT, SIGSTOP};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::counting::Counter;
use crate::support::{Api, Chance, Reply, now, pass, within};

const CLIENTS: usize = 16;
/// Events that each client sends until they are accepted.
const EVENTS: usize = 1250;
const NODES: usize = 3;
const LEASE: Duration = Duration::from_secs(2);
/// Requests in flight to one target, of all nodes together.
const IN_FLIGHT: usize = 12;
/// How long the rest may take once nothing breaks any more.
const REST: Duration = Duration::from_secs(90);

#[derive(Debug, Default)]
struct Promised {
    /// Whether each event that was sent is a paid one, by its token, whatever came back.
    sent: HashMap<String, bool>,
    accepted: Vec<String>,
}

struct World {
    cluster: Cluster,
    accepted: AtomicUsize,
    stopped: AtomicBool,
    promised: Mutex<Promised>,
}

/// What is done to nodes and database.
#[derive(Debug, Clone, Copy)]
enum Harm {
    /// A node is killed and started again.
    Kill,
    /// A node is stopped for longer than its lease.
    Pause,
    /// The database crashes and is started again.
    Database,
}

const HARMS: [Harm; 13] = {
    use Harm::{Database, Kill, Pause};
    [Kill, Pause, Database, Kill, Pause, Kill, Database, Pause, Kill, Pause, Database, Kill, Kill]
};

#[test]
fn three_nodes_lose_nothing() {
    let begun = now();
    let seed = Chance::seed();
    let chance = Chance::new(seed);
    let (world, counters) = world();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let own = Chance::new(seed.wrapping_add(1 + number as u64));
                let world = &world;
                scope.spawn(move || client(number, &own, world))
            })
            .collect();
        let _stop = StopOnPanic(&world);
        for (place, harm) in HARMS.into_iter().enumerate() {
            let enough = CLIENTS * EVENTS * (place + 1) / (HARMS.len() + 2);
            reach(&world, enough);
            do_harm(harm, &world, &chance);
        }
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    let promised = std::mem::take(&mut *world.promised.lock().unwrap());
    println!("{} accepted of {} sent, {:?}", promised.accepted.len(), promised.sent.len(), begun.elapsed());
    assert_eq!(promised.accepted.len(), CLIENTS * EVENTS, "every client went on until it was answered 202");
    everything_arrived(&promised, &counters);
    println!("everything arrived after {:?}", begun.elapsed());
    nothing_else_arrived(&promised, &counters);
    everything_is_recorded(&world);
}

/// Of the subscriptions one wants everything, one some, and one everything again with a target that fails at times.
fn world() -> (World, [Counter; 3]) {
    let in_flight = format!("--max-in-flight-per-target={IN_FLIGHT}");
    let lease = format!("--node-lease={}s", LEASE.as_secs());
    let retries = std::iter::repeat_n("500ms", 100).collect::<Vec<_>>().join(",");
    let retries = format!("--retry-schedule={retries}");
    let cluster = Cluster::start(NODES, &[&lease, &in_flight, &retries, "--log-level=warn"]);
    let turn = AtomicUsize::new(0);
    let failing = move |_: &_| {
        let fails = turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(10);
        Reply::Status(if fails { 500 } else { 200 })
    };
    let counters = [Counter::new(), Counter::new(), Counter::answering(failing)];
    let mut api = cluster.nodes[0].api();
    for (counter, event) in counters.iter().zip(["order.*", "order.paid", "order.*"]) {
        api.subscribe(event, &counter.url());
    }
    cluster.agree();
    let world = World {
        cluster,
        accepted: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        promised: Mutex::default(),
    };
    (world, counters)
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

fn reach(world: &World, enough: usize) {
    within(REST, || match world.accepted.load(Ordering::SeqCst) {
        accepted if accepted >= enough => Ok(()),
        accepted => {
            let logs: Vec<String> = world.cluster.nodes.iter().map(|node| node.log()).collect();
            Err(format!("{accepted} of {enough} events were accepted\n{}", logs.join("\n---\n")))
        }
    });
}

fn do_harm(harm: Harm, world: &World, chance: &Chance) {
    let node = &world.cluster.nodes[usize::try_from(chance.below(NODES as u64)).unwrap()];
    pass(Duration::from_micros(chance.below(300_000)));
    println!("{harm:?} {:?}", node.address());
    match harm {
        Harm::Kill => {
            node.kill();
            node.start_again();
        }
        Harm::Pause => {
            node.signal(SIGSTOP);
            pass(LEASE + Duration::from_millis(1500 + chance.below(1500)));
            node.signal(SIGCONT);
        }
        Harm::Database => world.cluster.postgres.crash_and_restart(),
    }
}

/// Sends its events, each through any node until one accepts it: under one id again and again, or, without an id, anew
/// each time, because nobody can tell whether one that was not answered has been accepted.
fn client(number: usize, chance: &Chance, world: &World) {
    let mut apis: Vec<Option<Api>> = (0..NODES).map(|_| None).collect();
    for event in 0..EVENTS {
        let own_id = chance.percent(50);
        let paid = chance.percent(50);
        for attempt in 0.. {
            if world.stopped.load(Ordering::SeqCst) {
                return;
            }
            let place = usize::try_from(chance.below(NODES as u64)).unwrap();
            let Some(address) = world.cluster.nodes[place].address() else {
                pass(Duration::from_millis(1));
                continue;
            };
            let token =
                if own_id { format!("{number}-{event}") } else { format!("{number}-{event}-{attempt}") };
            let api = &mut apis[place];
            if api.as_ref().is_none_or(|api| api.address() != address) {
                *api = Some(Api::new(address));
            }
            let api = api.as_mut().expect("just set");
            world.promised.lock().unwrap().sent.insert(token.clone(), paid);
            if is_accepted(api, &token, paid, own_id) {
                world.promised.lock().unwrap().accepted.push(token);
                world.accepted.fetch_add(1, Ordering::SeqCst);
                break;
            }
        }
    }
}

fn is_accepted(api: &mut Api, token: &str, paid: bool, own_id: bool) -> bool {
    let name = if paid { "order.paid" } else { "order.created" };
    let mut body = json!({"account": "acme", "event": name, "data": {"token": token}});
    if own_id {
        body["id"] = Value::from(token);
    }
    match api.ask("POST", "/api/v1/event/", &[], Some(&serde_json::to_vec(&body).unwrap())) {
        Ok(answer) if answer.status == 202 => return true,
        Ok(answer) if answer.status == 503 => {
            assert!(answer.header("retry-after").is_some());
            pass(Duration::from_millis(20));
        }
        Ok(answer) => panic!("answered {}: {}", answer.status, answer.text()),
        Err(_) => pass(Duration::from_millis(5)),
    }
    false
}

fn everything_arrived(promised: &Promised, [all, paid, failing]: &[Counter; 3]) {
    within(REST, || {
        all.has_all(promised.accepted.iter())?;
        failing.has_all(promised.accepted.iter())?;
        paid.has_all(promised.accepted.iter().filter(|token| promised.sent[*token]))
    });
}

/// Nothing came that was never sent; and what came again is no more than what the harmed nodes may have had in flight,
/// or acknowledged and not yet recorded.
fn nothing_else_arrived(promised: &Promised, counters: &[Counter; 3]) {
    for counter in counters {
        let again = counter.is_consistent();
        let invented: Vec<String> =
            counter.tokens().into_iter().filter(|token| !promised.sent.contains_key(token)).collect();
        assert!(invented.is_empty(), "never sent: {invented:?}");
        println!("{} events, {again} of them again", counter.events());
        let harmed = HARMS.iter().filter(|harm| !matches!(harm, Harm::Database)).count();
        // For each node that was harmed: one full set in flight, and as many whose records waited for a transaction
        // that took as long as a few requests.
        let most = harmed * IN_FLIGHT * 8;
        assert!(again <= most, "{again} came again, more than the {most} that may have been in flight");
    }
}

/// Once all has been said and done every delivery has a row that says so, and nothing of a dead node is left.
fn everything_is_recorded(world: &World) {
    within(REST, || {
        let open =
            world.cluster.postgres.query("SELECT count(*) FROM resthooks.delivery WHERE status IN (1, 2)");
        if open == "0" { Ok(()) } else { Err(format!("{open} deliveries are open")) }
    });
    let matched: u64 =
        world.cluster.postgres.query("SELECT count(*) FROM resthooks.delivery").parse().unwrap();
    println!("{matched} deliveries");
    world.cluster.nodes_when(&world.cluster.nodes[0], |nodes| {
        nodes.len() == NODES && nodes.iter().all(|node| node["status"] == "live")
    });
}
