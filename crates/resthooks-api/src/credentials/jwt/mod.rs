//! JSON Web Tokens that somebody else has issued (RFC 7519), verified with that one's public keys or a shared secret.
//!
//! `token` takes a token apart, `key_set` verifies it with keys that say themselves what they are for (`key`, read by
//! `pem` and `key_set` itself, fetched by `remote`), `claims` judges what it claims. `verifier` puts all that
//! together and remembers what it has verified.
//!
//! All cryptography is ring's, which is in the tree for TLS anyway, and so are base64, JSON, PEM and DER of libraries of
//! their own. What is left is to compare texts and numbers, and that is written here and not taken from `jsonwebtoken`:
//! that one verifies with a second library of cryptography (aws-lc, or RustCrypto's with its open RUSTSEC-2023-0071), or
//! with what is installed once for a whole process, which is not for a library to do to the application around it; and it
//! takes claims that are said twice and times with fractions, on which readers differ.
//!
//! A token can't be taken back before it expires: whoever wants that shortens its life.

mod algorithm;
mod claims;
mod key;
mod key_set;
mod pem;
mod remote;
mod token;
mod verifier;

pub use remote::RemoteKeys;
pub(super) use verifier::Unverified;
pub use verifier::{Jwt, JwtOptions, StaticKeys};
