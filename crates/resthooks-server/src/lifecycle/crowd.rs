//! Who is inside: no one address may take all connections for itself.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use resthooks::env::Clock;
use resthooks_api::PeerAddress;

/// How long after a line in the log the next one may follow.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The connections of each address, an IPv6 network of 64 bits counting as one.
#[derive(Debug)]
pub(super) struct Crowd {
    max_per_address: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    counts: HashMap<IpAddr, usize>,
    told_at: Option<Duration>,
}

/// One of them. It leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    network: IpAddr,
}

impl Crowd {
    pub(super) fn new(max_per_address: usize) -> Arc<Self> {
        Arc::new(Self { max_per_address, inside: Mutex::default() })
    }

    /// Lets one more in, unless its address has as many as it may.
    pub(super) fn enter(self: &Arc<Self>, peer: PeerAddress, clock: &dyn Clock) -> Option<Place> {
        let network = peer.network();
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inside.counts.entry(network).or_default();
        if *count < self.max_per_address {
            *count += 1;
            return Some(Place { crowd: Arc::clone(self), network });
        }
        let now = clock.monotonic();
        let tell = inside.told_at.is_none_or(|at| now.saturating_sub(at) >= TELL_EVERY);
        if tell {
            inside.told_at = Some(now);
        }
        drop(inside);
        if tell {
            tracing::warn!(
                address = %network,
                connections = self.max_per_address,
                "further connections from this address are refused: if it is a proxy in front of this server, raise \
                 --max-connections-per-address"
            );
        }
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.crowd.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                inside.counts.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use resthooks::env::ManualClock;
    use resthooks::model::Timestamp;

    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_an_ipv6_network_is_one_address() {
        let clock = ManualClock::new(Timestamp::EPOCH);
        let crowd = Crowd::new(2);
        let enter = |address: &str| crowd.enter(PeerAddress::new(address.parse().unwrap()), &clock);
        for [same, again, other] in [
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"],
            ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"],
        ] {
            let first = enter(same).unwrap();
            let _second = enter(again).unwrap();
            assert!(enter(same).is_none() && enter(again).is_none());
            let _third = enter(other).unwrap();
            drop(first);
            let _fourth = enter(again).unwrap();
            assert!(enter(same).is_none());
        }
        assert!(crowd.inside.lock().unwrap().counts.is_empty(), "who has left is remembered");
    }
}
