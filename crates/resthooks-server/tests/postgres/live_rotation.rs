//! Another sealing key while nodes work, as docs/operations.md says it is done: at each step every node reads what every other
//! has written, and a step that comes too early is refused and changes nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::cli::{resthooks, text};
use super::support::{Server, Setup, eventually};

const FORMER: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const LATER: &str = "3333333333333333333333333333333333333333333333333333333333333333";

fn start(setup: &Setup, name: &str, keys: &[&str]) -> Server {
    let keys = format!("--secret-key={}", keys.join(","));
    setup.clone().flag(format!("--node-name={name}")).flag(keys).start()
}

fn stop(mut server: Server) {
    server.terminate();
    assert_eq!(server.exit_code(Duration::from_secs(20)), Some(0), "{}", server.log());
}

fn restart(server: Server, setup: &Setup, name: &str, keys: &[&str]) -> Server {
    stop(server);
    start(setup, name, keys)
}

fn rotate(setup: &Setup, keys: &[&str], further: &[&str]) -> Result<String, String> {
    let keys = format!("--secret-key={}", keys.join(","));
    let words: Vec<&str> = ["rotate-secret-key", &keys].into_iter().chain(setup.store_flags()).collect();
    let output = resthooks(setup.dir(), &[&words[..], further].concat(), &[]);
    match output.status.code() {
        Some(0) => Ok(text(&output.stdout)),
        Some(1) => Err(text(&output.stderr)),
        other => panic!("{other:?}: {}", text(&output.stderr)),
    }
}

/// A subscription that one node makes, and what is secret of all of them as each node shows it.
fn work(nodes: [&Server; 2], made: &mut Vec<(String, Value)>) {
    for node in nodes {
        let one = node.api().subscribe_with("a.b", "http://127.0.0.1:9/", json!({"active": false}));
        made.push((one.id, json!(one.secret)));
    }
    for node in nodes {
        for (id, secret) in &*made {
            let shown = node.api().get(&format!("/api/v1/subscription/{id}/secret/")).expect(200).json;
            assert_eq!(shown["secret"], *secret);
        }
    }
}

#[test]
fn nodes_change_over_one_after_the_other() {
    let setup = Setup::new();
    let mut made = Vec::new();
    let (a, b) = (start(&setup, "node-a", &[FORMER]), start(&setup, "node-b", &[FORMER]));
    work([&a, &b], &mut made);
    for keys in [&[NEW, FORMER][..], &[NEW, LATER, FORMER]] {
        let early = rotate(&setup, keys, &[]).unwrap_err();
        assert!(early.contains("node-a (live)") && early.contains("node-b (live)"), "{early}");
        assert!(early.contains("Stop all nodes"), "{early}");
    }
    // Nobody is asked for a key that is not in use.
    let a = restart(a, &setup, "node-a", &[FORMER]);
    work([&a, &b], &mut made);

    let a = restart(a, &setup, "node-a", &[FORMER, NEW]);
    let b = restart(b, &setup, "node-b", &[FORMER, NEW]);
    work([&a, &b], &mut made);
    rotate(&setup, &[NEW, FORMER], &[]).unwrap_err();

    let a = restart(a, &setup, "node-a", &[NEW, FORMER]);
    work([&a, &b], &mut made);
    let early = rotate(&setup, &[NEW, FORMER], &[]).unwrap_err();
    assert!(early.contains("the node node-b (live) may work with a former key"), "{early}");
    let b = restart(b, &setup, "node-b", &[NEW, FORMER]);
    work([&a, &b], &mut made);

    for _ in 0..2 {
        let done = rotate(&setup, &[NEW, FORMER], &[]).unwrap();
        assert!(done.contains("take it out of --secret-key everywhere"), "{done}");
        work([&a, &b], &mut made);
    }
    let a = restart(a, &setup, "node-a", &[NEW]);
    work([&a, &b], &mut made);
    let b = restart(b, &setup, "node-b", &[NEW]);
    work([&a, &b], &mut made);
    stop(b);

    // One that was killed may be a machine that hangs, until its operator says that it is none.
    let mut a = a;
    a.kill();
    eventually(|| match rotate(&setup, &[LATER, NEW], &["--nodes-stopped"]) {
        Ok(done) => Ok(done),
        Err(why) if why.contains("node-a (live)") => {
            let waiting = rotate(&setup, &[LATER, NEW], &[]).unwrap_err();
            if waiting.contains("expired") {
                assert!(waiting.contains("--nodes-stopped"), "{waiting}");
            }
            Err(why)
        }
        Err(why) => panic!("{why}"),
    });
    let (a, b) = (start(&setup, "node-a", &[LATER]), start(&setup, "node-b", &[LATER]));
    work([&a, &b], &mut made);
}
