//! What a store must do beyond all that, when several nodes work on it at once.
//!
//! `lease` is who lives and who is refused, `takeover` what becomes of a dead node's work, `together` what nodes do at
//! the same time, `change` how they hear of each other's changes, `sealing` how they come to another key, and `emitted` the events that applications emit in
//! their own transactions.

pub mod change;
pub mod emitted;
pub mod lease;
pub mod sealing;
pub mod takeover;
pub mod together;

use std::time::Duration;

use resthooks::model::NodeNo;

use crate::Lab;

/// So short that it has ended by the time it is looked at.
const MOMENT: Duration = Duration::from_millis(1);

/// More tries than a lease of a moment lasts.
const TRIES: usize = 10_000;

/// Takes over until this node is among those taken; all that were.
async fn take_over(by: &Lab, gone: &Lab) -> Vec<NodeNo> {
    let mut all = Vec::new();
    for _ in 0..TRIES {
        all.extend(by.store().take_over(by.node(), true).await.unwrap());
        if all.contains(&gone.node()) {
            return all;
        }
    }
    panic!("{:?}, whose lease has ended, is never taken over", gone.node());
}
