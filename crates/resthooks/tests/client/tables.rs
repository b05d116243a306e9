//! The tables of targets: what is hostile is refused when it is written and with each connection, what is not goes out.
//!
//! Nothing leaves the machine: every connection is asked of a proxy on loopback, which writes down where to.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use resthooks::deliver::guard::Policy;
use resthooks::deliver::http::{Client, Options, Target};
use resthooks::deliver::resolver::Resolver;
use resthooks::env::SystemClock;
use resthooks::model::{ErrorClass, TargetUrl};

use crate::peer::*;

const HOSTILE: &str = include_str!("hostile_targets.tsv");
const LEGITIMATE: &str = include_str!("legitimate_targets.tsv");

/// The rows of a table, without comments.
fn rows<const COLUMNS: usize>(table: &'static str) -> Vec<[&'static str; COLUMNS]> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap()).collect()
}

/// A cell's text with its escapes resolved.
fn text(cell: &str) -> String {
    let (mut text, mut rest) = (String::new(), cell);
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(escape) = rest.strip_prefix("u{") {
            let (hex, after) = escape.split_once('}').unwrap();
            text.push(char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap());
            rest = after;
        } else {
            rest = rest.strip_prefix('\\').unwrap();
            text.push('\\');
        }
    }
    text + rest
}

fn addresses(cell: &str) -> Vec<IpAddr> {
    cell.split(',').map(|address| address.parse().unwrap()).collect()
}

/// Knows some names; every other one is public.
#[derive(Debug, Default)]
struct Names(HashMap<String, Vec<IpAddr>>);

impl Names {
    fn one(host: &str, addresses: Vec<IpAddr>) -> Self {
        Self(HashMap::from([(host.to_owned(), addresses)]))
    }
}

#[async_trait::async_trait]
impl Resolver for Names {
    async fn resolve(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(self.0.get(host).cloned().unwrap_or_else(|| addresses("93.184.216.34")))
    }
}

/// Opens every connection that it is asked for, and ends it.
async fn trap() -> Peer {
    Peer::start(|mut link| async move {
        link.request().await;
        link.write(b"HTTP/1.1 200 x\r\n\r\n").await;
    })
    .await
}

fn client_by(trap: &Peer, policy: Policy, resolver: impl Resolver) -> Client {
    let mut options = Options::new(policy, Arc::new(resolver), Arc::new(SystemClock::default()));
    options.proxy = Some(format!("http://{}", trap.address).parse().unwrap());
    Client::new(options).unwrap()
}

#[track_caller]
fn parsed(url: &str) -> TargetUrl {
    url.parse().unwrap_or_else(|e| panic!("{url:?} is no target: {e}"))
}

#[test]
fn hostile_targets_are_refused_when_they_are_written() {
    let rows = rows::<4>(HOSTILE);
    let distinct: HashSet<_> = rows.iter().map(|[_, url, addresses, _]| (url, addresses)).collect();
    assert_eq!(distinct.len(), rows.len(), "every row is another one");
    assert!(rows.len() >= 150);
    let let_through = rows.into_iter().filter(|[stage, url, _, reason]| {
        assert!(!reason.is_empty());
        let (target, policy) = (text(url).parse::<TargetUrl>(), Policy::default());
        match *stage {
            "parse" => target.is_ok(),
            "write" => target.is_err() || target.is_ok_and(|target| policy.check_url(&target).is_ok()),
            "connect" => target.is_err() || target.is_ok_and(|target| policy.check_url(&target).is_err()),
            other => panic!("{other} is no stage"),
        }
    });
    assert_eq!(let_through.collect::<Vec<_>>(), Vec::<[&str; 4]>::new(), "refused elsewhere or not at all");
}

#[tokio::test]
async fn hostile_targets_are_refused_with_each_connection() {
    let trap = trap().await;
    for [stage, url, resolved, reason] in rows::<4>(HOSTILE).into_iter().filter(|row| row[0] != "parse") {
        let secure = text(url);
        let plain = secure.replacen("https:", "http:", 1).replacen("HTTPS:", "http:", 1);
        // Plain text with leave for it, unless that is what the row is about.
        let is_about_http = plain == secure || secure.starts_with("HTTP:");
        let with_http = Policy { allow_http: true, ..Policy::default() };
        let both = [(secure, Policy::default()), (plain, with_http)];
        for (url, policy) in both.into_iter().take(if is_about_http { 1 } else { 2 }) {
            let parsed = parsed(&url);
            let names = match stage {
                "connect" => Names::one(parsed.url().host_str().unwrap(), addresses(resolved)),
                _ => Names::default(),
            };
            let client = client_by(&trap, policy, names);
            for _ in 0..2 {
                let failure = failure(&client, &Target::new(&parsed)).await;
                let is_refused = failure.class == ErrorClass::BlockedAddress
                    || (stage == "write" && failure.class == ErrorClass::InvalidRequest);
                assert!(is_refused, "{url:?} ({reason}): {failure:?}");
            }
        }
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn legitimate_targets_are_accepted_and_connected_to_where_they_are_public() {
    let rows = rows::<3>(LEGITIMATE);
    assert!(rows.len() >= 40);
    let policy = Policy { allow_http: true, ..Policy::default() };
    for [url, resolved, reason] in rows {
        let url = text(url);
        let parsed = parsed(&url);
        assert_eq!(policy.check_url(&parsed), Ok(()), "{url:?}: {reason}");
        let resolved = addresses(resolved);
        let first_public =
            resolved.iter().find(|address| policy.check_address(**address, "").is_ok()).unwrap();
        let place = std::net::SocketAddr::new(*first_public, parsed.port());
        let trap = trap().await;
        let names = Names::one(parsed.url().host_str().unwrap(), resolved);
        let failure = failure(&client_by(&trap, policy.clone(), names), &Target::new(&parsed)).await;
        assert!(matches!(failure.class, ErrorClass::Tls | ErrorClass::Reset), "{url:?}: {failure:?}");
        assert_eq!(trap.connections(), 1, "{url:?}");
        assert!(trap.requests()[0].head.starts_with(&format!("CONNECT {place} ")), "{url:?}");
    }
}

/// Public when it is asked first, loopback ever after.
#[derive(Debug, Clone, Default)]
struct Rebinding(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Resolver for Rebinding {
    async fn resolve(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
        let asked = self.0.fetch_add(1, Ordering::SeqCst);
        Ok(addresses(if asked == 0 { "93.184.216.34" } else { "127.0.0.1" }))
    }
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_the_judged_address_is_connected_to() {
    let (trap, resolver) = (trap().await, Rebinding::default());
    let client = client_by(&trap, Policy::default(), resolver.clone());
    let target = target("https://rebind.example.com/");
    assert_eq!(failure(&client, &target).await.class, ErrorClass::Tls);
    assert_eq!(resolver.0.load(Ordering::SeqCst), 1, "asked once");
    assert!(trap.requests()[0].head.starts_with("CONNECT 93.184.216.34:443 "));
    assert_eq!(failure(&client, &target).await.class, ErrorClass::BlockedAddress);
    assert_eq!((resolver.0.load(Ordering::SeqCst), trap.connections()), (2, 1));
}
