//! A target confirms that it wants hooks, or does not, at the times that are promised.

use std::time::Duration;

use resthooks::model::{DeliveryStatus, Handshake, Intent, Subscription, SubscriptionId, SubscriptionStatus};
use resthooks::{Error, IntentChoice, Scope, SubscriptionChange};

use crate::receiver::{Receiver, answer};
use crate::world::{World, found, quiet, until};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

use SubscriptionStatus::{Active, Paused, Pending};

async fn world(intent: Intent) -> World {
    World::with(|options| {
        options.intent = intent;
        options.origin = "hooks.example.com".to_owned();
    })
    .await
}

impl World {
    async fn read(&self, id: SubscriptionId) -> Option<Subscription> {
        self.hooks.subscription(&Scope::All, id).await.ok().map(|view| view.subscription)
    }

    async fn handshake(&self, id: SubscriptionId) -> Handshake {
        self.read(id).await.unwrap().handshake.unwrap()
    }

    /// Turns the clock until something is so that takes no time by itself.
    async fn asked(&self, receiver: &Receiver, count: usize) {
        until(&format!("it was asked {count} times"), || receiver.asked().len() >= count).await;
        quiet().await;
        assert_eq!(receiver.asked().len(), count);
    }

    /// Waits until an attempt's outcome is written.
    async fn noted(&self, id: SubscriptionId, attempts: u32) -> Handshake {
        found(&format!("{attempts} attempts are noted"), async || {
            Some(self.handshake(id).await).filter(|handshake| handshake.attempts >= attempts)
        })
        .await
    }

    async fn change(&self, id: SubscriptionId, change: SubscriptionChange) -> Subscription {
        self.hooks.change_subscription(&Scope::All, id, change, None).await.unwrap().subscription
    }
}

#[tokio::test]
async fn nothing_is_sent_before_the_echo() {
    let world = world(Intent::Echo).await;
    let receiver =
        Receiver::start(
            &world.clock,
            |asked| {
                if asked.is_delivery() { answer(200, "") } else { asked.echo() }
            },
        )
        .await;
    let mute = Receiver::start(&world.clock, |_| None).await;
    let id = world.subscribe("a.b", &receiver.url()).await.subscription.id;
    let waiting = world.subscribe("a.b", &mute.url()).await.subscription;
    assert_eq!((waiting.status, waiting.intent, waiting.intent_confirmed_at), (Pending, Intent::Echo, None));
    let confirmed = world.subscription_becomes(id, Active).await.subscription;
    assert_eq!((confirmed.intent_confirmed_at, &confirmed.status_reason), (Some(world.now()), &None));
    let asked = &receiver.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str(), asked.body.len()), ("POST", "/hook?own=1", 0));
    assert_eq!((asked.header("content-length"), asked.header("content-type")), (Some("0"), None));
    assert!(asked.secret().len() >= 32, "{}", asked.secret());
    assert!(!confirmed.secret.expose().contains(&asked.secret()));
    assert_eq!(asked.header("x-hook-subscription"), Some(id.to_string().as_str()));
    let event = world.emit("a.b").await;
    world.settled(&event, DeliveryStatus::Delivered, 1).await;
    assert_eq!((receiver.delivered().len(), mute.delivered().len()), (1, 0));
    let refused = world.hooks.ping(&Scope::All, waiting.id).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict { code: "subscription_pending", .. }), "{refused}");
}

