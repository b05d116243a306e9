//! TLS: who gets in how, what a new certificate changes, and what slow or mistaken callers are worth.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use rustls::SupportedProtocolVersion;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{House, REQUEST, ask_over_http2, read_all};
use crate::lifecycle::door::Room;
use crate::lifecycle::tls::{Files, Tls};

/// A certificate of its own authority in a folder of its own.
struct Issued {
    folder: TempDir,
    certificate: CertificateDer<'static>,
}

impl Issued {
    fn new() -> Self {
        let issued = Self { folder: tempfile::tempdir().unwrap(), certificate: CertificateDer::from(vec![]) };
        issued.again()
    }

    /// Another one, in place of it.
    fn again(mut self) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(self.path("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(self.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
        self.certificate = made.cert.der().clone();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn files(&self) -> Files {
        Files { certificate: self.path("cert.pem"), key: self.path("key.pem") }
    }
}

struct Shop {
    house: House,
    tls: Arc<Tls>,
}

impl Shop {
    async fn open(issued: &Issued, connections: usize) -> Self {
        let tls = Arc::new(Tls::load(issued.files()).unwrap());
        let room = Room { connections, per_address: connections };
        Self { house: House::with(room, Some(Arc::clone(&tls))).await, tls }
    }

    /// A caller that trusts this certificate alone.
    async fn enter(
        &self,
        trusted: &Issued,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, self.house.connect().await).await
    }
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"quick") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn both_versions_of_tls_and_of_http() {
    let issued = Issued::new();
    let shop = Shop::open(&issued, 8).await;
    for version in [&TLS12, &TLS13] {
        for (offered, chosen) in [
            (&[&b"http/1.1"[..]][..], Some(&b"http/1.1"[..])),
            (&[b"h2", b"http/1.1"], Some(b"h2")),
            (&[b"http/1.1", b"h2"], Some(b"h2")),
            (&[], None),
        ] {
            let mut stream = shop.enter(&issued, &[version], offered).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), chosen);
            assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
            match chosen {
                Some(b"h2") => ask_over_http2(stream, "https", shop.house.address).await,
                _ => ask(&mut stream).await,
            }
        }
    }
    assert!(shop.enter(&issued, &[&TLS13], &[b"smtp"]).await.is_err());
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections() {
    let issued = Issued::new();
    let shop = Shop::open(&issued, 8).await;
    let mut old = shop.enter(&issued, &[&TLS13], &[]).await.unwrap();
    ask(&mut old).await;
    let before = Issued { certificate: issued.certificate.clone(), folder: tempfile::tempdir().unwrap() };
    let issued = issued.again();
    // Nobody has said that there is a new one.
    shop.enter(&before, &[&TLS13], &[]).await.unwrap();
    shop.tls.reload();
    let mut new = shop.enter(&issued, &[&TLS13], &[]).await.unwrap();
    ask(&mut new).await;
    assert!(shop.enter(&before, &[&TLS13], &[]).await.is_err(), "the old one is shown");
    ask(&mut old).await;

    // Files that are no good: half written, of another key, gone.
    let other = Issued::new();
    let certificate = std::fs::read(issued.path("cert.pem")).unwrap();
    std::fs::write(issued.path("cert.pem"), &certificate[..certificate.len() / 2]).unwrap();
    shop.tls.reload();
    ask(&mut shop.enter(&issued, &[&TLS13], &[]).await.unwrap()).await;
    std::fs::copy(other.path("cert.pem"), issued.path("cert.pem")).unwrap();
    shop.tls.reload();
    ask(&mut shop.enter(&issued, &[&TLS13], &[]).await.unwrap()).await;
    std::fs::remove_file(issued.path("key.pem")).unwrap();
    shop.tls.reload();
    ask(&mut shop.enter(&issued, &[&TLS13], &[]).await.unwrap()).await;
    // And the rest of them, late.
    std::fs::copy(other.path("key.pem"), issued.path("key.pem")).unwrap();
    shop.tls.reload();
    ask(&mut shop.enter(&other, &[&TLS13], &[]).await.unwrap()).await;
}

#[tokio::test]
async fn who_speaks_http_is_told_so_and_let_go() {
    let issued = Issued::new();
    // With one slot, whoever is not let go keeps the next one out.
    let shop = Shop::open(&issued, 1).await;
    let long = [b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 30000\r\n\r\n".to_vec(), vec![b'x'; 30_000]]
        .concat();
    for words in [REQUEST, b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &long] {
        let answer = read_all(&mut shop.house.enter(words).await).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("ask with https, not http.\n"),
            "{answer}"
        );
    }
    for words in [&b"\n\n"[..], b"ssh", b"\0", b"\x16ET / HTTP/1.1", &[0x80, 0x2e, 1]] {
        let answer = read_all(&mut shop.house.enter(words).await).await;
        assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    }
    ask(&mut shop.enter(&issued, &[&TLS13], &[]).await.unwrap()).await;
}

