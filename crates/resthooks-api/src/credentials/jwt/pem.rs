//! Public keys in PEM, as `openssl` writes them. Both PEM and DER are read by libraries; here it is only decided what is
//! taken.

use rustls_pki_types::pem::{PemObject, SectionKind};
use spki::der::asn1::UintRef;
use spki::der::{Decode, Reader, SliceReader};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::key::{self, Key, Material};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Reads every public key in a text. They have no names, and so may be any that a token names.
///
/// # Errors
/// Says what is wrong with it, to go behind the name of where it came from.
pub(super) fn keys(text: &str) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
        let (kind, der) = section.map_err(|_| "is not PEM: a block is broken")?;
        let material = match kind {
            SectionKind::PublicKey => public_key(&der)?,
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                return Err(
                    "holds a private key: give the public one alone (openssl pkey -pubout)".to_owned()
                );
            }
            SectionKind::Certificate => {
                return Err(
                    "holds a certificate: give its public key (openssl x509 -pubkey -noout)".to_owned()
                );
            }
            _ => return Err(NO_KEY.to_owned()),
        };
        keys.push(Key { id: None, only: None, material });
    }
    if keys.is_empty() {
        return Err("holds no PUBLIC KEY in PEM".to_owned());
    }
    // What the library knows no name for it passes over: an operator has to know that it counts for nothing.
    if text.matches("-----BEGIN ").count() != keys.len() { Err(NO_KEY.to_owned()) } else { Ok(keys) }
}

const NO_KEY: &str = "holds something that is no PUBLIC KEY in PEM";

/// Reads a `SubjectPublicKeyInfo` (RFC 5280) of a kind that is supported.
fn public_key(der: &[u8]) -> Result<Material, &'static str> {
    const OTHER: &str = "holds a public key of no kind that is supported";
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| "holds a public key that is broken")?;
    let key = info.subject_public_key.as_bytes().ok_or(OTHER)?;
    let curve = || info.algorithm.parameters_oid().ok();
    match info.algorithm.oid {
        RSA => {
            let (modulus, exponent) = rsa_key(key).map_err(|_| "holds an RSA key that is broken")?;
            key::rsa(modulus.as_bytes(), exponent.as_bytes())
        }
        EC if curve() == Some(P256) => Ok(Material::P256(point(key, 65)?)),
        EC if curve() == Some(P384) => Ok(Material::P384(point(key, 97)?)),
        ED25519 if key.len() == 32 && info.algorithm.parameters.is_none() => {
            Ok(Material::Ed25519(key.to_vec()))
        }
        _ => Err(OTHER),
    }
}

/// Reads an `RSAPublicKey` (RFC 8017): modulus and exponent.
fn rsa_key(der: &[u8]) -> spki::der::Result<(UintRef<'_>, UintRef<'_>)> {
    let mut reader = SliceReader::new(der)?;
    let numbers = reader.sequence(|numbers| Ok((UintRef::decode(numbers)?, UintRef::decode(numbers)?)))?;
    reader.finish(numbers)
}

fn point(bytes: &[u8], length: usize) -> Result<Vec<u8>, &'static str> {
    let is_whole = bytes.len() == length && bytes.first() == Some(&4);
    if is_whole { Ok(bytes.to_vec()) } else { Err("holds an EC key that is not an uncompressed point") }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::SubjectPublicKeyInfoDer as SubjectPublicKey;

    use super::super::algorithm::Algorithm;
    use super::*;

    const ED25519: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    fn block(label: &str, der: &[u8]) -> String {
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    }

    #[test]
    fn several_keys_may_stand_in_a_file() {
        let read = keys(&format!("the old one\r\n{}the new one\n{ED25519}", ED25519.replace('\n', "\r\n")));
        let read = read.unwrap();
        assert_eq!(read.len(), 2);
        assert!(read.iter().all(|key| key.id.is_none() && key.is_for(Algorithm::EdDsa)));
    }

    #[test]
    fn says_what_is_wrong() {
        let unknown = block("RSA PUBLIC KEY", &[0x30, 0]);
        // The OID of X25519, and an RSA key of a few bits.
        let x25519 = ED25519.replace("K2Vw", "K2Vu");
        let rsa_oid = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
        let number = [&[0x30, 0x15, 0x30, 0x0d][..], &rsa_oid, &[5, 0, 3, 4, 0]].concat();
        let short = [&number[..1], &[0x1a], &number[2..17], &[3, 9, 0, 0x30, 6, 2, 1, 7, 2, 1, 3]].concat();
        let short = block("PUBLIC KEY", &short);
        for (text, wrong) in [
            ("", "no PUBLIC KEY"),
            ("MCow", "no PUBLIC KEY"),
            (
                "-----BEGIN PUBLIC KEY-----
MCow",
                "broken",
            ),
            (
                "-----BEGIN PUBLIC KEY-----
%%
-----END PUBLIC KEY-----",
                "broken",
            ),
            (
                "-----BEGIN PUBLIC KEY-----
MCow
-----END PUBLIC KEY-----",
                "broken",
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----
MCow
-----END RSA PRIVATE KEY-----",
                "private key",
            ),
            (
                "-----BEGIN CERTIFICATE-----
MCow
-----END CERTIFICATE-----",
                "certificate",
            ),
            (
                "-----BEGIN X509 CRL-----
MCow
-----END X509 CRL-----",
                "no PUBLIC KEY",
            ),
            (&unknown, "no PUBLIC KEY"),
            (&format!("{ED25519}{unknown}"), "no PUBLIC KEY"),
            (&short, "2048 bits"),
            (&x25519, "no kind"),
        ] {
            let error = keys(text).unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
    }

    /// However it is broken, it is refused in words; and what is cut or longer is broken.
    #[test]
    fn a_broken_key_is_refused() {
        let key = SubjectPublicKey::from_pem_slice(ED25519.as_bytes()).unwrap();
        assert!(public_key(&key).is_ok());
        for end in 0..key.len() {
            assert!(public_key(&key[..end]).is_err(), "{end}");
        }
        assert!(public_key(&[&key[..], &[0]].concat()).is_err());
        for place in 0..12 {
            for bit in 0..8 {
                let mut other = key.to_vec();
                other[place] ^= 1 << bit;
                assert!(public_key(&other).is_err(), "{place} {bit}");
            }
        }
    }
}
