//! Targets that ask for a certificate.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use resthooks::deliver::http::{Client, Identity, IdentityError};
use resthooks::env::SystemClock;
use resthooks::model::ErrorClass;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::AsyncWriteExt;

use crate::authority::*;
use crate::peer::*;

/// A key for tests, PKCS#8: none is made here.
const RSA_KEY: &str = include_str!("rsa_key.pem");

/// Certificates and a key, PEM.
struct Issued {
    chain: String,
    key: KeyPair,
}

/// Signed by an authority between the given one and the client.
fn issue(authority: &Authority, key: KeyPair) -> Issued {
    let between_key = KeyPair::generate().unwrap();
    let mut between = CertificateParams::new(Vec::new()).unwrap();
    between.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let between_certificate = between.signed_by(&between_key, &authority.issuer).unwrap();
    let mut params = CertificateParams::new(["resthooks.example".to_owned()]).unwrap();
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    let leaf = params.signed_by(&key, &Issuer::new(between, between_key)).unwrap();
    Issued { chain: format!("{}{}", leaf.pem(), between_certificate.pem()), key }
}

fn client_with(trusted: &Authority, identity: Option<Identity>) -> Client {
    let mut options = options(SystemClock::default());
    options.extra_roots.push(trusted.root.clone());
    options.identity = identity;
    Client::new(options).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// The key within a PKCS#8 wrapping: what follows the last but outermost header that spans to the end.
fn unwrapped(pkcs8: &[u8], starts_with: &[u8]) -> Vec<u8> {
    let at = pkcs8.windows(starts_with.len()).rposition(|window| window == starts_with).unwrap();
    pkcs8[at..].to_vec()
}

/// The same key in every form in which keys are kept.
fn forms() -> Vec<(&'static str, KeyPair, String)> {
    let elliptic = KeyPair::generate().unwrap();
    let der = elliptic.serialize_der();
    // SEQUENCE of 107 bytes, version 1: the ECPrivateKey of a P-256 key.
    let sec1 = pem("EC PRIVATE KEY", &unwrapped(&der, &[0x30, 0x6b, 2, 1, 1]));
    let (pkcs8, copy) =
        (elliptic.serialize_pem(), KeyPair::try_from(&PrivatePkcs8KeyDer::from(der)).unwrap());
    let rsa = || KeyPair::from_pem(RSA_KEY).unwrap();
    // SEQUENCE with a length of two bytes, version 0, a modulus of 257 bytes: the RSAPrivateKey of a 2,048-bit key.
    let all = rsa().serialize_der();
    let at = all.windows(7).position(|window| window == [2, 1, 0, 2, 0x82, 1, 1]).unwrap() - 4;
    let pkcs1 = pem("RSA PRIVATE KEY", &all[at..]);
    let edwards = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let edwards_pem = edwards.serialize_pem();
    vec![
        ("PKCS#8, P-256", elliptic, pkcs8),
        ("SEC1", copy, sec1),
        ("PKCS#8, RSA", rsa(), RSA_KEY.to_owned()),
        ("PKCS#1", rsa(), pkcs1),
        ("PKCS#8, Ed25519", edwards, edwards_pem),
    ]
}

#[tokio::test]
async fn a_target_that_asks_is_shown_the_certificate_in_every_form_of_its_key() {
    let (servers, clients) = (Authority::new(), Authority::named("clients"));
    for (form, key, pem) in forms() {
        let issued = issue(&clients, key);
        let identity = Identity::from_pem(issued.chain.as_bytes(), pem.as_bytes()).unwrap();
        let acceptor = servers.asking("hooks.test", &["http/1.1"], Some(&clients));
        let (address, sessions) = listen(acceptor, |stream, session| async move {
            assert_eq!(stream.get_ref().1.peer_certificates().map(<[_]>::len), Some(2));
            http1(stream, session).await;
        })
        .await;
        let client = client_with(&servers, Some(identity));
        for _ in 0..2 {
            assert_eq!(answer(&client, &hooks_test(address)).await.body, "ok", "{form}");
        }
        assert_eq!(sessions.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_target_that_does_not_ask_is_shown_nothing() {
    let (servers, clients) = (Authority::new(), Authority::named("clients"));
    let issued = issue(&clients, KeyPair::generate().unwrap());
    let identity =
        Identity::from_pem(issued.chain.as_bytes(), issued.key.serialize_pem().as_bytes()).unwrap();
    let (address, _) = listen(servers.acceptor("hooks.test", &[]), |mut stream, _| async move {
        let shown = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
        let mut buffer = [0; 4096];
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{shown}");
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    assert_eq!(answer(&client_with(&servers, Some(identity)), &hooks_test(address)).await.body, "0");
}

#[tokio::test]
async fn a_target_that_asks_refuses_nobody_and_anybody() {
    let (servers, clients) = (Authority::new(), Authority::named("clients"));
    let issued = issue(&Authority::named("others"), KeyPair::generate().unwrap());
    let other = Identity::from_pem(issued.chain.as_bytes(), issued.key.serialize_pem().as_bytes()).unwrap();
    for identity in [None, Some(other)] {
        let acceptor = servers.asking("hooks.test", &["http/1.1"], Some(&clients));
        let (address, sessions) = listen(acceptor, http1).await;
        let exchange = post(&client_with(&servers, identity), &hooks_test(address)).await;
        assert_eq!(exchange.address, Some(address));
        assert_failure(&exchange.answer.unwrap_err(), ErrorClass::Tls, "TLS");
        assert_eq!(sessions.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_key_that_is_another_certificates_is_found_at_once() {
    let authority = Arc::new(Authority::new());
    let issued = issue(&authority, KeyPair::generate().unwrap());
    for (form, _, pem) in forms() {
        let refused = Identity::from_pem(issued.chain.as_bytes(), pem.as_bytes()).unwrap_err();
        assert_eq!(refused, IdentityError::Mismatch, "{form}");
    }
}
