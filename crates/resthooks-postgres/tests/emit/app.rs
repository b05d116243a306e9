//! An application beside the store: a schema with its own tables in the same database.

use resthooks::env::{Clock as _, SystemClock};
use resthooks_postgres::PostgresStore;
use resthooks_postgres::watch::Watch;
use serde_json::Value;
use std::time::Duration;
use tokio_postgres::Client;

use crate::place::Schema;

/// A store and an application with a connection of its own.
pub(crate) struct App {
    pub(crate) store: PostgresStore,
    pub(crate) client: Client,
    pub(crate) hooks: Schema,
    pub(crate) own: Schema,
}

/// An event as it was emitted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) event: String,
    pub(crate) account: String,
    pub(crate) data: Value,
    pub(crate) order_key: Option<String>,
}

impl App {
    pub(crate) async fn new() -> Self {
        let (hooks, own) = (Schema::new(), Schema::new());
        let store = hooks.open().await;
        let client = own.client().await;
        client.batch_execute(&format!("CREATE SCHEMA \"{}\"", own.name)).await.unwrap();
        Self { store, client, hooks, own }
    }

    /// With a table of contacts, watched as a whole.
    pub(crate) async fn with_contacts() -> Self {
        let app = Self::new().await;
        app.run(
            "CREATE TABLE contact (id bigint PRIMARY KEY, owner_id text, name text, score int NOT NULL DEFAULT 0)",
        )
        .await;
        app.watch("contact", "contact").await;
        app
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// A table's name that says all.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("\"{}\".{name}", self.own.name)
    }

    pub(crate) fn words(&self, table: &str, prefix: &str) -> Watch {
        Watch {
            table: self.table(table),
            event_prefix: prefix.to_owned(),
            account_column: "owner_id".to_owned(),
            columns: None,
            id_column: None,
        }
    }

    pub(crate) async fn watch(&self, table: &str, prefix: &str) {
        self.store.watch(&self.words(table, prefix)).await.unwrap();
    }

    /// What was emitted, in its order; it is taken away.
    pub(crate) async fn told(&self) -> Vec<Told> {
        let hooks = &self.hooks.name;
        self.run(&format!("SELECT \"{hooks}\".unpack_emitted(1000000)")).await;
        let rows = self
            .client
            .query(
                &format!("SELECT event, account, data, order_key FROM \"{hooks}\".emitted ORDER BY no"),
                &[],
            )
            .await
            .unwrap();
        self.run(&format!("DELETE FROM \"{hooks}\".emitted")).await;
        let told = |row: &tokio_postgres::Row| Told {
            event: row.get(0),
            account: row.get(1),
            data: serde_json::from_str(row.get(2)).unwrap(),
            order_key: row.get(3),
        };
        rows.iter().map(told).collect()
    }

    /// The same, as lines of event, account and data.
    pub(crate) async fn lines(&self) -> Vec<String> {
        let line = |told: &Told| format!("{} {} {}", told.event, told.account, told.data);
        let mut lines: Vec<_> = self.told().await.iter().map(line).collect();
        lines.sort();
        lines
    }

    /// What could not be emitted: its type and the reason.
    pub(crate) async fn refused(&self) -> Vec<(String, String)> {
        let sql = format!("SELECT event, reason FROM \"{}\".refused ORDER BY no", self.hooks.name);
        self.client.query(&sql, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}

/// Looks again and again, for a while.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let clock = SystemClock::default();
    for _ in 0..1_500 {
        if holds().await {
            return;
        }
        clock.sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain: {what}");
}
