//! How nodes come to another key one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use resthooks::model::Subscription;

use crate::lab::{Lab, vault};
use crate::sealing::{reseal, secretive};

/// One after the other the nodes get the new key, first to open, then to seal with. While some still seal with the former
/// one, all is sealed again: no change is lost, and every node can read everything all the time.
pub async fn nodes_seal_again_beside_those_that_write_with_the_former_key(lab: Lab) {
    const CHANGES: u64 = 25;
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(lab.insert(secretive(&lab)).await);
    }
    let former = lab.another_with(vault(&[1, 2])).await.unwrap();
    let new = lab.another_with(vault(&[2, 1])).await.unwrap();
    drop(lab);
    let done = Arc::new(AtomicBool::new(false));
    let changing = tokio::spawn({
        let (done, all) = (Arc::clone(&done), all.clone());
        async move {
            let mut last = Vec::new();
            for one in all {
                let mut one = one;
                for n in 0..CHANGES {
                    one = former.update(Subscription { description: Some(format!("{n}")), ..one }).await;
                }
                last.push(one);
            }
            done.store(true, Ordering::SeqCst);
            (former, last)
        }
    });
    while !done.load(Ordering::SeqCst) {
        reseal(&new).await;
        assert_eq!(new.store().snapshot().await.unwrap().subscriptions.len(), all.len());
    }
    let (former, last) = changing.await.unwrap();
    reseal(&new).await;
    for node in [&former, &new] {
        for one in &last {
            assert_eq!(one.version, CHANGES);
            assert_eq!(node.store().subscription(one.id).await.unwrap().as_ref(), Some(one));
        }
    }
    // One that writes with the former key once more brings it back.
    let again = new.another_with(vault(&[2])).await.unwrap();
    let one = former.update(last[0].clone()).await;
    assert!(new.another_with(vault(&[2])).await.is_err());
    assert!(again.store().subscription(one.id).await.is_err(), "it has not got the key");
    reseal(&new).await;
    assert_eq!(again.store().subscription(one.id).await.unwrap(), Some(one));
    new.another_with(vault(&[2])).await.unwrap();
}