#[tokio::test]
async fn it_is_asked_after_5_s_30_s_2_min_10_min_and_then_by_hand() {
    let world = world(Intent::Echo).await;
    let receiver = Receiver::start(&world.clock, |_| answer(200, "x-hook-secret: wrong\r\n")).await;
    let id = world.subscribe("a.b", &receiver.url()).await.subscription.id;
    let mut wanted = world.now();
    for (place, wait) in [5, 30, 120, 600].into_iter().enumerate() {
        world.asked(&receiver, place + 1).await;
        let handshake = world.noted(id, place as u32 + 1).await;
        wanted = wanted.plus(SECOND * wait);
        assert_eq!(handshake.next_attempt_at, Some(wanted));
        world.turn_to(wanted.minus(SECOND)).await;
        assert_eq!(receiver.asked().len(), place + 1, "too soon");
        world.turn_to(wanted).await;
    }
    world.asked(&receiver, 5).await;
    assert_eq!(world.noted(id, 5).await.next_attempt_at, None);
    let secrets: Vec<_> = receiver.asked().iter().map(crate::receiver::Asked::secret).collect();
    assert!(secrets.iter().all(|secret| *secret == secrets[0]), "one round, one secret");
    let reason = world.read(id).await.unwrap().status_reason.unwrap();
    assert!(reason.contains("5 attempts") && reason.contains("not the one that was sent"), "{reason}");
    world.turn_to(world.now().plus(SECOND * 3600)).await;
    assert_eq!(receiver.asked().len(), 5);

    receiver.answers(crate::receiver::Asked::echo);
    let scope = Scope::Account("acme".parse().unwrap());
    let again = world.hooks.activate_subscription(&scope, id, None).await.unwrap().subscription;
    assert_eq!((again.status, again.handshake.unwrap().attempts), (Pending, 0));
    world.subscription_becomes(id, Active).await;
    assert_ne!(receiver.asked()[5].secret(), secrets[0], "another round, another secret");
}

#[tokio::test]
async fn a_target_is_not_asked_anew_by_hand_every_moment() {
    let world = world(Intent::Echo).await;
    let receiver = Receiver::start(&world.clock, |_| answer(500, "")).await;
    let id = world.subscribe("a.b", &receiver.url()).await.subscription.id;
    world.asked(&receiver, 1).await;
    world.noted(id, 1).await;
    let anew = || world.hooks.activate_subscription(&Scope::All, id, None);
    anew().await.unwrap();
    let Err(Error::TooSoon { code, retry_after, .. }) = anew().await else { panic!("not refused") };
    assert_eq!((code, retry_after), ("asked_too_soon", SECOND * 5));
    world.turn_to(world.now().plus(SECOND * 5)).await;
    anew().await.unwrap();
}

#[tokio::test]
async fn what_is_never_confirmed_is_removed_after_a_day_also_when_nobody_looked() {
    let world = world(Intent::Echo).await;
    let silent = Receiver::start(&world.clock, |_| answer(204, "")).await;
    let one = world.subscribe("a.b", &silent.url()).await.subscription.id;
    let begun = world.now();
    world.asked(&silent, 1).await;
    let handshake = world.noted(one, 1).await;
    assert!(handshake.awaiting && handshake.next_attempt_at.is_none());
    world.turn_to(begun.plus(DAY - SECOND)).await;
    assert!(world.read(one).await.is_some());
    world.turn_to(begun.plus(DAY)).await;
    found("it is removed", async || world.read(one).await.is_none().then_some(())).await;
    assert_eq!(silent.asked().len(), 1, "who has the secret is not asked again");

    let two = world.subscribe("a.b", &silent.url()).await.subscription.id;
    let confirmed = world.subscribe("a.b", &silent.url()).await.subscription.id;
    world.noted(two, 1).await;
    world.clock.advance(SECOND);
    world.noted(confirmed, 1).await;
    let secret = silent.asked()[2].secret();
    world.hooks.activate_subscription(&Scope::All, confirmed, Some(secret.as_bytes())).await.unwrap();
    let stopped = world.stopped().await;
    stopped.clock().advance(2 * DAY);
    let world = stopped.started().await;
    found("it is removed", async || world.read(two).await.is_none().then_some(())).await;
    assert_eq!(world.read(confirmed).await.unwrap().status, Active);
}

