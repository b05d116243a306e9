//! `resthooks serve` from its start to its end.

use std::io::{BufReader, Read as _, Write as _};
use std::time::Duration;

use serde_json::{Value, json};

use super::place::Home;
use super::running::{Running, connect, status_with};
use super::support::{Api, Reply, Setup, Target, eventually, now};

#[test]
fn the_first_start_makes_a_key_and_shows_it_once() {
    let home = Home::new();
    let words = ["--listen=127.0.0.1:0"];
    let mut first = Running::serve(&home, &words);
    let out = first.printed("admin key: ");
    let address = first.address();
    for line in [
        format!("resthooks {}", env!("CARGO_PKG_VERSION")),
        format!("listening on http://{address}"),
        home.greeting(),
        format!("docs: http://{address}/docs"),
    ] {
        assert!(out.lines().any(|l| l == line), "{line} is not in {out}");
    }
    assert!(!out.contains("development"), "{out}");
    for page in ["/docs", "/openapi.json", "/metrics", "/healthz"] {
        assert_eq!(Api::new(address).get(page).status, 200, "{page}");
    }
    let key = out.lines().find_map(|line| line.strip_prefix("admin key: ")).unwrap();
    let key = key.split_whitespace().next().unwrap().to_owned();
    assert_eq!(status_with(address, &key), 200);
    assert_eq!(status_with(address, "dev"), 401);
    first.stop();
    let log = first.read("err");
    assert!(!log.contains(&key), "a key has no place in a log");
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "not JSON: {log}");

    let mut second = Running::serve(&home, &words);
    assert_eq!(status_with(second.address(), &key), 200);
    second.stop();
    assert!(!second.read("out").contains("admin key"));
}

#[test]
fn it_is_ready_at_once() {
    let home = Home::new();
    // Built without optimisation and beside other tests it may take longer than what is promised.
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 3000 } else { 200 });
    let begun = now();
    let mut server = Running::serve(&home, &["--dev", "--listen=127.0.0.1:0"]);
    let ready = Api::new(server.address()).get("/readyz");
    assert_eq!(ready.status, 200);
    assert!(begun.elapsed() < limit, "ready after {:?}", begun.elapsed());
    assert!(server.read("out").contains("development mode: http and private targets are allowed"));
    assert_eq!(status_with(server.address(), "dev"), 200);
    server.stop();
}

#[test]
fn a_key_that_was_given_takes_the_place_of_the_one_before() {
    let home = Home::new();
    let start = |flags: &[&str]| {
        let words: Vec<&str> = ["--listen=127.0.0.1:0"].iter().chain(flags).copied().collect();
        Running::serve(&home, &words)
    };
    let mut made = start(&[]);
    let out = made.printed("admin key: ");
    let own = out.lines().find_map(|line| line.strip_prefix("admin key: ")).unwrap();
    let own = own.split_whitespace().next().unwrap().to_owned();
    made.stop();
    // Each start's flags, and which of the keys work then.
    let keys = [own.as_str(), "dev", "first-given-key", "second-given-key"];
    for (flags, works) in [
        (&["--dev"][..], [200, 200, 401, 401]),
        (&[], [200, 401, 401, 401]),
        (&["--dev"], [200, 200, 401, 401]),
        (&["--admin-key=first-given-key"], [200, 401, 200, 401]),
        (&["--admin-key=first-given-key"], [200, 401, 200, 401]),
        (&[], [200, 401, 200, 401]),
        (&["--admin-key=second-given-key"], [200, 401, 401, 200]),
    ] {
        let mut server = start(flags);
        let address = server.address();
        assert_eq!(keys.map(|key| status_with(address, key)), works, "{flags:?}");
        server.stop();
        assert!(!server.read("out").contains("admin key: "));
    }
}

#[test]
fn a_store_that_was_tried_out_gets_a_key_of_its_own() {
    let home = Home::new();
    Running::serve(&home, &["--listen=127.0.0.1:0", "--dev"]).stop_when_started();
    let mut server = Running::serve(&home, &["--listen=127.0.0.1:0"]);
    server.printed("admin key: rhk_");
    assert_eq!(status_with(server.address(), "dev"), 401);
    server.stop();
}

#[test]
fn text_logs_are_text() {
    let home = Home::new();
    let words = ["--listen=127.0.0.1:0", "--log-format=text", "--log-level=resthooks_server=debug"];
    let mut server = Running::serve(&home, &words);
    server.address();
    server.stop();
    let log = server.read("err");
    assert!(log.contains("DEBUG") && log.contains("stopping signal=\"SIGTERM\""), "{log}");
}

#[test]
fn sigterm_answers_who_is_inside_and_lets_nobody_in() {
    let mut server = Setup::new().start();
    let address = server.address();
    let body = json!({"account": "acme", "event": "contact.create", "data": {"id": 1}}).to_string();
    let (begun, rest) = body.split_at(10);
    let mut inside = connect(address).unwrap();
    let head = format!(
        "POST /api/v1/event/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer dev\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{begun}",
        body.len()
    );
    inside.write_all(head.as_bytes()).unwrap();
    // One that is idle after a request, to know that the other one's head has been read in the meantime, and to see it
    // closed.
    let mut idle = connect(address).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut idle = BufReader::new(idle);
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");

    server.terminate();
    let mut left = Vec::new();
    idle.read_to_end(&mut left).unwrap();
    eventually(|| connect(address).err().map_or_else(|| Err("it still accepts".to_owned()), |_| Ok(())));

    inside.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    inside.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    assert_eq!(server.exit_code(Duration::from_secs(10)), Some(0));
}

#[test]
fn what_is_in_flight_after_the_grace_is_sent_again() {
    let target = Target::answering(|_, before| if before == 0 { Reply::Hang } else { Reply::Status(200) });
    let setup = Setup::new().flag("--shutdown-grace=300ms");
    let mut server = setup.start();
    let mut api = server.api();
    api.subscribe("contact.create", &target.url());
    let event = api.emit("contact.create", &json!({"id": 1}));
    eventually(|| if target.count() == 1 { Ok(()) } else { Err("nothing arrived".to_owned()) });
    server.terminate();
    assert_eq!(server.exit_code(Duration::from_secs(10)), Some(0));
    let server = setup.start();
    eventually(|| if target.count() == 2 { Ok(()) } else { Err("it was not sent again".to_owned()) });
    let received = target.received();
    assert_eq!(received[0].id(), received[1].id());
    server.api().settled(&event, "delivered");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let target = Target::always(Reply::Hang);
    let mut server = Setup::new().start();
    let mut api = server.api();
    api.subscribe("contact.create", &target.url());
    api.emit("contact.create", &json!({"id": 1}));
    eventually(|| if target.count() == 1 { Ok(()) } else { Err("nothing arrived".to_owned()) });
    server.terminate();
    eventually(|| if server.log().contains("\"stopping\"") { Ok(()) } else { Err(server.log()) });
    server.terminate();
    assert_eq!(server.exit_code(Duration::from_secs(5)), Some(1));
    eventually(|| if server.log().contains("a second signal") { Ok(()) } else { Err(server.log()) });
}