#[tokio::test]
async fn a_handshake_has_its_time_and_keeps_nobody_waiting() {
    let issued = Issued::new();
    let shop = Shop::open(&issued, 4).await;
    let hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc];
    let mut silent = shop.house.enter(b"").await;
    let mut half = shop.house.enter(&hello).await;
    let mut dripping = shop.house.enter(&hello[..1]).await;
    ask(&mut shop.enter(&issued, &[&TLS13], &[]).await.unwrap()).await;
    let mut answer = Vec::new();
    for seconds in 0.. {
        assert!(seconds < 200, "a byte a second lengthens the time for a handshake");
        shop.house.clock.advance(Duration::from_secs(1));
        let read = tokio::time::timeout(Duration::from_millis(2), dripping.read_buf(&mut answer)).await;
        if read.is_ok() || dripping.write_all(&[3]).await.is_err() {
            assert!(seconds >= 8, "let go after {seconds} seconds");
            break;
        }
    }
    for stream in [&mut silent, &mut half] {
        assert!(read_all(stream).await.is_empty());
    }
}

#[tokio::test]
async fn a_slow_head_within_tls_is_let_go_too() {
    let issued = Issued::new();
    let shop = Shop::open(&issued, 1).await;
    let mut stream = shop.enter(&issued, &[&TLS13], &[]).await.unwrap();
    stream.write_all(b"GET / HT").await.unwrap();
    let mut answer = Vec::new();
    let (turns, _) = shop.house.turns_until(stream.read_to_end(&mut answer)).await;
    assert!(turns >= 6 && answer.is_empty(), "{turns} turns: {}", String::from_utf8_lossy(&answer));
}

/// What is wrong is said with the file and the setting, and nothing of a key.
#[test]
fn files_that_cannot_be_used() {
    let (issued, other) = (Issued::new(), Issued::new());
    let write = |name: &str, text: &str| {
        std::fs::write(issued.path(name), text).unwrap();
        issued.path(name)
    };
    let (certificate, key) = (issued.path("cert.pem"), issued.path("key.pem"));
    let key_text = std::fs::read_to_string(&key).unwrap();
    let body: String = key_text.lines().filter(|line| !line.starts_with('-')).collect();
    let encrypted = key_text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let broken = format!("-----BEGIN {body}\n{key_text}");
    let wrong_bytes = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (certificate, key, setting, says) in [
        (&issued.path("none"), &key, "tls-cert", "none can't be read: No such file"),
        (&certificate, &issued.path("none"), "tls-key", "none can't be read: No such file"),
        (&key, &key, "tls-cert", "key.pem holds no certificate in PEM"),
        (&write("empty", ""), &key, "tls-cert", "empty holds no certificate in PEM"),
        (&write("half", "-----BEGIN CERTIFICATE-----\nAAAA\n"), &key, "tls-cert", "half is damaged"),
        (&write("no", no_certificate), &key, "tls-cert", "no holds a certificate that can't be used"),
        (&certificate, &certificate, "tls-key", "cert.pem holds no private key that is not encrypted in PEM"),
        (&certificate, &write("closed", &encrypted), "tls-key", "closed holds no private key that is not"),
        (&certificate, &write("broken", &broken), "tls-key", "broken is damaged"),
        (&certificate, &write("bytes", wrong_bytes), "tls-key", "bytes holds a key that can't be used"),
        (&certificate, &other.path("key.pem"), "tls-key", "key.pem is not the key of the certificate in"),
    ] {
        let files = Files { certificate: certificate.clone(), key: key.clone() };
        let error = Tls::load(files).expect_err(says);
        assert_eq!(error.setting, setting, "{error}");
        assert!(error.message.contains(says), "{error}");
        assert!(!error.message.contains(&body[..16]), "{error}");
    }
}

#[test]
fn keys_of_every_usual_kind() {
    let issued = Issued::new();
    for kind in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384] {
        let key = KeyPair::generate_for(kind).unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(issued.path("cert.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(issued.path("key.pem"), key.serialize_pem()).unwrap();
        Tls::load(issued.files()).unwrap();
    }
}
