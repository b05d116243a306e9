//! Opening a connection: resolve, judge every address, connect to exactly the judged one (or have the proxy do so), TLS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::alarm::Alarm;
use super::limits::ADDRESSES_TRIED;
use super::stream::Transport;
use super::target::Parts;
use super::{Failure, Proxy, proxy};
use crate::deliver::guard::Policy;
use crate::deliver::resolver::Resolver;
use crate::env::Clock;
use crate::model::ErrorClass;

/// What opening connections needs.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) policy: Policy,
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) tls: Tls,
    pub(super) proxy: Option<Proxy>,
    pub(super) timeout: Duration,
}

/// [`TlsConnector`] shows nothing of itself.
pub(super) struct Tls(pub(super) TlsConnector);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// An open connection.
pub(super) struct Connected {
    pub(super) transport: Transport,
    /// The target's, also where a proxy connects to it.
    pub(super) address: SocketAddr,
    pub(super) is_http2: bool,
}

/// Why there is no connection, and the address that was reached, if one was.
pub(super) struct Unconnected {
    pub(super) address: Option<SocketAddr>,
    pub(super) failure: Failure,
}

impl From<Failure> for Unconnected {
    fn from(failure: Failure) -> Self {
        Self { address: None, failure }
    }
}

impl Connector {
    /// Opens a connection to one of the target's allowed addresses by `latest` (of the monotonic clock), and within
    /// the connect timeout.
    pub(super) async fn connect(&self, target: &Parts, latest: Duration) -> Result<Connected, Unconnected> {
        let deadline = latest.min(self.clock.monotonic() + self.timeout);
        let mut alarm = Alarm::new(Arc::clone(&self.clock), deadline);
        let addresses = self.addresses(target, &mut alarm, deadline).await?;
        let (stream, address) = self.reach(&addresses, deadline).await?;
        let unconnected = |failure| Unconnected { address: Some(address), failure };
        let Some(name) = &target.server_name else {
            return Ok(Connected { transport: Transport::Plain(stream), address, is_http2: false });
        };
        let handshake = self.tls.0.connect(name.clone(), stream);
        let stream: TlsStream<TcpStream> = match alarm.within(deadline, handshake).await {
            Some(Ok(stream)) => stream,
            Some(Err(error)) => return Err(unconnected(Failure::handshake(&error))),
            None => return Err(unconnected(self.late("connecting with TLS"))),
        };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Connected { transport: Transport::Tls(Box::new(stream)), address, is_http2 })
    }

    /// The target's addresses that may be connected to, at least one.
    async fn addresses(
        &self,
        target: &Parts,
        alarm: &mut Alarm,
        deadline: Duration,
    ) -> Result<Vec<SocketAddr>, Failure> {
        let host = &*target.host;
        let name = target.literal.is_none().then_some(host);
        self.policy.check_place(target.server_name.is_some(), name, target.port).map_err(Failure::refused)?;
        let found: Vec<IpAddr> = match target.literal {
            Some(literal) => vec![literal],
            None => match alarm.within(deadline, self.resolver.resolve(host)).await {
                Some(resolved) => resolved.map_err(|error| Failure::dns(host, &error))?,
                None => return Err(self.late("looking up the name")),
            },
        };
        let mut allowed = Vec::with_capacity(found.len().min(ADDRESSES_TRIED));
        let mut blocked = None;
        for address in found.into_iter().take(ADDRESSES_TRIED) {
            match self.policy.check_address(address, host) {
                Ok(()) => allowed.push(SocketAddr::new(address, target.port)),
                Err(refused) => blocked = blocked.or(Some(refused)),
            }
        }
        match blocked {
            _ if !allowed.is_empty() => Ok(allowed),
            Some(blocked) => Err(Failure::blocked(host, &blocked)),
            None => Err(Failure::new(ErrorClass::Dns, format!("{host} has no address"))),
        }
    }

    /// Tries one address after the other, each for its share of the time that is left, so that one that swallows
    /// packets does not keep the next from being tried. The last one's failure is told.
    async fn reach(
        &self,
        addresses: &[SocketAddr],
        deadline: Duration,
    ) -> Result<(TcpStream, SocketAddr), Failure> {
        let mut last = Failure::closed();
        for (tried, &address) in addresses.iter().enumerate() {
            let now = self.clock.monotonic();
            let share = deadline.saturating_sub(now) / u32::try_from(addresses.len() - tried).unwrap_or(1);
            let mut alarm = Alarm::new(Arc::clone(&self.clock), now + share);
            match alarm.within(now + share, self.open(address)).await {
                Some(Ok(stream)) => return Ok((stream, address)),
                Some(Err(failure)) => last = failure,
                None if self.proxy.is_some() => last = proxy::late(address, share),
                None => last = self.late(&format!("connecting to {address}")),
            }
        }
        Err(last)
    }

    /// A connection to exactly this address, of our own or by the proxy.
    async fn open(&self, address: SocketAddr) -> Result<TcpStream, Failure> {
        let Some(proxy) = &self.proxy else {
            return open(address).await.map_err(|error| Failure::connect(address, &error));
        };
        let mut stream = self.open_to(proxy).await.map_err(|error| proxy::unreached(&error))?;
        proxy.tunnel(&mut stream, address).await?;
        Ok(stream)
    }

    /// A connection to the proxy, at the first of its addresses that takes one.
    async fn open_to(&self, proxy: &Proxy) -> std::io::Result<TcpStream> {
        let found = match proxy.literal() {
            Some(literal) => vec![literal],
            None => self.resolver.resolve(proxy.host()).await?,
        };
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "its name has no address");
        for address in found.into_iter().take(ADDRESSES_TRIED) {
            match open(SocketAddr::new(address, proxy.port())).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn late(&self, what: &str) -> Failure {
        Failure::timeout(what, self.timeout)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where targets, after the guard, and the proxy are connected to"
)]
async fn open(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
