//! How callers prove themselves: an API key of ours, or what the provider's own API is called with, each by
//! configuration.
//!
//! `authorization` reads the header, `authenticate` tries what there is, in one order for all: keys, the header of a
//! trusted `proxy`, tokens (`jwt`), and asking the provider (`forward`). A refusal never repeats a credential and tells
//! no more of why than that something has expired; whoever can't be asked (a set of keys at a URL, the provider's own
//! authentication) admits nobody. What finding out costs is remembered under hashes (`cache`).

mod authenticate;
mod authorization;
mod cache;
mod field;
mod forward;
mod jwt;
mod outside;
mod proxy;

use http::{HeaderName, HeaderValue};

pub(crate) use authenticate::authenticate;
pub use field::FieldPath;
pub use forward::{ForwardAuth, ForwardOptions, Named, Reading};
pub use jwt::{Jwt, JwtOptions, RemoteKeys, StaticKeys};
pub use outside::{Endpoint, client};
pub use proxy::TrustedProxy;

use jwt::Unverified;

/// What callers may prove themselves with beside API keys. The default is nothing.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Credentials {
    /// Tokens.
    pub jwt: Option<std::sync::Arc<Jwt>>,
    /// What the provider's own API admits.
    pub forward: Option<ForwardAuth>,
    /// What a proxy says.
    pub proxy: Option<TrustedProxy>,
}

/// Who we say that we are.
const OUR_NAME: HeaderValue = HeaderValue::from_static(concat!("resthooks/", env!("CARGO_PKG_VERSION")));

/// Whether a header says something of one connection, and so nothing of who asks.
fn is_of_the_connection(name: &HeaderName) -> bool {
    const NAMES: [&str; 10] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    NAMES.contains(&name.as_str())
}
