//! What there is on a database alone: migrations apart, the nodes, and starts that meet.

use serde_json::Value;

use super::cli::{printed, resthooks, text};
use super::place::Home;
use super::running::{Running, status_with};
use super::support::{Setup, eventually};

const LISTEN: &str = "--listen=127.0.0.1:0";

/// A command's words and how it finds the store.
fn with<'a>(words: &[&'a str], flags: &'a [String]) -> Vec<&'a str> {
    let of_store = flags.iter().map(String::as_str).filter(|flag| !flag.starts_with("--node"));
    words.iter().copied().chain(of_store).collect()
}

/// The password of the tests' own database, which must stand nowhere.
fn password() -> String {
    let url = std::env::var("RESTHOOKS_TEST_POSTGRES").unwrap();
    url::Url::parse(&url).unwrap().password().unwrap_or("no such password").to_owned()
}

#[test]
fn migrations_can_be_made_apart() {
    let home = Home::new();
    let flags = home.flags();
    let mut early = Running::serve(&home, &[LISTEN, "--no-migrate"]);
    assert_eq!(early.exit_code(), 1);
    let complaint = early.read("err");
    assert!(complaint.contains("run `resthooks migrate`"), "{complaint}");
    let none = resthooks(home.path(), &with(&["key", "list"], &flags), &[]);
    assert_eq!(none.status.code(), Some(1), "{}", text(&none.stdout));

    let first = printed(home.path(), &with(&["migrate"], &flags), &[]);
    assert!(first.contains("is at this version now: ") && first.contains("made"), "{first}");
    let second = printed(home.path(), &with(&["migrate"], &flags), &[]);
    assert!(second.contains("is at this version already"), "{second}");
    for said in [&complaint, &first, &second, &text(&none.stderr)] {
        assert!(!said.contains(&password()), "{said}");
    }
    let mut server = Running::serve(&home, &[LISTEN, "--no-migrate"]);
    server.address();
    server.stop();
}

#[test]
fn nodes_are_shown_by_a_server_and_by_the_store() {
    let setup = Setup::new().flag("--node-name=the-one");
    let mut server = setup.start();
    let url = format!("--url=http://{}", server.address());
    let nodes = |reach: &[&str]| {
        let words: Vec<&str> = ["nodes"].iter().chain(reach).copied().collect();
        printed(setup.dir(), &words, &[("RESTHOOKS_ADMIN_KEY", "dev")])
    };
    let store = setup.store_flags();
    for reach in [&[url.as_str()], &store[..]] {
        let table = nodes(reach);
        let mut lines = table.lines();
        assert!(lines.next().unwrap().starts_with("ID "), "{table}");
        let own = lines.next().unwrap();
        assert!(own.contains("the-one") && own.contains("live"), "{table}");
        let json: Value = serde_json::from_str(&nodes(&[reach, &["--json"]].concat())).unwrap();
        assert_eq!((&json[0]["name"], &json[0]["status"]), (&"the-one".into(), &"live".into()));
    }
    server.kill();
    // Nobody is there to ask but the store.
    eventually(|| {
        let json: Value = serde_json::from_str(&nodes(&[&store[..], &["--json"]].concat())).unwrap();
        if json[0]["status"] == "expired" { Ok(()) } else { Err(json.to_string()) }
    });
}

#[test]
fn keys_of_the_store_are_known_to_a_running_server() {
    let setup = Setup::new();
    let server = setup.start();
    let key = |words: &[&str]| -> Value {
        let words = [&["key"], words, &["--json"], &setup.store_flags()[..]].concat();
        serde_json::from_str(&printed(setup.dir(), &words, &[])).unwrap()
    };
    let made = key(&["create", "--provider"]);
    let answers = |wanted: u16| {
        eventually(|| match status_with(server.address(), made["key"].as_str().unwrap()) {
            status if status == wanted => Ok(()),
            status => Err(format!("{status} instead of {wanted}")),
        });
    };
    answers(200);
    key(&["revoke", made["id"].as_str().unwrap()]);
    answers(401);
}

#[test]
fn several_first_starts_make_one_key() {
    let home = Home::new();
    let mut servers: Vec<Running> = (0..3).map(|_| Running::serve(&home, &[LISTEN])).collect();
    let addresses: Vec<_> = servers.iter().map(Running::address).collect();
    let outs: Vec<String> = servers.iter().map(|server| server.printed("docs: ")).collect();
    // The line with the key is the one after that.
    let keys = || -> Vec<String> {
        let all = servers.iter().map(|server| server.read("out")).collect::<String>();
        let key = |line: &str| Some(line.strip_prefix("admin key: ")?.split(' ').next()?.to_owned());
        all.lines().filter_map(key).collect()
    };
    let key = eventually(|| keys().pop().ok_or_else(|| "none has made a key".to_owned()));
    for address in addresses {
        eventually(|| match status_with(address, &key) {
            200 => Ok(()),
            status => Err(format!("{status}: it does not know the key")),
        });
    }
    for server in &mut servers {
        server.stop();
    }
    let keys: usize = servers.iter().map(|server| server.read("out").matches("admin key: ").count()).sum();
    assert_eq!(keys, 1);
    for said in outs.into_iter().chain(servers.iter().map(|server| server.read("err"))) {
        assert!(!said.contains(&password()), "{said}");
    }
}

#[test]
fn several_starts_may_be_given_the_same_key() {
    let home = Home::new();
    let servers: Vec<Running> =
        (0..3).map(|_| Running::serve(&home, &[LISTEN, "--admin-key=the-same-for-all"])).collect();
    for mut server in servers {
        assert_eq!(status_with(server.address(), "the-same-for-all"), 200);
        server.stop();
        assert!(!server.read("out").contains("admin key"));
    }
}

#[test]
fn a_database_that_is_not_there_is_said_without_its_password() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = "--store=postgres://hooks:very-secret@127.0.0.1:1/hooks";
    for words in
        [&["serve", LISTEN, wrong][..], &["migrate", wrong], &["nodes", wrong], &["key", "list", wrong]]
    {
        let output = resthooks(dir.path(), words, &[]);
        let said = text(&output.stderr) + &text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(!said.contains("very-secret") && said.contains("error: "), "{words:?}: {said}");
    }
}
