//! Targets that can't be reached, break off, never end or say too much: over real sockets, from the real binary.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket,
};
use serde_json::{Value, json};

use crate::delivery::{assert_attempts, deliver, server};
use crate::support::{Reply, Setup, Target, duration_ms, eventually, outcomes};

/// A port that nobody else gets and where nobody listens.
struct Closed {
    socket: OwnedFd,
    port: u16,
}

impl Closed {
    fn new() -> Self {
        let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        let port = getsockname::<SockaddrIn>(socket.as_raw_fd()).unwrap().port();
        Self { socket, port }
    }

    fn open(self) -> TcpListener {
        listen(&self.socket, Backlog::new(16).unwrap()).unwrap();
        TcpListener::from(self.socket)
    }
}

#[test]
fn a_refused_connection_is_tried_again() {
    let server = server();
    let closed = Closed::new();
    let mut api = server.api();
    api.subscribe("contact.create", &format!("http://127.0.0.1:{}/hook", closed.port));
    let event = api.emit("contact.create", &json!({"id": 1}));
    let id = api.delivery_id(&event);
    api.delivery_when(&id, |delivery| delivery["attempt_count"].as_u64() >= Some(2));
    let target = Target::on(closed.open(), None, |_, _| Reply::Status(200));
    let delivery = api.settled(&event, "delivered");
    let outcomes = outcomes(&delivery);
    let (last, before) = outcomes.split_last().unwrap();
    assert!(last == "200" && before.iter().all(|outcome| outcome == "refused"), "{delivery:#}");
    let received = target.received();
    assert_eq!((received.len(), received[0].id()), (1, id.as_str()));
    assert_eq!(received[0].attempt() as usize, outcomes.len(), "refused attempts count");
}

#[test]
fn a_reset_in_the_middle_is_tried_again() {
    let server = server();
    let target = Target::script([Reply::Reset, Reply::ResetInHead, Reply::Status(204)]);
    let delivery = deliver(&server, &target.url(), "delivered");
    assert_attempts(&delivery, &target, &["reset", "reset", "204"]);
}

#[test]
fn a_name_that_does_not_resolve_is_tried_again() {
    let server = server();
    let delivery = deliver(&server, "http://nowhere.invalid/hook", "dead");
    assert_eq!(outcomes(&delivery), ["dns"; 5], "{delivery:#}");
    assert!(delivery["attempts"].as_array().unwrap().iter().all(|attempt| attempt["address"] == Value::Null));
}

#[test]
fn an_untrusted_certificate_is_tried_again_and_trusted_when_told() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let target = Target::with_tls(config, [Reply::Status(200)]);
    let setup = Setup::new().flag("--retry-schedule=100ms,200ms,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s");
    let mut server = setup.start();
    let mut api = server.api();
    api.subscribe("contact.create", &target.url());
    let event = api.emit("contact.create", &json!({"id": 1}));
    let id = api.delivery_id(&event);
    let failing = api.delivery_when(&id, |delivery| delivery["attempt_count"].as_u64() >= Some(2));
    assert!(outcomes(&failing).iter().all(|outcome| outcome == "tls"), "{failing:#}");
    assert_eq!((failing["status"].as_str(), target.count()), (Some("scheduled"), 0));
    server.kill();
    std::fs::write(setup.dir().join("root.pem"), made.cert.pem()).unwrap();
    let server = setup.flag("--trust-root=root.pem").start();
    let delivery = server.api().settled(&event, "delivered");
    assert_eq!(outcomes(&delivery).last().map(String::as_str), Some("200"), "{delivery:#}");
    assert_eq!(target.received()[0].id(), id);
}

#[test]
fn a_target_that_speaks_no_tls_is_a_tls_failure() {
    let server = server();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("https://{}/hook", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let delivery = deliver(&server, &url, "dead");
    assert_eq!(outcomes(&delivery), ["tls"; 5], "{delivery:#}");
}

#[test]
fn a_target_that_never_answers_costs_the_timeout() {
    let server = Setup::new()
        .flag("--retry-schedule=50ms,50ms")
        .flag("--attempt-timeout=1s")
        .flag("--connect-timeout=500ms");
    let server = server.start();
    let target = Target::script([Reply::Hang, Reply::Hang, Reply::Status(200)]);
    let delivery = deliver(&server, &target.url(), "delivered");
    assert_attempts(&delivery, &target, &["timeout", "timeout", "200"]);
    for attempt in &delivery["attempts"].as_array().unwrap()[..2] {
        let took = duration_ms(attempt);
        assert!((1_000.0..4_000.0).contains(&took), "not about a second: {attempt:#}");
    }
    eventually(|| if target.open() <= 1 { Ok(()) } else { Err("timed out connections are open".to_owned()) });
}

#[test]
fn a_target_that_dribbles_costs_the_timeout() {
    let server = Setup::new().flag("--retry-schedule=50ms").flag("--attempt-timeout=2500ms");
    let server = server.flag("--connect-timeout=500ms").start();
    let target = Target::script([Reply::Dribble, Reply::Status(200)]);
    let delivery = deliver(&server, &target.url(), "delivered");
    assert_attempts(&delivery, &target, &["timeout", "200"]);
    let took = duration_ms(&delivery["attempts"][0]);
    assert!((2_500.0..5_500.0).contains(&took), "not about 2.5 s: {delivery:#}");
}

#[test]
fn a_gibibyte_of_answer_costs_neither_memory_nor_time() {
    let server = server();
    let mut api = server.api();
    let target = Target::always(Reply::Flood(1 << 30));
    // One first, so that what grows once for all is not counted.
    deliver(&server, &Target::always(Reply::Status(200)).url(), "delivered");
    let before = server.memory_kib("VmHWM");
    api.subscribe("contact.create", &target.url());
    let events: Vec<String> = (0..16).map(|n| api.emit("contact.create", &json!({"n": n}))).collect();
    for event in &events {
        let delivery = api.settled(event, "delivered");
        let attempt = &delivery["attempts"][0];
        assert_eq!(outcomes(&delivery), ["200"]);
        assert_eq!(attempt["response_truncated"], true, "{attempt:#}");
        assert_eq!(attempt["response_body"].as_str().map(str::len), Some(16 * 1024));
        assert!(duration_ms(attempt) < 5_000.0, "16 KiB took {} ms", duration_ms(attempt));
    }
    let grown = server.memory_kib("VmHWM").saturating_sub(before);
    assert!(grown < 24 * 1024, "16 answers of 1 GiB took {grown} KiB of memory");
    assert_eq!(target.count(), events.len());
}

#[test]
fn a_mebibyte_of_headers_is_a_failure_of_its_own() {
    let server = server();
    let target = Target::script([Reply::Wide(1 << 20), Reply::Wide(1 << 20), Reply::Status(200)]);
    let before = server.memory_kib("VmHWM");
    let delivery = deliver(&server, &target.url(), "delivered");
    assert_attempts(&delivery, &target, &["response_too_large", "response_too_large", "200"]);
    let grown = server.memory_kib("VmHWM").saturating_sub(before);
    assert!(grown < 24 * 1024, "headers of 1 MiB took {grown} KiB of memory");
    // What is usual goes through.
    let usual = Target::always(Reply::Wide(8 * 1024));
    deliver(&server, &usual.url(), "delivered");
}
