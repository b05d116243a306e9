//! Secrets are sealed: with which keys a store may be opened, and how it comes to another one.

use resthooks::model::{
    HandshakeSecret, PreviousSecret, Secret, SigningKey, Subscription, SubscriptionNo, SubscriptionStatus,
};
use resthooks::store::Error;

use crate::lab::{Lab, at, secret_key, vault};

/// A subscription with a secret of every kind.
pub(crate) fn secretive(lab: &Lab) -> Subscription {
    Subscription {
        headers: [("authorization".to_owned(), "Basic cGxhbnRlZA==".to_owned())].into(),
        secret: Secret::from_key([3; 32]),
        previous_secret: Some(PreviousSecret {
            secret: Secret::from_key([4; 32]),
            signing_key: Some(SigningKey::from_seed([5; 32])),
            signs_until: at(9),
        }),
        signing_key: Some(SigningKey::from_seed([6; 32])),
        handshake: Some(resthooks::model::Handshake {
            secret: HandshakeSecret::new("planted-handshake".to_owned()),
            begun_at: at(1),
            expires_at: at(2),
            next_attempt_at: None,
            asked_anew_at: None,
            attempts: 0,
            last: Vec::new(),
            awaiting: true,
            then_paused: false,
        }),
        ..lab.subscription("a")
    }
}

/// Seals all in steps of three; how many it took.
pub(crate) async fn reseal(lab: &Lab) -> usize {
    let mut after = SubscriptionNo(0);
    for steps in 1..1_000 {
        match lab.store().reseal(after, 3).await.unwrap() {
            Some(last) => {
                assert!(last > after, "{last:?} does not come after {after:?}");
                after = last;
            }
            None => return steps,
        }
    }
    panic!("sealing comes to no end");
}

/// The refusal of a vault that lacks this key.
fn assert_lacks(refused: Result<(), Error>, key: u64) {
    let Err(Error::Unusable(why)) = refused else { panic!("it should be unusable: {refused:?}") };
    assert!(why.contains(&format!("the secret key {}, which was not given", secret_key(key).id())), "{why}");
}

/// Every key that something is sealed with is needed, and the key of a store that is still empty. What is written is
/// sealed with the first one; the refused leave everything as it was.
pub async fn a_store_is_opened_with_all_keys_in_use_alone(mut lab: Lab) {
    assert_lacks(lab.reopen_with(vault(&[2])).await, 1);
    let mut all = vec![lab.insert(secretive(&lab)).await];
    assert_lacks(lab.reopen_with(vault(&[2, 3])).await, 1);
    lab.reopen_with(vault(&[2, 1])).await.unwrap();
    all.push(lab.insert(secretive(&lab)).await);
    for (keys, lacking) in [(&[1][..], 2), (&[2], 1), (&[3, 1], 2)] {
        assert_lacks(lab.reopen_with(vault(keys)).await, lacking);
    }
    for keys in [&[1, 2][..], &[2, 1, 3]] {
        lab.reopen_with(vault(keys)).await.unwrap();
        let read = lab.store().snapshot().await.unwrap().subscriptions;
        assert_eq!(read.into_iter().map(|(one, _)| one).collect::<Vec<_>>(), all);
        for one in &all {
            assert_eq!(lab.store().subscription(one.id).await.unwrap().as_ref(), Some(one));
        }
    }
}

/// Sealed again, in steps that may be cut and begun again, subscriptions are what they were, of the same version, also those
/// that have ended; the former key is needed until all are done, and not any more.
pub async fn what_is_sealed_again_needs_the_former_key_no_more(mut lab: Lab) {
    let mut all = Vec::new();
    for n in 0..10 {
        let one = lab.insert(secretive(&lab)).await;
        let status = match n {
            3 => SubscriptionStatus::Gone,
            4 => SubscriptionStatus::Deleted,
            _ => SubscriptionStatus::Paused,
        };
        all.push(if n % 2 == 0 { one } else { lab.update(Subscription { status, ..one }).await });
    }
    lab.reopen_with(vault(&[2, 1])).await.unwrap();
    assert_eq!(lab.store().reseal(SubscriptionNo(0), 4).await.unwrap(), Some(all[3].no));
    let last = all[9].no;
    assert_eq!(
        lab.store().reseal(last, 4).await.unwrap(),
        None,
        "whoever begins at the end has done nothing"
    );
    assert_lacks(lab.reopen_with(vault(&[2])).await, 1);
    assert_eq!(reseal(&lab).await, 3, "six were left, in two full steps and an empty one");
    assert_eq!(reseal(&lab).await, 1);
    lab.reopen_with(vault(&[2])).await.unwrap();
    for one in &all {
        assert_eq!(lab.store().subscription(one.id).await.unwrap().as_ref(), Some(one));
    }
    let changed = lab.update(all.remove(0)).await;
    assert_eq!(lab.store().subscription(changed.id).await.unwrap(), Some(changed));
    assert_lacks(lab.reopen_with(vault(&[1])).await, 2);
}

/// A key that was the first one for a while is forgotten as well when nothing is sealed with it, and so is one whose last
/// subscription went with its account.
pub async fn a_key_that_sealed_nothing_is_forgotten_too(mut lab: Lab) {
    let gone = lab.insert(secretive(&lab)).await;
    lab.reopen_with(vault(&[2, 1])).await.unwrap();
    lab.reopen_with(vault(&[3, 2, 1])).await.unwrap();
    assert_lacks(lab.reopen_with(vault(&[3, 1])).await, 2);
    lab.store().begin_delete_account(&gone.account, at(1), None).await.unwrap().unwrap();
    assert_lacks(lab.reopen_with(vault(&[3])).await, 1);
    assert_eq!(reseal(&lab).await, 1);
    lab.reopen_with(vault(&[3])).await.unwrap();
}
