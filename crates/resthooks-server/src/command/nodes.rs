//! `resthooks nodes`: the nodes that work on a store.
//!
//! Read from the store itself unless a server is named: whoever wants to know why nothing is delivered must get an
//! answer although no node gives one.

use clap::Args;
use http::Method;
use resthooks::model::Node;
use serde_json::{Value, json};

use super::wait_for;
use crate::client::{Client, list};
use crate::failure::Failure;
use crate::lifecycle::OpenStore;
use crate::settings::{GivenStore, Resolved, Settings};
use crate::terminal;

/// What is shown of each, and under which head.
const COLUMNS: [(&str, &str); 8] = [
    ("ID", "id"),
    ("NAME", "name"),
    ("STATUS", "status"),
    ("VERSION", "version"),
    ("STARTED", "started_at"),
    ("RENEWED", "renewed_at"),
    ("LEASE UNTIL", "lease_until"),
    ("TAKEN BY", "taken_by"),
];

/// The command's words.
#[derive(Debug, Args)]
pub(super) struct Nodes {
    /// Ask the running server at this URL, with the admin key; without it the store is asked, which answers although no
    /// node does
    #[arg(long, value_name = "URL", env = "RESTHOOKS_URL")]
    url: Option<String>,
    #[command(flatten)]
    given: GivenStore,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Nodes {
    pub(super) fn run(self) -> Result<(), Failure> {
        // A variable that is set to nothing names no server.
        let url = self.url.as_deref().filter(|url| !url.is_empty());
        let settings = Resolved::load(&self.given.0)?.settings;
        let nodes = wait_for(async {
            match (url, &settings.admin_key) {
                (None, _) => Ok(in_store(&settings).await?),
                (Some(url), Some(key)) => Ok(of_server(url, key).await?),
                (Some(_), None) => Err(Failure::Usage("--admin-key: must be given with --url".to_owned())),
            }
        })?;
        if self.json {
            terminal::line(Value::from(nodes));
            return Ok(());
        }
        let head = COLUMNS.iter().map(|(head, _)| (*head).to_owned()).collect();
        let text = |node: &Value, field: &str| node[field].as_str().unwrap_or_default().to_owned();
        let row = |node: &Value| COLUMNS.iter().map(|(_, field)| text(node, field)).collect();
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(nodes.iter().map(row)).collect();
        terminal::aligned(&rows).iter().for_each(terminal::line);
        Ok(())
    }
}

async fn of_server(url: &str, admin_key: &str) -> anyhow::Result<Vec<Value>> {
    let answer = Client::new(url, admin_key)?.ask(Method::GET, "/node/", None).await?;
    Ok(list(&answer, "data")?.to_vec())
}

async fn in_store(settings: &Settings) -> anyhow::Result<Vec<Value>> {
    let store = OpenStore::open_existing(settings).await?;
    let nodes = store.store().nodes().await;
    store.close().await?;
    Ok(nodes?.iter().map(shown).collect())
}

/// As the API shows it.
fn shown(node: &Node) -> Value {
    json!({
        "id": format!("node_{}", node.no.0),
        "name": node.name,
        "version": node.version,
        "status": node.status.as_str(),
        "started_at": node.started_at.to_string(),
        "renewed_at": node.renewed_at.to_string(),
        "lease_until": node.lease_until.to_string(),
        "taken_by": node.taken_by.map(|no| format!("node_{}", no.0)),
    })
}
