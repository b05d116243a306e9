//! Names to addresses. Passed in, so that tests name their own addresses.
//!
//! A resolver answers what it finds: it judges no address (the guard does) and keeps none, every new connection asks
//! again.

mod system;
mod turns;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

pub use system::SystemResolver;

/// Resolves the names of targets.
#[async_trait::async_trait]
pub trait Resolver: std::fmt::Debug + Send + Sync + 'static {
    /// The addresses of a host, the preferred first.
    ///
    /// # Errors
    /// When the name does not exist, has no address, or nobody could say.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// A resolver that knows what it was told and nothing else. For tests and closed networks.
#[derive(Debug, Clone, Default)]
pub struct StaticResolver {
    names: HashMap<String, Vec<IpAddr>>,
}

impl StaticResolver {
    /// Adds a name, in lower case, with its addresses in their order.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.names.insert(name.into(), addresses.into_iter().collect());
        self
    }
}

#[async_trait::async_trait]
impl Resolver for StaticResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "the name is not known");
        self.names.get(host).cloned().ok_or_else(unknown)
    }
}
