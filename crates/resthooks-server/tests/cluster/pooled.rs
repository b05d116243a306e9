//! PgBouncer in transaction mode between the nodes and the database: all that can't be done there is hearing at once.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::counting::Counter;
use crate::postgres::{Postgres, free_port, hand_over, user_command};
use crate::support::{Reply, eventually, within};

/// A pooler in front of a server. Dropped, it is ended.
struct Pooler {
    port: u16,
    process: Child,
    _dir: TempDir,
}

impl Pooler {
    fn start(before: &Postgres) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let file = dir.path().join("pgbouncer.ini");
        let configuration = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = 20\nmax_client_conn = 200\nlogfile = {}\n",
            before.port(),
            dir.path().join("log").display(),
        );
        std::fs::write(&file, configuration).unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        hand_over(dir.path());
        let mut command = user_command(Path::new("/usr/sbin/pgbouncer"));
        let process = command
            .arg(&file)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let pooler = Self {
            port,
            process: process.spawn().expect("pgbouncer is needed: ./test.sh installs it"),
            _dir: dir,
        };
        eventually(|| pooler.answers());
        pooler
    }

    #[expect(clippy::disallowed_methods, reason = "this is the test's side of the connection")]
    fn answers(&self) -> Result<(), String> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).map(drop).map_err(|e| e.to_string())
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // Also when it runs as another user: `runuser` passes the signal on.
        let _ = kill(Pid::from_raw(i32::try_from(self.process.id()).unwrap()), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

#[test]
fn nodes_work_through_a_pooler_in_transaction_mode() {
    let postgres = Postgres::start();
    let pooler = Pooler::start(&postgres);
    let cluster = Cluster::start_on(
        postgres,
        &pooler.url(),
        2,
        &["--node-lease=2s", "--retry-schedule=100ms,100ms,100ms"],
    );
    let counter = Counter::answering(|request| Reply::Status(if request.attempt() == 1 { 500 } else { 200 }));
    cluster.nodes[0].api().subscribe("order.*", &counter.url());
    cluster.agree();
    let mut tokens = Vec::new();
    for (place, node) in cluster.nodes.iter().enumerate() {
        let names: Vec<String> = (0..200).map(|n| format!("{place}-{n}")).collect();
        node.api().emit_batch("order.paid", names.iter().map(|token| json!({"token": token})));
        tokens.extend(names);
    }
    within(Duration::from_secs(20), || counter.has_all(tokens.iter()));
    assert_eq!(counter.is_consistent(), 0);
    // An account that begins anew at once, while its deletion has yet to be heard of by looking: what it has by now stays.
    let slow = Counter::answering(|_| Reply::After(Duration::from_millis(200), 200));
    let mut api = cluster.nodes[0].api();
    // Its type registers itself: that would look at what others have changed.
    api.emit("order.anew", &json!({"token": "first"}));
    api.delete("/api/v1/account/acme/").expect(204);
    api.subscribe_with("order.anew", &slow.url(), json!({"max_in_flight": 2}));
    let anew: Vec<String> = (0..20).map(|n| format!("anew-{n}")).collect();
    api.emit_batch("order.anew", anew.iter().map(|token| json!({"token": token})));
    within(Duration::from_secs(20), || slow.has_all(anew.iter()));
    api.subscribe("order.*", &counter.url());
    cluster.agree();
    // Taken over from, too.
    cluster.nodes[0].api().emit("order.paid", &json!({"token": "last"}));
    cluster.nodes[0].kill();
    within(Duration::from_secs(10), || counter.has_all([&"last".to_owned()].into_iter()));
}
