//! Random work.
use crate::Lab;
/// Placeholder until written.
pub async fn random_work_agrees_with_a_plain_model(_lab: Lab) {}