#[tokio::test]
async fn a_secret_is_brought_back_once_and_by_nobody_else() {
    let world = world(Intent::Echo).await;
    let receiver = Receiver::start(&world.clock, |_| answer(202, "")).await;
    let mine = world.subscribe("a.b", &receiver.url()).await.subscription.id;
    world.asked(&receiver, 1).await;
    world.noted(mine, 1).await;
    world.clock.advance(SECOND);
    let other = world.subscribe("a.b", &receiver.url()).await.subscription.id;
    world.asked(&receiver, 2).await;
    let [secret, others] = [0, 1].map(|place: usize| receiver.asked()[place].secret());
    let own = Scope::Account("acme".parse().unwrap());
    let stranger = Scope::Account("stranger".parse().unwrap());
    let bring = async |scope: &Scope, id, secret: &str| {
        world.hooks.activate_subscription(scope, id, Some(secret.as_bytes())).await
    };
    for wrong in ["", "x", &others, &secret.to_uppercase(), &secret[1..]] {
        let Err(Error::Invalid(fields)) = bring(&own, mine, wrong).await else { panic!("{wrong}") };
        assert_eq!(fields[0].field, "X-Hook-Secret");
        assert!(!fields[0].message.contains(&secret));
    }
    assert!(matches!(bring(&stranger, mine, &secret).await, Err(Error::NotFound)));
    let confirmed = bring(&own, mine, &secret).await.unwrap().subscription;
    assert_eq!((confirmed.status, confirmed.intent_confirmed_at), (Active, Some(world.now())));
    assert_eq!(bring(&own, mine, "anything").await.unwrap().subscription, confirmed, "as it stands");
    let paused = SubscriptionChange { active: Some(false), ..SubscriptionChange::default() };
    world.noted(other, 1).await;
    assert_eq!(world.change(other, paused).await.status, Pending);
    assert_eq!(bring(&Scope::All, other, &others).await.unwrap().subscription.status, Paused);
}

#[tokio::test]
async fn another_target_is_asked_and_what_waits_goes_there() {
    let world = world(Intent::Echo).await;
    let echoing = |asked: &crate::receiver::Asked| {
        if asked.is_delivery() { answer(500, "") } else { asked.echo() }
    };
    let first = Receiver::start(&world.clock, echoing).await;
    let id = world.subscribe("a.b", &first.url()).await.subscription.id;
    world.subscription_becomes(id, Active).await;
    let event = world.emit("a.b").await;
    world.settled(&event, DeliveryStatus::Scheduled, 1).await;
    let second = Receiver::start(&world.clock, |_| answer(503, "")).await;
    let moves = |to: &Receiver| SubscriptionChange {
        target_url: Some(to.url().parse().unwrap()),
        ..SubscriptionChange::default()
    };
    let moved = world.change(id, moves(&second)).await;
    assert_eq!((moved.status, moved.intent_confirmed_at), (Pending, None));
    world.becomes(&event, DeliveryStatus::Held, 1).await;
    let unmatched = world.hooks.emit("acme", "a.b", &serde_json::json!(1)).await.unwrap();
    assert_eq!(unmatched.matched, 0);
    world.asked(&second, 1).await;
    world.noted(id, 1).await;
    world.turn_to(world.now().plus(SECOND * 4)).await;
    assert!(second.delivered().is_empty() && first.delivered().len() == 1);
    let (_, attempts) = world.delivery(&event).await;
    assert_eq!(attempts.len(), 1);
    second.answers(|asked| if asked.is_delivery() { answer(200, "") } else { asked.echo() });
    world.turn_to(world.now().plus(SECOND)).await;
    world.subscription_becomes(id, Active).await;
    world.settled(&event, DeliveryStatus::Delivered, 2).await;
    assert_eq!(second.delivered().len(), 1);
    // Back where it was confirmed before: again.
    assert_eq!(world.change(id, moves(&first)).await.status, Pending);
    world.subscription_becomes(id, Active).await;
    let secrets: Vec<_> = first.asked().iter().map(crate::receiver::Asked::secret).collect();
    assert_eq!(secrets.len(), 2);
    assert_ne!(secrets[0], secrets[1]);
}

/// Neither a target that hangs, nor the time that the attempt was given, delays what was begun since.
#[tokio::test]
async fn a_new_round_does_not_wait_for_the_one_before() {
    let world = world(Intent::Echo).await;
    let hanging = Receiver::start(&world.clock, |_| None).await;
    let id = world.subscribe("a.b", &hanging.url()).await.subscription.id;
    world.asked(&hanging, 1).await;
    hanging.answers(|_| answer(204, ""));
    world.hooks.activate_subscription(&Scope::All, id, None).await.unwrap();
    assert!(world.noted(id, 1).await.awaiting);
    hanging.answers(|_| None);
    world.turn_to(world.now().plus(SECOND * 5)).await;
    world.hooks.activate_subscription(&Scope::All, id, None).await.unwrap();
    world.asked(&hanging, 3).await;
    let good = Receiver::start(&world.clock, crate::receiver::Asked::echo).await;
    let moves =
        SubscriptionChange { target_url: Some(good.url().parse().unwrap()), ..SubscriptionChange::default() };
    world.change(id, moves).await;
    world.subscription_becomes(id, Active).await;
}

