//! Connections that are used again, so many at most.
//!
//! A connection on which something did not come to its end is never used again: what is still under way on it would
//! stand before whatever comes next.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use resthooks::env::Clock;
use resthooks::store::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Client;

use crate::connection::Connector;
use crate::failure::closed;

/// Lends connections.
#[derive(Debug)]
pub(crate) struct Pool {
    connector: Connector,
    idle: Arc<Mutex<Vec<Client>>>,
    permits: Arc<Semaphore>,
    patience: Duration,
    clock: Arc<dyn Clock>,
}

impl Pool {
    pub(crate) fn new(connector: Connector, size: usize, patience: Duration, clock: Arc<dyn Clock>) -> Self {
        let permits = Arc::new(Semaphore::new(size.max(1)));
        Self { connector, idle: Arc::default(), permits, patience, clock }
    }

    /// Lends one, an open one if there is one.
    pub(crate) async fn lend(&self) -> Result<Lent, Error> {
        let permit = tokio::select! {
            permit = Arc::clone(&self.permits).acquire_owned() => permit.map_err(|_| closed())?,
            () = self.clock.sleep(self.patience) => {
                return Err(Error::Unavailable("all connections to the database are in use".to_owned()));
            }
        };
        let open = loop {
            let Some(client) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() else {
                break None;
            };
            if !client.is_closed() {
                break Some(client);
            }
        };
        let client = match open {
            Some(client) => client,
            None => self.connector.connect().await?,
        };
        let home = Arc::clone(&self.idle);
        Ok(Lent { client: Some(client), home, connector: self.connector.clone(), permit: Some(permit) })
    }

    /// Drops all connections: the database may be elsewhere now, or its server another one.
    pub(crate) fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Lends no more; what is lent ends with whoever has it.
    pub(crate) fn close(&self) {
        self.permits.close();
        self.forget();
    }
}

/// A connection on loan. Unless it is given back it is closed, and the server asked to stop what it does on it.
#[derive(Debug)]
pub(crate) struct Lent {
    client: Option<Client>,
    home: Arc<Mutex<Vec<Client>>>,
    connector: Connector,
    permit: Option<OwnedSemaphorePermit>,
}

impl Lent {
    pub(crate) fn client(&self) -> &Client {
        self.client.as_ref().expect("it is taken only when it is given back")
    }

    /// Nothing is under way on it.
    pub(crate) fn give_back(mut self) {
        let Some(client) = self.client.take() else { return };
        let closing = self.permit.as_ref().is_none_or(|permit| permit.semaphore().is_closed());
        if !client.is_closed() && !closing {
            self.home.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
    }

    /// It is broken, or leads where nothing can be done.
    pub(crate) fn discard(mut self) {
        self.client = None;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(client) = self.client.take()
            && !client.is_closed()
        {
            self.connector.cancel(&client);
        }
    }
}
