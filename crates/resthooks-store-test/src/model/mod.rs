//! Random work on a store and on a plain model of one, compared after every step.
//!
//! `plain` is what a store is, without durability, indexes or haste; `work` chooses what happens next, `manage` is a part of it; `compare`
//! asks both the same questions. A failure names its seed: the same seed does the same again.

mod compare;
mod dice;
mod manage;
mod plain;
mod work;

use crate::Lab;

const SEEDS: u64 = 4;
const STEPS: usize = 150;

/// Some hundreds of random operations and reopenings: every read answers what the model answers.
pub async fn random_work_agrees_with_a_plain_model(mut lab: Lab) {
    for seed in 0..SEEDS {
        eprintln!("seed {seed}");
        // One store after another in the same place: what the one before has left is part of the trial.
        let mut trial = work::Trial::new(seed, &lab).await;
        for _ in 0..STEPS {
            trial.step(&mut lab).await;
            compare::all(&mut trial, &lab).await;
        }
        trial.clear(&mut lab).await;
    }
}
