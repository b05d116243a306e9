//! Public keys in PEM, as `openssl` writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::der::{Public, public_key, rsa_key};
use super::key::{self, Key, Material};

/// Reads every public key in a text. They have no names, and so may be any that a token names.
///
/// # Errors
/// Says what is wrong with it, to go behind the name of where it came from.
pub(super) fn keys(text: &str) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    for (label, der) in blocks(text)? {
        let public = match label {
            "PUBLIC KEY" => public_key(&der),
            "RSA PUBLIC KEY" => rsa_key(&der),
            label if label.contains("PRIVATE KEY") => {
                return Err(
                    "holds a private key: give the public one alone (openssl pkey -pubout)".to_owned()
                );
            }
            "CERTIFICATE" => {
                return Err(
                    "holds a certificate: give its public key (openssl x509 -pubkey -noout)".to_owned()
                );
            }
            _ => return Err(format!("holds {label:.40}, which is no public key")),
        };
        let material = match public.ok_or("holds a public key of no kind that is supported")? {
            Public::Rsa(modulus, exponent) => key::rsa(modulus, exponent)?,
            Public::P256(point) => Material::P256(point_of(point, 65)?),
            Public::P384(point) => Material::P384(point_of(point, 97)?),
            Public::Ed25519(bytes) if bytes.len() == 32 => Material::Ed25519(bytes.to_vec()),
            Public::Ed25519(_) => return Err("holds an Ed25519 key of a wrong length".to_owned()),
        };
        keys.push(Key { id: None, only: None, material });
    }
    if keys.is_empty() { Err("holds no public key in PEM".to_owned()) } else { Ok(keys) }
}

fn point_of(bytes: &[u8], length: usize) -> Result<Vec<u8>, &'static str> {
    let is_whole = bytes.len() == length && bytes.first() == Some(&4);
    if is_whole { Ok(bytes.to_vec()) } else { Err("holds an EC key that is not an uncompressed point") }
}

/// The labels and contents of all blocks. What stands between blocks is passed over.
fn blocks(text: &str) -> Result<Vec<(&str, Vec<u8>)>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let broken = || "is not PEM: a block is broken".to_owned();
        let (label, body) = begun.split_once("-----").ok_or_else(broken)?;
        let (body, after) = body.split_once(&format!("-----END {label}-----")).ok_or_else(broken)?;
        let base64: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        found.push((label, STANDARD.decode(base64).map_err(|_| broken())?));
        rest = after;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::algorithm::Algorithm;
    use super::*;

    const ED25519: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn several_keys_may_stand_in_a_file() {
        let read = keys(&format!("the old one\r\n{}the new one\n{ED25519}", ED25519.replace('\n', "\r\n")));
        let read = read.unwrap();
        assert_eq!(read.len(), 2);
        assert!(read.iter().all(|key| key.id.is_none() && key.is_for(Algorithm::EdDsa)));
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, wrong) in [
            ("", "no public key"),
            ("MCow", "no public key"),
            ("-----BEGIN PUBLIC KEY-----\nMCow", "broken"),
            ("-----BEGIN PUBLIC KEY-----\n%%\n-----END PUBLIC KEY-----", "broken"),
            ("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----", "no kind that is supported"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMCow\n-----END RSA PRIVATE KEY-----", "private key"),
            ("-----BEGIN CERTIFICATE-----\nMCow\n-----END CERTIFICATE-----", "certificate"),
            ("-----BEGIN X509 CRL-----\nMCow\n-----END X509 CRL-----", "X509 CRL"),
        ] {
            let error = keys(text).unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
