//! Receivers with TLS, and the authorities that sign for them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use resthooks::deliver::http::{Client, Target};
use resthooks::env::Clock;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::peer::*;

/// An authority that signs for names, and is itself signed by nobody.
pub(crate) struct Authority {
    pub(crate) root: CertificateDer<'static>,
    pub(crate) issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("the authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { root, issuer: Issuer::new(params, key) }
    }

    /// Accepts TLS for `name`, with these protocols.
    pub(crate) fn acceptor(&self, name: &str, protocols: &[&str]) -> TlsAcceptor {
        self.asking(name, protocols, None)
    }

    /// Accepts TLS for `name`, with these protocols, from clients that `asks` has signed for.
    pub(crate) fn asking(&self, name: &str, protocols: &[&str], asks: Option<&Self>) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match asks {
            None => config.with_no_client_auth(),
            Some(asked) => {
                let mut roots = RootCertStore::empty();
                roots.add(asked.root.clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let mut config = config
            .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A client that trusts it.
    pub(crate) fn client(&self, clock: impl Clock) -> Client {
        let mut options = options(clock);
        options.extra_roots.push(self.root.clone());
        Client::new(options).unwrap()
    }
}

/// Listens with TLS; `serve` is run for every session, with its number from 1.
pub(crate) async fn listen<F, S>(acceptor: TlsAcceptor, serve: S) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(TlsStream<TcpStream>, usize) -> F + Send + Sync + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sessions, serve) = (Arc::new(AtomicUsize::new(0)), Arc::new(serve));
    let counted = Arc::clone(&sessions);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, serve, counted) = (acceptor.clone(), Arc::clone(&serve), Arc::clone(&counted));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, counted.fetch_add(1, Ordering::SeqCst) + 1).await;
                }
            });
        }
    });
    (address, sessions)
}

pub(crate) fn hooks_test(address: SocketAddr) -> Target {
    target(&format!("https://hooks.test:{}/hook", address.port()))
}

/// Answers requests over TLS.
pub(crate) async fn http1(mut stream: TlsStream<TcpStream>, _: usize) {
    let mut buffer = [0; 4096];
    while let Ok(1..) = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    }
}
