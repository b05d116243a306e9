//! Placeholder of the resolver.
/// Resolves names.
#[async_trait::async_trait]
pub trait Resolver: std::fmt::Debug + Send + Sync + 'static {
    /// The addresses of a host.
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<std::net::IpAddr>>;
}
