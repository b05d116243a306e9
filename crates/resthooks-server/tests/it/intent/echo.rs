//! `echo`: at once, late, wrong, and brought back afterwards.

use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::{
    delivered, echo, handshakes, is_handshake, is_pending, last, secret, start, subscribe, target, timed,
};
use crate::support::{ACCOUNT, Api, Received, Reply, Setup, Target, eventually, within};

/// The next attempt comes after 5 s.
const RETRIED: Duration = Duration::from_secs(15);

#[test]
fn a_target_that_echoes_is_sent_hooks_and_not_before() {
    let (_server, mut api) = start("echo");
    let hanging = Target::always(Reply::Hang);
    let (waiting, took) = timed(|| subscribe(&mut api, &hanging, json!({})));
    // It would have waited for as long as an attempt may take.
    assert!(took < Duration::from_secs(10), "the answer waited for the target: {took:?}");
    is_pending(&api.subscription(&waiting.id));
    api.matched("contact.create", 0);
    let target = target(echo);
    let one = subscribe(&mut api, &target, json!({"headers": {"Authorization": "Bearer own"}}));
    let shown = api.becomes_active(&one.id);
    assert_eq!(shown["intent"], "echo");
    let asked = &handshakes(&target)[0];
    assert!(asked.message.first.starts_with("POST /hook HTTP/1.1"), "{}", asked.message.first);
    assert!(asked.message.body.is_empty());
    assert_eq!((asked.header("content-length"), asked.header("authorization")), ("0", "Bearer own"));
    assert!(asked.header("user-agent").starts_with("resthooks/"));
    assert_eq!(asked.header("x-hook-subscription"), one.id);
    let sent = asked.header("x-hook-secret").to_owned();
    assert!(sent.len() >= 32 && !one.secret.contains(&sent), "of its own: {sent}");
    assert_eq!(delivered(&target).len(), 0, "something came before it had confirmed");
    let event = api.matched("contact.create", 1);
    api.settled(&event, "delivered");
    assert_eq!((delivered(&target).len(), delivered(&hanging).len()), (1, 0));
    // As it stands, whatever is brought.
    assert_eq!(api.activate(&one.id, Some("anything")).expect(200).json["status"], "active");
    assert_eq!(api.activate(&one.id, None).expect(200).json["status"], "active");
    assert_eq!(handshakes(&target).len(), 1);
}

/// A wrong echo is a failed attempt: it says so, shows no secret, and is tried again.
#[test]
fn a_wrong_echo_fails() {
    let (server, mut api) = start("echo");
    let first = target(|_| Reply::Status(204));
    let others = {
        subscribe(&mut api, &first, json!({}));
        secret(&first)
    };
    let told = others.clone();
    type Answering = Box<dyn Fn(&Received) -> Reply + Send + Sync>;
    let wrong: [(&str, Answering, &str); 4] = [
        ("another one", Box::new(|_| Reply::Header(200, "X-Hook-Secret", "x".repeat(43))), "not the one"),
        ("another's", Box::new(move |_| Reply::Header(200, "X-Hook-Secret", told.clone())), "not the one"),
        ("nothing", Box::new(|_| Reply::Header(200, "X-Hook-Secret", String::new())), "not the one"),
        (
            "twice",
            Box::new(|asked| {
                let line = format!("X-Hook-Secret: {}\r\n", asked.header("x-hook-secret"));
                Reply::Body(200, line.repeat(2), String::new())
            }),
            "more than once",
        ),
    ];
    let mut secrets = vec![others];
    for (what, answering, said) in wrong {
        let target = target(answering);
        let one = subscribe(&mut api, &target, json!({}));
        let shown = api.noted(&one.id, 1);
        let (status, detail) = last(&shown);
        assert_eq!((status, &shown["awaiting_secret"]), (json!(200), &json!(false)), "{what}");
        assert!(detail.contains(said), "{what}: {detail}");
        is_pending(&api.subscription(&one.id));
        let reason = api.subscription(&one.id)["status_reason"].as_str().unwrap().to_owned();
        assert!(reason.contains(said) && reason.contains("asked again at"), "{what}: {reason}");
        let own = secret(&target);
        secrets.push(own);
        for secret in &secrets {
            assert!(!shown.to_string().contains(secret), "{what}: {shown:#}");
        }
        // The right one, brought back, counts still.
        let own = secrets.last().unwrap().clone();
        assert_eq!(api.activate(&one.id, Some(&own)).expect(200).json["status"], "active", "{what}");
    }
    let log = server.log();
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "a secret was logged:\n{log}");
}

