//! Where keys are: behind a running server's API, or in the store: PostgreSQL's at any time, SQLite's of a stopped server.
//!
//! On the store no engine is started: it would begin to send hooks.

use anyhow::{Context as _, bail};
use http::Method;
use resthooks::env::{Clock as _, Random, SystemClock, SystemRandom};
use resthooks::model::{AccountId, Actor, ApiKey, AuditAction, AuditEntry, KeyId};
use resthooks::{KeyInput, NewKey};
use serde_json::{Value, json};

use super::shown::Shown;
use crate::client::{Client, list, text};
use crate::lifecycle::OpenStore;
use crate::settings::Settings;

/// Where keys are.
#[derive(Debug)]
pub(super) enum Keys {
    /// Behind a running server.
    Server(Client),
    /// In the store.
    Store(OpenStore),
}

impl Keys {
    pub(super) fn of_server(url: &str, admin_key: &str) -> anyhow::Result<Self> {
        Ok(Self::Server(Client::new(url, admin_key).context("--url")?))
    }

    pub(super) async fn in_store(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self::Store(OpenStore::open_existing(settings).await?))
    }

    /// Makes a key; itself too.
    pub(super) async fn create(&self, input: KeyInput) -> anyhow::Result<(Shown, String)> {
        let made = NewKey::make(input, SystemClock::default().now(), &SystemRandom)?;
        match self {
            Self::Server(client) => {
                // The server makes another one of the same form.
                let ApiKey { role, name, expires_at, .. } = &made.stored;
                let body = json!({
                    "scopes": made.stored.scopes(), "account": role.account(), "name": name, "expires_at": expires_at,
                });
                let answer = client.ask(Method::POST, "/api-key/", Some(&body)).await?;
                Ok((Shown::try_from(&answer)?, text(&answer, "key")?.to_owned()))
            }
            Self::Store(store) => {
                let entry = audit(AuditAction::ApiKeyCreated, &made.stored);
                store.store().insert_key(&made.stored, Some(&entry)).await?;
                Ok((Shown::from(&made.stored), made.key))
            }
        }
    }

    /// All keys, or one account's, the newest first.
    pub(super) async fn list(&self, account: Option<&AccountId>) -> anyhow::Result<Vec<Shown>> {
        match self {
            Self::Server(client) => list_of_server(client, account).await,
            Self::Store(store) => {
                let mut keys = store.store().snapshot().await?.keys;
                keys.retain(|key| account.is_none() || key.role.account() == account);
                keys.sort_by_key(|key| std::cmp::Reverse(key.id));
                Ok(keys.iter().map(Shown::from).collect())
            }
        }
    }

    /// Revokes a key.
    pub(super) async fn revoke(&self, id: KeyId) -> anyhow::Result<()> {
        match self {
            Self::Server(client) => {
                client.ask(Method::DELETE, &format!("/api-key/{id}/"), None).await?;
            }
            Self::Store(store) => {
                let store = store.store();
                let keys = store.snapshot().await?.keys;
                let Some(key) = keys.iter().find(|key| key.id == id) else { bail!("there is no key {id}") };
                let entry = audit(AuditAction::ApiKeyRevoked, key);
                if !store.delete_key(id, Some(&entry)).await? {
                    bail!("there is no key {id}");
                }
            }
        }
        Ok(())
    }

    /// Closes a store whatever came of the work on it; the work's result, or else what went wrong with closing.
    pub(super) async fn close_after<T>(self, result: anyhow::Result<T>) -> anyhow::Result<T> {
        let closed = match self {
            Self::Server(_) => Ok(()),
            Self::Store(store) => store.close().await.context("closing the store"),
        };
        let value = result?;
        closed?;
        Ok(value)
    }
}

async fn list_of_server(client: &Client, account: Option<&AccountId>) -> anyhow::Result<Vec<Shown>> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", "250");
    query.extend_pairs(account.map(|account| ("account", account.as_str())));
    let query = query.finish();
    let mut keys = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor.map(|cursor| {
            let mut pair = url::form_urlencoded::Serializer::new(String::new());
            format!("&{}", pair.append_pair("cursor", &cursor).finish())
        });
        let path = format!("/api-key/?{query}{}", after.unwrap_or_default());
        let page = client.ask(Method::GET, &path, None).await?;
        for item in list(&page, "data")? {
            keys.push(Shown::try_from(item)?);
        }
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(keys);
        }
    }
}

/// What the trail says of a change that this command makes.
fn audit(action: AuditAction, key: &ApiKey) -> AuditEntry {
    let (at, random): (_, &dyn Random) = (SystemClock::default().now(), &SystemRandom);
    AuditEntry::new(at, random.u128(), Actor::command("key"), action, &key.id, key.role.account().cloned())
}
