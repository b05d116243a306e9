//! Runs the contacts API on `127.0.0.1:3000`, or on the address that is given, with its hooks in `contacts.db`.
//!
//! Two users are there from the start, with the tokens `ada-token` and `grace-token`:
//!
//! ```text
//! curl -H 'authorization: Bearer ada-token' -H 'content-type: application/json' http://127.0.0.1:3000/hooks/subscription/ \
//!   -d '{"event":"contact.*","target_url":"http://127.0.0.1:9000/"}'
//! curl -H 'authorization: Bearer ada-token' -H 'content-type: application/json' http://127.0.0.1:3000/contacts \
//!   -d '{"name":"Charles Babbage","email":"charles@example.com"}'
//! ```

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    let mut options = resthooks::Options::default();
    // To try it on one machine. Leave both out where strangers subscribe.
    options.targets.allow_http = true;
    options.targets.allow_private = true;
    contacts::run(listener, "contacts.db", options, async {
        // Without a handler for Ctrl-C there is nothing to wait for but the end of the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .await
}
