//! Nodes on one database, each a process of its own.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::postgres::Postgres;
use crate::support::{Api, Server, Setup, eventually, within};

/// What all nodes seal secrets with.
pub(crate) const SECRET_KEY: &str =
    "--secret-key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A node that may be down.
#[derive(Debug)]
pub(crate) struct Node {
    setup: Setup,
    server: Mutex<Server>,
    /// Where it listens, while it is up.
    address: Mutex<Option<SocketAddr>>,
}

impl Node {
    fn start(setup: Setup) -> Self {
        let server = setup.spawn();
        Self { setup, server: Mutex::new(server), address: Mutex::new(None) }
    }

    /// Waits until it listens.
    #[track_caller]
    pub(crate) fn is_up(&self) {
        let address = within(Duration::from_secs(60), || self.server.lock().unwrap().poll_address());
        *self.address.lock().unwrap() = Some(address);
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        *self.address.lock().unwrap()
    }

    #[track_caller]
    pub(crate) fn api(&self) -> Api {
        Api::new(self.address().expect("it is up"))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.server.lock().unwrap().signal(signal);
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        *self.address.lock().unwrap() = None;
        self.server.lock().unwrap().kill();
    }

    /// Another process in its place; what the one before logged.
    #[track_caller]
    pub(crate) fn start_again(&self) -> String {
        let mut server = self.server.lock().unwrap();
        let log = server.log();
        *server = self.setup.spawn();
        drop(server);
        self.is_up();
        log
    }

    /// SIGTERM, and its end.
    #[track_caller]
    pub(crate) fn stop(&self) {
        *self.address.lock().unwrap() = None;
        let mut server = self.server.lock().unwrap();
        server.terminate();
        assert_eq!(server.exit_code(Duration::from_secs(60)), Some(0), "{}", server.log());
    }

    pub(crate) fn log(&self) -> String {
        self.server.lock().unwrap().log()
    }
}

/// Several nodes on one database.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) postgres: Postgres,
}

impl Cluster {
    /// So many, started at the same moment on an empty database.
    #[track_caller]
    pub(crate) fn start(count: usize, flags: &[&str]) -> Self {
        let postgres = Postgres::start();
        let url = postgres.url();
        Self::start_on(postgres, &url, count, flags)
    }

    /// The same on a database that is reached in another way.
    #[track_caller]
    pub(crate) fn start_on(postgres: Postgres, url: &str, count: usize, flags: &[&str]) -> Self {
        let nodes = (0..count).map(|place| {
            let setup = Setup::on(url).flag(format!("--node-name=node-{place}")).flag(SECRET_KEY);
            Node::start(flags.iter().fold(setup, |setup, flag| setup.flag(*flag)))
        });
        let nodes: Vec<Node> = nodes.collect();
        nodes.iter().for_each(Node::is_up);
        Self { nodes, postgres }
    }

    /// Waits until every node knows what was changed through the first: by an event type of the moment.
    #[track_caller]
    pub(crate) fn agree(&self) {
        let name = format!("agreed.on.{}", self.postgres.query("SELECT (random() * 1e9)::bigint"));
        let body = serde_json::json!({"name": name});
        self.nodes[0].api().post("/api/v1/event-type/", &body).expect(201);
        for node in &self.nodes {
            let mut api = node.api();
            eventually(|| match api.get(&format!("/api/v1/event-type/{name}/")).status {
                200 => Ok(()),
                status => Err(format!("{status}: it does not know it yet")),
            });
        }
    }

    /// The nodes as the API shows them, once there are as they should be.
    #[track_caller]
    pub(crate) fn nodes_when(&self, through: &Node, are_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let mut api = through.api();
        eventually(|| {
            let listed = api.get("/api/v1/node/").expect(200).json;
            let nodes = listed["data"].as_array().expect("a list").clone();
            if are_so(&nodes) { Ok(nodes) } else { Err(format!("{listed:#}")) }
        })
    }
}