#[tokio::test]
async fn a_stricter_policy_holds_from_the_next_target_on() {
    let world = world(Intent::None).await;
    let receiver =
        Receiver::start(
            &world.clock,
            |asked| {
                if asked.is_delivery() { answer(200, "") } else { asked.echo() }
            },
        )
        .await;
    let id = world.subscribe("a.b", &receiver.url()).await.subscription.id;
    let account = "acme".parse().unwrap();
    let settings = resthooks::model::AccountSettings { intent: Some(Intent::Echo) };
    world.hooks.put_account(&account, settings).await.unwrap();
    let described =
        SubscriptionChange { description: Some(Some("x".to_owned())), ..SubscriptionChange::default() };
    assert_eq!(world.change(id, described).await.status, Active);
    let elsewhere = SubscriptionChange {
        target_url: Some(format!("{}&moved=1", receiver.url()).parse().unwrap()),
        ..SubscriptionChange::default()
    };
    let moved = world.change(id, elsewhere).await;
    assert_eq!((moved.status, moved.intent), (Pending, Intent::Echo));
    world.subscription_becomes(id, Active).await;
    // Chosen for this one alone: at once.
    let freed = SubscriptionChange {
        intent: Some(IntentChoice::Provider(Intent::None)),
        ..SubscriptionChange::default()
    };
    assert_eq!(world.change(id, freed).await.status, Active);
    let chosen = SubscriptionChange {
        intent: Some(IntentChoice::Consumer(Intent::Challenge)),
        ..SubscriptionChange::default()
    };
    let refused = world.hooks.change_subscription(&Scope::All, id, chosen, None).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid(fields) if fields[0].field == "intent"));
    let world = world.restarted().await;
    let created = world.subscribe("a.b", &receiver.url()).await.subscription;
    assert_eq!((created.status, created.intent), (Pending, Intent::Echo), "known after a restart");
}

#[tokio::test]
async fn a_crash_in_the_middle_leaves_it_to_the_next_start() {
    let world = world(Intent::Echo).await;
    let receiver = Receiver::start(&world.clock, |_| None).await;
    let id = world.subscribe("a.b", &receiver.url()).await.subscription.id;
    world.asked(&receiver, 1).await;
    let begun = world.now();
    let secret = receiver.asked()[0].secret();
    let world = world.crashed().await;
    receiver.answers(crate::receiver::Asked::echo);
    world.turn_to(begun.plus(SECOND * 29)).await;
    assert_eq!(receiver.asked().len(), 1, "another node may be at it");
    world.turn_to(begun.plus(SECOND * 30)).await;
    world.subscription_becomes(id, Active).await;
    assert_eq!(receiver.asked()[1].secret(), secret, "the same round goes on");
}

#[tokio::test]
async fn a_thousand_subscriptions_do_not_hammer_one_host() {
    let world = world(Intent::Echo).await;
    let victim = Receiver::start(&world.clock, |_| answer(404, "")).await;
    for account in 0..10 {
        for _ in 0..100 {
            world.subscribe_of(&format!("account{account}"), "a.b", &victim.url()).await;
        }
    }
    let begun = world.now();
    world.idle().await;
    world.pass(SECOND * 10, SECOND / 10).await;
    assert_eq!(world.now(), begun.plus(SECOND * 10));
    let asked = victim.asked();
    assert!(asked.len() <= 110, "{} in ten seconds", asked.len());
    for from in &asked {
        let within = asked.iter().filter(|one| one.at >= from.at && one.at < from.at.plus(SECOND)).count();
        assert!(within <= 20, "{within} within a second");
    }
    assert!(asked.len() >= 100, "{}", asked.len());
}
