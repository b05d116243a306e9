//! What is told of hooks as their receivers have them: each thing that goes wrong between the signature and its check, done to
//! hooks that were really sent.

use std::time::Duration;

use resthooks::model::{AccountId, PayloadKind, Signature, SubscriptionId};
use resthooks::verify::{Code, Received, Scheme, Verdict};
use resthooks::{Error, Scope, SignatureChoice, SubscriptionChange};
use serde_json::Value;
use standardwebhooks::Webhook;

use crate::target::{Received as Request, Reply, Target};
use crate::world::{ACCOUNT, World, until};

const TOLERANCE: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(3600);

/// A subscription, and a hook that it was sent.
struct Sent {
    world: World,
    target: Target,
    id: SubscriptionId,
    hook: Received,
}

/// A request as its receiver would hand it on.
fn received(request: &Request) -> Received {
    let pairs = request.headers.iter();
    let headers = pairs.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    Received { headers, body: request.body.clone().into(), tolerance: TOLERANCE }
}

impl Sent {
    async fn start() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut SubscriptionChange)) -> Self {
        let world = World::start().await;
        let target = world.target([Reply::Status(200)]).await;
        let id = world.subscribe("a.b", &target.url()).await.subscription.id;
        let mut wanted = SubscriptionChange::default();
        change(&mut wanted);
        world.hooks.change_subscription(&Scope::All, id, wanted, None).await.unwrap();
        let mut sent = Self {
            world,
            target,
            id,
            hook: Received { headers: Vec::new(), body: bytes::Bytes::new(), tolerance: TOLERANCE },
        };
        sent.hook = sent.next().await;
        sent
    }

    /// Another one.
    async fn next(&self) -> Received {
        let before = self.target.count();
        self.world.emit("a.b").await;
        until("it arrives", || self.target.count() > before).await;
        self.world.idle().await;
        received(&self.target.received()[before])
    }

    async fn verdict(&self, hook: Received) -> Verdict {
        self.world.hooks.verify(&Scope::All, self.id, hook).await.unwrap()
    }

    #[track_caller]
    fn says(verdict: &Verdict, code: Code, words: &str) {
        assert_eq!(verdict.code, code, "{}", verdict.detail);
        assert!(verdict.detail.contains(words), "{}", verdict.detail);
        assert_eq!(verdict.is_valid(), code == Code::Good);
    }

    async fn rotate(&self, grace: Duration) {
        self.world.hooks.rotate_secret(&Scope::All, self.id, grace).await.unwrap();
    }
}

fn with_body(hook: &Received, body: impl Into<bytes::Bytes>) -> Received {
    Received { body: body.into(), ..hook.clone() }
}

fn with_header(hook: &Received, name: &str, value: &str) -> Received {
    let mut hook = hook.clone();
    let one = hook.headers.iter_mut().find(|(given, _)| given == name).unwrap();
    value.clone_into(&mut one.1);
    hook
}

/// Only `x-hook-signature`, as receivers of REST Hooks know it.
fn alone(hook: &Received) -> Received {
    let mut hook = hook.clone();
    hook.headers.retain(|(name, _)| name == "x-hook-signature" || name == "webhook-id");
    hook
}

/// Only the signatures of this scheme.
fn by(hook: &Received, scheme: &str) -> Received {
    let (_, all) = hook.headers.iter().find(|(name, _)| name == "webhook-signature").unwrap();
    let kept: Vec<_> = all.split(' ').filter(|one| one.starts_with(&format!("{scheme},"))).collect();
    with_header(hook, "webhook-signature", &kept.join(" "))
}

fn matched(verdict: &Verdict) -> (Scheme, bool) {
    let matched = verdict.matched.unwrap();
    (matched.scheme, matched.is_previous)
}

fn reserialized(body: &[u8]) -> Vec<u8> {
    serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(body).unwrap()).unwrap()
}

fn changed(body: &[u8]) -> Vec<u8> {
    String::from_utf8(body.to_vec()).unwrap().replace("\"id\":1", "\"id\":2").into_bytes()
}

#[tokio::test]
async fn a_hook_as_it_was_sent_is_good_until_its_time_is_over() {
    let sent = Sent::start().await;
    let verdict = sent.verdict(sent.hook.clone()).await;
    Sent::says(&verdict, Code::Good, "right");
    assert_eq!(matched(&verdict), (Scheme::V1, false));
    assert_eq!(matched(&sent.verdict(alone(&sent.hook)).await), (Scheme::HookSignature, false));
    // To the second: the clock stood 678 ms behind it.
    sent.world.turn_to(sent.world.now().plus(TOLERANCE - Duration::from_millis(678))).await;
    Sent::says(&sent.verdict(sent.hook.clone()).await, Code::Good, "right");
    sent.world.turn_to(sent.world.now().plus(Duration::from_millis(1))).await;
    Sent::says(&sent.verdict(sent.hook.clone()).await, Code::TimestampTooOld, "5m are allowed");
    let patient = Received { tolerance: TOLERANCE * 2, ..sent.hook.clone() };
    Sent::says(&sent.verdict(patient).await, Code::Good, "right");
    Sent::says(&sent.verdict(alone(&sent.hook)).await, Code::Good, "right");
}