#[test]
fn white_space_around_an_echo_is_no_part_of_it() {
    let (_server, mut api) = start("echo");
    let target = target(|asked| {
        let line = format!("x-HOOK-secret:   {}\t \r\n", asked.header("x-hook-secret"));
        Reply::Body(202, line, "<html>thanks</html>".to_owned())
    });
    let one = subscribe(&mut api, &target, json!({}));
    api.becomes_active(&one.id);
}

/// An echo that comes when nobody waits for it any more counts for nothing; the next one in time does.
#[test]
fn a_late_echo_is_too_late() {
    let setup = Setup::new().flag("--intent=echo").flag("--attempt-timeout=3s").flag("--connect-timeout=3s");
    let server = setup.start();
    let mut api = server.api();
    let before = Mutex::new(0);
    let target = target(move |asked| {
        let mut before = before.lock().unwrap();
        *before += 1;
        let line = format!("X-Hook-Secret: {}\r\n", asked.header("x-hook-secret"));
        let wait = if *before == 1 { Duration::from_secs(5) } else { Duration::ZERO };
        Reply::Late(wait, line)
    });
    let one = subscribe(&mut api, &target, json!({}));
    let shown = api.noted(&one.id, 1);
    assert_eq!(last(&shown).0, "timeout");
    is_pending(&api.subscription(&one.id));
    let confirmed = within(RETRIED, || {
        let shown = api.subscription(&one.id);
        if shown["status"] == "active" { Ok(shown) } else { Err(shown.to_string()) }
    });
    assert!(confirmed["intent_confirmed_at"].is_string());
    let asked = handshakes(&target);
    assert_eq!(asked.len(), 2);
    let apart = asked[1].at - asked[0].at;
    assert!(apart > Duration::from_secs(5), "{apart:?}");
    assert_eq!(asked[0].header("x-hook-secret"), asked[1].header("x-hook-secret"));
    let attempts = api.noted(&one.id, 2)["attempts"].as_array().unwrap().len();
    assert_eq!(attempts, 2, "both can be read afterwards");
}

