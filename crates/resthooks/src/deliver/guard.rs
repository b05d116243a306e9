//! Placeholder of the guard.
/// Policy.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// http allowed
    pub allow_http: bool,
}
impl Policy {
    /// Judges a target when it is written.
    pub fn check_url(&self, _target: &crate::model::TargetUrl) -> Result<(), crate::model::Invalid> {
        Ok(())
    }
}