#[tokio::test]
async fn what_became_of_the_body_is_told_for_each_payload_and_scheme() {
    for payload in [PayloadKind::Full, PayloadKind::Skinny, PayloadKind::Raw] {
        let sent = Sent::with(|change| {
            change.payload = Some(payload);
            change.signature = Some(SignatureChoice::V1a(None));
        })
        .await;
        let hook = &sent.hook;
        for form in [hook.clone(), by(hook, "v1"), by(hook, "v1a"), alone(hook)] {
            let scheme = match &form {
                form if form.headers.len() == 2 => Scheme::HookSignature,
                form if !format!("{:?}", form.headers).contains("v1,") => Scheme::V1a,
                _ => Scheme::V1,
            };
            let good = sent.verdict(form.clone()).await;
            Sent::says(&good, Code::Good, "right");
            assert_eq!(matched(&good), (scheme, false));
            let again = sent.verdict(with_body(&form, reserialized(&hook.body))).await;
            Sent::says(&again, Code::BodyReserialized, "same JSON");
            assert_eq!(matched(&again), (scheme, false));
            let newline = [&hook.body[..], b"\n"].concat();
            Sent::says(&sent.verdict(with_body(&form, newline)).await, Code::BodyReserialized, "around");
            let cut = hook.body.slice(..hook.body.len() - 1);
            Sent::says(&sent.verdict(with_body(&form, cut)).await, Code::BodyChanged, "end is missing");
            Sent::says(&sent.verdict(with_body(&form, "")).await, Code::BodyChanged, "empty");
            if payload != PayloadKind::Skinny {
                let other = sent.verdict(with_body(&form, changed(&hook.body))).await;
                Sent::says(&other, Code::BodyChanged, "something else");
            }
        }
        let wrong = with_header(&alone(hook), "x-hook-signature", &"0a".repeat(32));
        Sent::says(&sent.verdict(wrong).await, Code::WrongSecret, "body is the one that was sent");
    }
}

#[tokio::test]
async fn another_payload_chosen_since_then_hides_nothing() {
    let sent = Sent::start().await;
    let change = SubscriptionChange { payload: Some(PayloadKind::Raw), ..SubscriptionChange::default() };
    sent.world.hooks.change_subscription(&Scope::All, sent.id, change, None).await.unwrap();
    Sent::says(&sent.verdict(sent.hook.clone()).await, Code::Good, "right");
    let again = with_body(&sent.hook, reserialized(&sent.hook.body));
    Sent::says(&sent.verdict(again).await, Code::BodyReserialized, "same JSON");
}

#[tokio::test]
async fn a_rotation_is_seen_with_its_end() {
    let sent = Sent::with(|change| change.signature = Some(SignatureChoice::V1a(None))).await;
    sent.rotate(GRACE).await;
    for (form, scheme) in [
        (by(&sent.hook, "v1"), Scheme::V1),
        (by(&sent.hook, "v1a"), Scheme::V1a),
        (alone(&sent.hook), Scheme::HookSignature),
    ] {
        let verdict = sent.verdict(form).await;
        Sent::says(&verdict, Code::Good, "right");
        assert_eq!(matched(&verdict), (scheme, true));
    }
    let both = sent.next().await;
    assert_eq!(matched(&sent.verdict(both.clone()).await), (Scheme::V1, false));
    // The second of each, as a receiver that has not changed over takes it.
    let signatures = both.headers.iter().find(|(name, _)| name == "webhook-signature").unwrap().1.clone();
    let signatures: Vec<_> = signatures.split(' ').collect();
    for (place, wanted) in
        [(Scheme::V1, false), (Scheme::V1a, false), (Scheme::V1, true), (Scheme::V1a, true)]
            .into_iter()
            .enumerate()
    {
        let one = with_header(&both, "webhook-signature", signatures[place]);
        assert_eq!(matched(&sent.verdict(one).await), wanted);
    }
    sent.world.turn_to(sent.world.now().plus(GRACE)).await;
    let late = Received { tolerance: GRACE * 2, ..sent.hook.clone() };
    for form in [late.clone(), by(&late, "v1a"), alone(&late)] {
        let verdict = sent.verdict(form).await;
        Sent::says(&verdict, Code::SecretExpired, "until 2026-01-02T04:04:05");
        assert!(matched(&verdict).1);
    }
    let both = Received { tolerance: GRACE * 2, ..both };
    Sent::says(&sent.verdict(both).await, Code::Good, "right");
    sent.rotate(Duration::ZERO).await;
    Sent::says(&sent.verdict(late).await, Code::WrongSecret, "given up");
}

