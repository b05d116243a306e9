//! After a rotation the old secret signs beside the new one, until its grace is over to the second.

use std::time::Duration;

use resthooks::Scope;
use resthooks::model::Secret;
use standardwebhooks::Webhook;

use crate::target::{Received, Reply};
use crate::world::{World, until};

/// Whether one of the signatures is the one that others' code makes. (Their verification asks the real clock.)
fn verifies(received: &Received, secret: &Secret) -> bool {
    let [id, seconds, signatures] =
        ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| received.header(name));
    let signer = Webhook::new(secret.expose()).unwrap();
    let wanted = signer.sign(id, seconds.parse().unwrap(), &received.body).unwrap();
    signatures.split(' ').any(|signature| signature == wanted)
}

#[tokio::test]
async fn the_old_secret_signs_until_its_grace_is_over() {
    let world = World::start().await;
    let target = world.target([Reply::Status(200)]).await;
    let subscribed = world.subscribe("a.b", &target.url()).await.subscription;
    let grace = Duration::from_secs(3600);
    let rotated = world.hooks.rotate_secret(&Scope::All, subscribed.id, grace).await.unwrap().subscription;
    let begun = world.now();
    for (sent, (after, old_signs)) in
        [(0, true), (3_599_999, true), (3_600_000, false), (9_999_999, false)].into_iter().enumerate()
    {
        world.turn_to(begun.plus(Duration::from_millis(after))).await;
        world.emit("a.b").await;
        until("it arrives", || target.count() > sent).await;
        let received = target.received()[sent].clone();
        assert!(verifies(&received, &rotated.secret), "{after} ms after");
        assert_eq!(verifies(&received, &subscribed.secret), old_signs, "{after} ms after");
        let signatures = received.headers.get_all("x-hook-signature").iter().count();
        assert_eq!(signatures, if old_signs { 2 } else { 1 });
    }
}
