//! Lets callers in: accepts connections up to a cap, in all and for each address, until it is told to stop, then waits
//! for those that are inside.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use resthooks::env::Clock;
use resthooks_api::PeerAddress;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::connection::{self, Service};
use super::crowd::Crowd;

/// How long the door stays shut when the operating system has no more connections to give.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// How many may be inside at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub connections: usize,
    pub per_address: usize,
}

/// An open door.
#[derive(Debug)]
pub(super) struct Door {
    slots: Arc<Semaphore>,
    max_connections: u32,
    stop: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
    clock: Arc<dyn Clock>,
}

impl Door {
    /// Begins to accept.
    pub(super) fn open(listener: TcpListener, service: Service, room: Room) -> Self {
        let max_connections = u32::try_from(room.connections).unwrap_or(u32::MAX);
        let slots = Arc::new(Semaphore::new(max_connections as usize));
        let crowd = Crowd::new(room.per_address);
        let clock = Arc::clone(&service.clock);
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, service, Arc::clone(&slots), crowd, stopped));
        Self { slots, max_connections, stop, accepting, clock }
    }

    /// Accepts no more, closes idle connections, and waits up to `grace` for the requests that are being answered.
    /// Whether all ended.
    pub(super) async fn close(self, grace: Duration) -> bool {
        self.stop.send_replace(true);
        let emptied = async {
            // Only when nobody can come in any more does a free slot mean a connection that has ended.
            let _ = self.accepting.await;
            self.slots.acquire_many(self.max_connections).await.is_ok()
        };
        tokio::select! {
            emptied = emptied => emptied,
            () = self.clock.sleep(grace) => false,
        }
    }
}

async fn accept(
    listener: TcpListener,
    service: Service,
    slots: Arc<Semaphore>,
    crowd: Arc<Crowd>,
    mut stop: watch::Receiver<bool>,
) {
    let stopped = stop.clone();
    let endless = async {
        loop {
            // The slot comes first: without one, callers wait in the operating system's queue and cost us nothing.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            let (stream, peer, place) = loop {
                let (stream, peer) = next_caller(&listener, &*service.clock).await;
                // Who has too many already is closed without a word: writing one could take time.
                if let Some(place) = crowd.enter(peer, &*service.clock) {
                    break (stream, peer, place);
                }
            };
            let serving = connection::serve(stream, peer, service.clone(), stopped.clone());
            tokio::spawn(async move {
                serving.await;
                drop((place, slot));
            });
        }
    };
    tokio::select! {
        () = endless => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

async fn next_caller(listener: &TcpListener, clock: &dyn Clock) -> (TcpStream, PeerAddress) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, PeerAddress::new(peer.ip())),
            // The caller has gone again; the next one may be fine.
            Err(error) if is_the_callers(&error) => {}
            // Out of file handles or memory: trying again at once would only burn the processor.
            Err(error) => {
                tracing::warn!(%error, "can't accept connections");
                clock.sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

fn is_the_callers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