#[tokio::test]
async fn times_that_were_changed_or_of_other_clocks_are_told() {
    let sent = Sent::start().await;
    let seconds: i64 = sent.world.now().as_secs();
    let other = with_header(&sent.hook, "webhook-timestamp", &(seconds + 7).to_string());
    let verdict = sent.verdict(other.clone()).await;
    Sent::says(
        &verdict,
        Code::NoMatch,
        &format!("webhook-timestamp is not the one that was sent: that was {seconds}"),
    );
    let both = with_body(&other, changed(&sent.hook.body));
    Sent::says(&sent.verdict(both).await, Code::NoMatch, "that was");
    let millis = with_header(&sent.hook, "webhook-timestamp", &format!("{seconds}678"));
    Sent::says(&sent.verdict(millis).await, Code::MalformedHeader, "milliseconds");
    // Signed by a clock that was ahead.
    let secret = sent.world.hooks.subscription(&Scope::All, sent.id).await.unwrap().subscription.secret;
    for (ahead, code) in [(300, Code::Good), (302, Code::TimestampInFuture)] {
        let at = sent.world.now().as_secs() + ahead;
        let id = &sent.hook.headers.iter().find(|(name, _)| name == "webhook-id").unwrap().1;
        let signed = Webhook::new(secret.expose()).unwrap().sign(id, at, &sent.hook.body).unwrap();
        let hook = with_header(&sent.hook, "webhook-timestamp", &at.to_string());
        let verdict = sent.verdict(with_header(&hook, "webhook-signature", &signed)).await;
        Sent::says(&verdict, code, if ahead == 300 { "right" } else { "301s ahead of now" });
    }
}

#[tokio::test]
async fn deliveries_of_others_and_of_nobody_are_told_apart_and_strangers_learn_nothing() {
    let sent = Sent::start().await;
    let twin = sent.world.subscribe("a.c", &sent.target.url()).await.subscription.id;
    let foreign = sent.world.subscribe_of("other", "a.b", &sent.target.url()).await.subscription.id;
    let verify =
        async |scope: &Scope, id, hook: &Received| sent.world.hooks.verify(scope, id, hook.clone()).await;
    let own = Scope::Account(ACCOUNT.parse::<AccountId>().unwrap());
    let others = Scope::Account("other".parse::<AccountId>().unwrap());

    let verdict = verify(&own, twin, &sent.hook).await.unwrap();
    Sent::says(
        &verdict,
        Code::WrongSecret,
        &format!("of the subscription {}, and verifies with its secret", sent.id),
    );
    let changed = with_body(&sent.hook, "{}");
    let verdict = verify(&own, twin, &changed).await.unwrap();
    Sent::says(&verdict, Code::WrongSecret, "does not verify with its secret either");

    // Another account's delivery is as unknown as one that never was.
    let unknown = verify(&others, foreign, &sent.hook).await.unwrap();
    Sent::says(&unknown, Code::UnknownDelivery, "none of this subscription's deliveries");
    let never =
        with_header(&sent.hook, "webhook-id", "dlv_01k6x8t1m2n3p4q5r6s7t8v9wa01k6x8t1m2n3p4q5r6s7t8v9wa");
    assert_eq!(verify(&others, foreign, &never).await.unwrap(), unknown);
    let odd = with_header(&sent.hook, "webhook-id", "msg_1");
    assert_eq!(verify(&others, foreign, &odd).await.unwrap(), unknown);
    for (scope, id) in [(&others, sent.id), (&own, foreign)] {
        assert!(matches!(verify(scope, id, &sent.hook).await, Err(Error::NotFound)));
    }
    let mut bare = alone(&changed);
    bare.headers.retain(|(name, _)| name != "webhook-id");
    Sent::says(&verify(&own, twin, &bare).await.unwrap(), Code::NoMatch, "without a webhook-id");

    sent.world.hooks.delete_subscription(&own, sent.id).await.unwrap();
    assert!(matches!(verify(&own, sent.id, &sent.hook).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn headers_that_are_missing_or_broken_are_named() {
    let sent = Sent::start().await;
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut hook = sent.hook.clone();
        hook.headers.retain(|(given, _)| given != name && given != "x-hook-signature");
        Sent::says(&sent.verdict(hook).await, Code::MissingHeader, name);
    }
    for (value, words) in [
        ("", "is empty"),
        ("v2,abcd", "version"),
        ("v1,short", "signature 1"),
        ("v1=tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=", "no version and comma"),
    ] {
        let hook = with_header(&sent.hook, "webhook-signature", value);
        Sent::says(&sent.verdict(hook).await, Code::MalformedHeader, words);
    }
    let mut upper = sent.hook.clone();
    for (name, _) in &mut upper.headers {
        *name = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
    }
    Sent::says(&sent.verdict(upper).await, Code::Good, "right");
    assert_eq!(
        sent.world.hooks.subscription(&Scope::All, sent.id).await.unwrap().subscription.signature(),
        Signature::V1
    );
}
