//! `resthooks rotate-secret-key`: what is sealed stays readable whatever happens to the command, and the former key is needed no
//! more in the end.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::cli::{resthooks, text};
use super::support::{Api, Server, Setup, now, pass};

const FIRST: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn words<'a>(setup: &'a Setup, further: &[&'a str]) -> Vec<&'a str> {
    ["rotate-secret-key"].into_iter().chain(setup.store_flags()).chain(further.iter().copied()).collect()
}

/// What it printed when it ended with this code, and what it said of that.
#[track_caller]
fn rotate(setup: &Setup, further: &[&str], code: i32) -> (String, String) {
    let output = resthooks(setup.dir(), &words(setup, further), &[]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{further:?}: {out}{err}");
    for key in [FIRST, SECOND, "rhsk_"] {
        assert!(!out.contains(key) && !err.contains(key), "a key is shown: {out}{err}");
    }
    (out, err)
}

/// The key file of the store.
fn file(setup: &Setup) -> PathBuf {
    let found = std::fs::read_dir(setup.dir()).unwrap().map(|entry| entry.unwrap().path());
    found.into_iter().find(|path| path.extension().is_some_and(|end| end == "key")).expect("a key file")
}

/// The keys in it, the one that seals first.
fn keys(setup: &Setup) -> Vec<String> {
    let text = std::fs::read_to_string(file(setup)).unwrap();
    text.lines().filter(|line| line.starts_with("rhsk_")).map(str::to_owned).collect()
}

/// Subscriptions with all that they keep secret: after this many, as `secret/` and their headers show it.
fn subscribe(api: &mut Api, count: usize) -> Vec<(String, Value)> {
    let mut made = Vec::new();
    for n in 0..count {
        let further = json!({
            "active": false, "signature": if n % 2 == 0 { "v1" } else { "v1a" }, "headers": {"x-token": format!("t-{n}")}
        });
        let one = api.subscribe_with("a.b", "http://127.0.0.1:9/hook", further);
        if n % 3 == 0 {
            let path = format!("/api/v1/subscription/{}/rotate-secret/", one.id);
            api.post(&path, &json!({})).expect(200);
        }
        made.push((one.id.clone(), shown(api, &one.id)));
    }
    made
}

fn shown(api: &mut Api, id: &str) -> Value {
    api.get(&format!("/api/v1/subscription/{id}/secret/")).expect(200).json
}

#[track_caller]
fn assert_readable(api: &mut Api, made: &[(String, Value)]) {
    for (id, secret) in made {
        assert_eq!(shown(api, id), *secret);
    }
}

fn stop(mut server: Server) {
    server.terminate();
    assert_eq!(server.exit_code(Duration::from_secs(20)), Some(0), "{}", server.log());
}

#[test]
fn a_stopped_store_is_sealed_with_a_new_key() {
    let setup = Setup::new();
    let server = setup.start();
    let made = subscribe(&mut server.api(), 7);
    let before = keys(&setup);
    let (_, refused) = rotate(&setup, &[], 1);
    assert!(refused.contains("stop its server first") || refused.contains("Stop all nodes"), "{refused}");
    assert_eq!(keys(&setup), before, "nothing is begun while it is refused");
    stop(server);

    let former = std::fs::read(file(&setup)).unwrap();
    let (out, _) = rotate(&setup, &[], 0);
    assert!(out.contains("all secrets are sealed with the key"), "{out}");
    let after = keys(&setup);
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    let server = setup.start();
    assert_readable(&mut server.api(), &made);
    stop(server);

    // With a key of one's own, and again with the same.
    rotate(&setup, &[&format!("--new-key={SECOND}")], 0);
    let (_, again) = rotate(&setup, &[&format!("--new-key={SECOND}")], 2);
    assert!(again.contains("is the present key"), "{again}");
    let server = setup.start();
    assert_readable(&mut server.api(), &made);
    stop(server);

    std::fs::write(file(&setup), former).unwrap();
    let mut server = setup.spawn();
    assert_eq!(server.exit_code(Duration::from_secs(20)), Some(1));
    assert!(server.log().contains("which was not given"), "{}", server.log());
}

#[test]
fn keys_that_are_kept_elsewhere_change_places() {
    let setup = Setup::new();
    let server = setup.clone().flag(format!("--secret-key={FIRST}")).start();
    let made = subscribe(&mut server.api(), 3);
    stop(server);
    let (former, both) = (format!("--secret-key={FIRST}"), format!("--secret-key={SECOND},{FIRST}"));
    let (_, alone) = rotate(&setup, &[&former], 2);
    assert!(alone.contains("--secret-key: must be the new key and the present one"), "{alone}");
    rotate(&setup, &[&both, "--new-key=x"], 2);
    rotate(&setup, &[&both, &format!("--new-key={SECOND}")], 2);
    for _ in 0..2 {
        let (out, _) = rotate(&setup, &[&both], 0);
        assert!(out.contains("needed no more, take it out of --secret-key everywhere"), "{out}");
    }
    let mut refused = setup.clone().flag(former).spawn();
    assert_eq!(refused.exit_code(Duration::from_secs(20)), Some(1));
    let server = setup.flag(format!("--secret-key={SECOND}")).start();
    assert_readable(&mut server.api(), &made);
}

#[test]
fn what_can_not_be_done_is_said() {
    let setup = Setup::new();
    let none = resthooks(setup.dir(), &words(&setup, &[]), &[]);
    assert_eq!(none.status.code(), Some(1));
    assert!(text(&none.stderr).contains("there is no key file"), "{}", text(&none.stderr));
    assert_eq!(std::fs::read_dir(setup.dir()).unwrap().count(), 0, "nothing is left behind");
    for (further, complaint) in
        [(&["--new-key=short"][..], "--new-key: must be 32 bytes"), (&["--secret-key=short"], "--secret-key")]
    {
        let (_, said) = rotate(&setup, further, 2);
        assert!(said.contains(complaint) && !said.contains("short"), "{said}");
    }
    stop(setup.start());
    let present = std::fs::read_to_string(file(&setup)).unwrap();
    std::fs::write(file(&setup), format!("{FIRST}\n{present}")).unwrap();
    let (_, said) = rotate(&setup, &[&format!("--new-key={SECOND}")], 2);
    assert!(said.contains("was begun before"), "{said}");
    rotate(&setup, &[], 0);
    assert_eq!(keys(&setup).len(), 1);
    setup.start();
}

fn begin(setup: &Setup) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resthooks"));
    command.args(words(setup, &[])).current_dir(setup.dir()).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Killed at any moment, from its first to its last, it leaves a store that every command can read with the file as it is;
/// begun again it comes to its end, and the former key is needed no more.
#[test]
fn killed_at_any_moment_it_loses_nothing() {
    const MANY: usize = 700;
    const KILLS: u32 = 16;
    let setup = Setup::new();
    let server = setup.start();
    let made = subscribe(&mut server.api(), MANY);
    stop(server);
    let begun = now();
    rotate(&setup, &[], 0);
    let whole = begun.elapsed();
    let former = std::fs::read(file(&setup)).unwrap();
    let (mut broken_off, mut ended) = (0, 0);
    for n in 0..KILLS {
        let mut child = begin(&setup);
        pass(whole * n / (KILLS - 2));
        child.kill().unwrap();
        ended += usize::from(child.wait().unwrap().success());
        broken_off += usize::from(keys(&setup).len() == 2);
        // Opens with what is there: all that is in use is in the file.
        let listed = resthooks(setup.dir(), &[&["key", "list"], &setup.store_flags()[..]].concat(), &[]);
        assert!(listed.status.success(), "after {n} of {KILLS}: {}", text(&listed.stderr));
    }
    assert!(broken_off > 0, "of {KILLS} none was hit between its first and its last word; {ended} had ended");
    // What a crash in the middle of writing the file leaves beside it.
    std::fs::write(file(&setup).with_extension("key.new"), "half a k").unwrap();
    if keys(&setup).len() == 1 {
        begin(&setup).wait().unwrap();
    } else {
        rotate(&setup, &[], 0);
    }
    assert_eq!(keys(&setup).len(), 1);
    let server = setup.start();
    assert_readable(&mut server.api(), &made);
    stop(server);
    std::fs::write(file(&setup), former).unwrap();
    let mut refused = setup.spawn();
    assert_eq!(refused.exit_code(Duration::from_secs(20)), Some(1), "the former key still opens it");
}