#[test]
fn a_target_that_was_down_is_asked_again() {
    let (_server, mut api) = start("echo");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let one = api.subscribe("contact.create", &format!("http://{address}/hook"));
    assert_eq!(last(&api.noted(&one.id, 1)).0, "refused");
    let reason = api.subscription(&one.id)["status_reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("error refused") && reason.contains("asked again at"), "{reason}");
    let up = Target::on(TcpListener::bind(address).unwrap(), None, |request, _| {
        if is_handshake(request) { echo(request) } else { Reply::Status(200) }
    });
    within(RETRIED, || match api.subscription(&one.id) {
        shown if shown["status"] == "active" => Ok(()),
        shown => Err(shown.to_string()),
    });
    assert_eq!(handshakes(&up).len(), 1);
}

/// A receiver that can't echo brings the secret back, with the credentials of its account or the provider's; any other
/// secret, and any other account, is refused.
#[test]
fn a_secret_is_brought_back_by_its_owner() {
    let (server, mut api) = start("echo");
    let [mine, others] = [0, 1].map(|_| target(|_| Reply::Status(200)));
    let one = subscribe(&mut api, &mine, json!({}));
    let other = subscribe(&mut api, &others, json!({}));
    let [own, foreign] = [&mine, &others].map(secret);
    let shown = api.noted(&one.id, 1);
    assert_eq!((&shown["awaiting_secret"], &shown["next_attempt_at"]), (&json!(true), &Value::Null));
    let reason = shown["status_reason"].as_str().unwrap();
    assert!(reason.contains("activate/"), "{reason}");
    let mut key =
        |account: &str| api.post("/api/v1/api-key/", &json!({"account": account})).expect(201).str("key");
    let [consumer, stranger] = [key(ACCOUNT), key("stranger")];
    let mut consumer = Api::with_key(server.address(), &consumer);
    let mut stranger = Api::with_key(server.address(), &stranger);
    for wrong in ["x", &foreign, "", &own.to_uppercase(), &format!("{own}x")] {
        let refused = consumer.activate(&one.id, Some(wrong)).expect(422);
        assert_eq!(refused.json["errors"][0]["field"], "X-Hook-Secret", "{}", refused.json);
        assert!(!refused.text().contains(&own), "{}", refused.text());
    }
    let twice = consumer.ask(
        "POST",
        &format!("/api/v1/subscription/{}/activate/", one.id),
        &[("X-Hook-Secret", &own), ("X-Hook-Secret", &own)],
        None,
    );
    assert_eq!(twice.unwrap().expect(422).json["errors"][0]["field"], "X-Hook-Secret");
    stranger.activate(&one.id, Some(&own)).expect(404);
    stranger.get(&format!("/api/v1/subscription/{}/handshake/", one.id)).expect(404);
    is_pending(&api.subscription(&one.id));
    let confirmed = consumer.activate(&one.id, Some(&format!("  {own} "))).expect(200).json;
    assert_eq!((&confirmed["status"], &confirmed["id"]), (&json!("active"), &json!(one.id)));
    assert!(confirmed["intent_confirmed_at"].is_string() && confirmed.get("secret").is_none());
    // The provider for the other one.
    assert_eq!(api.activate(&other.id, Some(&foreign)).expect(200).json["status"], "active");
    let event = api.matched("contact.create", 2);
    eventually(|| match (delivered(&mine).len(), delivered(&others).len()) {
        (1, 1) => Ok(()),
        found => Err(format!("{event}: {found:?}")),
    });
}

/// Asked again by hand, at most every few seconds: by another secret, and the one before counts no more.
#[test]
fn a_target_is_asked_again_by_hand() {
    let (_server, mut api) = start("echo");
    let target = target(|_| Reply::Status(200));
    let one = subscribe(&mut api, &target, json!({}));
    let first = secret(&target);
    api.noted(&one.id, 1);
    let again = api.activate(&one.id, None).expect(200).json;
    is_pending(&again);
    eventually(|| match handshakes(&target).len() {
        2 => Ok(()),
        count => Err(format!("asked {count} times")),
    });
    let second = secret(&target);
    assert_ne!(first, second);
    let soon = api.activate(&one.id, None).expect(429);
    assert_eq!(soon.str("code"), "asked_too_soon");
    assert!(soon.header("retry-after").is_some_and(|after| (1..=5).contains(&after.parse().unwrap())));
    api.activate(&one.id, Some(&first)).expect(422);
    assert_eq!(api.activate(&one.id, Some(&second)).expect(200).json["status"], "active");
}

#[test]
fn a_target_that_says_410_is_gone() {
    let (_server, mut api) = start("echo");
    let target = target(|_| Reply::Status(410));
    let one = subscribe(&mut api, &target, json!({}));
    let gone = api.subscription_when(&one.id, "gone");
    assert!(gone["status_reason"].as_str().unwrap().contains("410"), "{gone:#}");
    api.get(&format!("/api/v1/subscription/{}/", one.id)).expect(404);
    api.activate(&one.id, None).expect(404);
    assert_eq!(handshakes(&target).len(), 1);
}

#[test]
fn a_redirect_is_not_followed_even_if_it_echoes() {
    let (_server, mut api) = start("echo");
    let elsewhere = target(echo);
    let place = elsewhere.url();
    let redirecting = target(move |asked| {
        let secret = asked.header("x-hook-secret");
        Reply::Body(307, format!("Location: {place}\r\nX-Hook-Secret: {secret}\r\n"), String::new())
    });
    let one = subscribe(&mut api, &redirecting, json!({}));
    let shown = api.noted(&one.id, 1);
    assert_eq!((last(&shown).0, &shown["next_attempt_at"]), (json!(307), &Value::Null));
    let reason = api.subscription(&one.id)["status_reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("redirects are not followed") && reason.contains("activate/"), "{reason}");
    assert_eq!(elsewhere.count(), 0);
}
