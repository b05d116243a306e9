//! Makes connections.

use std::sync::Arc;
use std::time::Duration;

use resthooks::env::Clock;
use resthooks::store::Error;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::Options;
use crate::address::Address;
use crate::failure::at_connecting;
use crate::tls;

type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// Knows how to reach the database.
#[derive(Clone)]
pub(crate) struct Connector {
    address: Arc<Address>,
    tls: MakeRustlsConnect,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connector").field(&self.address).finish()
    }
}

impl Connector {
    pub(crate) fn new(mut address: Address, options: &Options) -> Result<Self, Error> {
        let tls = tls::connector(&address)?;
        // A server that vanished is noticed although nobody writes.
        address.config.keepalives_idle(Duration::from_secs(20));
        address.config.keepalives_interval(Duration::from_secs(5));
        address.config.keepalives_retries(3);
        let clock = Arc::clone(&options.clock);
        Ok(Self { address: Arc::new(address), tls, timeout: options.connect_timeout, clock })
    }

    /// A connection whose other half works by itself until the client is dropped.
    pub(crate) async fn connect(&self) -> Result<Client, Error> {
        let (client, connection) = self.connect_bare().await?;
        tokio::spawn(async move {
            // What went wrong is told to whoever waited for an answer.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        Ok(client)
    }

    /// A connection that its caller keeps going.
    pub(crate) async fn connect_bare(&self) -> Result<(Client, Connection<Socket, Stream>), Error> {
        tokio::select! {
            made = self.address.config.connect(self.tls.clone()) => made.map_err(at_connecting),
            () = self.clock.sleep(self.timeout) => Err(Error::Unavailable("the database does not answer".to_owned())),
        }
    }

    /// Asks the server to stop what it does for a client that does not wait any more.
    pub(crate) fn cancel(&self, client: &Client) {
        let (token, tls) = (client.cancel_token(), self.tls.clone());
        let limit = self.clock.sleep(self.timeout);
        tokio::spawn(async move {
            tokio::select! {
                // Whether it still does it is not known anyway.
                _ = token.cancel_query(tls) => {}
                () = limit => {}
            }
        });
    }
}
