//! JSON Web Tokens that somebody else has issued (RFC 7519), verified with that one's public keys or a shared secret.
//!
//! `token` takes a token apart, `key_set` verifies it with keys that say themselves what they are for (`key`, read by
//! `pem`, `der` and `key_set` itself, fetched by `remote`), `claims` judges what it claims. `verifier` puts all that
//! together and remembers what it has verified.
//!
//! A token can't be taken back before it expires: whoever wants that shortens its life.

mod algorithm;
mod claims;
mod der;
mod key;
mod key_set;
mod pem;
mod remote;
mod token;
mod verifier;

pub use remote::RemoteKeys;
pub(super) use verifier::Unverified;
pub use verifier::{Jwt, JwtOptions, StaticKeys};
