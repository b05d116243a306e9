//! Where keys are: behind a running server's API, or in the store: PostgreSQL's at any time, SQLite's of a stopped server.
//!
//! On the store no engine is started: it would begin to send hooks.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use resthooks::env::{Clock as _, Random, SystemClock, SystemRandom};
use resthooks::limits::MAX_KEY_NAME_BYTES;
use resthooks::model::{AccountId, ApiKey, KeyHash, KeyId, KeyRole, Uid};
use serde_json::{Value, json};

use crate::client::{Client, list, text};
use crate::lifecycle::OpenStore;
use crate::settings::Settings;

/// A key as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Its id.
    pub id: String,
    /// Whose it is; the provider's when absent.
    pub account: Option<String>,
    /// What it is for.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: String,
}

impl Key {
    fn stored(key: &ApiKey) -> Self {
        let account = match &key.role {
            KeyRole::Provider => None,
            KeyRole::Consumer(account) => Some(account.to_string()),
        };
        let created_at = key.created_at.to_string();
        Self { id: key.id.to_string(), account, name: key.name.clone(), created_at }
    }

    fn answered(json: &Value) -> anyhow::Result<Self> {
        let optional = |field: &str| json[field].as_str().map(str::to_owned);
        Ok(Self {
            id: text(json, "id")?.to_owned(),
            account: optional("account"),
            name: optional("name"),
            created_at: text(json, "created_at")?.to_owned(),
        })
    }

    /// As JSON, with the key itself when it has just been made.
    pub(super) fn to_json(&self, key: Option<&str>) -> Value {
        let Self { id, account, name, created_at } = self;
        let role = if account.is_none() { "provider" } else { "consumer" };
        let mut json =
            json!({ "id": id, "role": role, "account": account, "name": name, "created_at": created_at });
        if let (Some(key), Some(fields)) = (key, json.as_object_mut()) {
            fields.insert("key".to_owned(), key.into());
        }
        json
    }
}

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
    pub(super) async fn create(&self, role: KeyRole, name: Option<String>) -> anyhow::Result<(Key, String)> {
        match self {
            Self::Server(client) => {
                let body = match role {
                    KeyRole::Provider => json!({ "role": "provider", "name": name }),
                    KeyRole::Consumer(account) => json!({ "account": account, "name": name }),
                };
                let answer = client.ask(Method::POST, "/api-key/", Some(&body)).await?;
                Ok((Key::answered(&answer)?, text(&answer, "key")?.to_owned()))
            }
            Self::Store(store) => {
                if name.as_ref().is_some_and(|name| name.len() > MAX_KEY_NAME_BYTES) {
                    bail!("--name: must be at most {MAX_KEY_NAME_BYTES} bytes");
                }
                let (stored, key) = generate(role, name);
                store.store().insert_key(&stored, None).await?;
                Ok((Key::stored(&stored), key))
            }
        }
    }

    /// All keys, or one account's, the newest first.
    pub(super) async fn list(&self, account: Option<&AccountId>) -> anyhow::Result<Vec<Key>> {
        match self {
            Self::Server(client) => list_of_server(client, account).await,
            Self::Store(store) => {
                let mut keys = store.store().snapshot().await?.keys;
                keys.retain(|key| match (account, &key.role) {
                    (None, _) => true,
                    (Some(wanted), KeyRole::Consumer(account)) => wanted == account,
                    (Some(_), KeyRole::Provider) => false,
                });
                keys.sort_by_key(|key| std::cmp::Reverse(key.id));
                Ok(keys.iter().map(Key::stored).collect())
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
                if !store.store().delete_key(id, None).await? {
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

async fn list_of_server(client: &Client, account: Option<&AccountId>) -> anyhow::Result<Vec<Key>> {
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
            keys.push(Key::answered(item)?);
        }
        cursor = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if cursor.is_none() {
            return Ok(keys);
        }
    }
}

/// A new key, as it is stored and itself.
fn generate(role: KeyRole, name: Option<String>) -> (ApiKey, String) {
    let random: &dyn Random = &SystemRandom;
    let created_at = SystemClock::default().now();
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    let key = format!("rhk_{}", URL_SAFE_NO_PAD.encode(bytes));
    let id = KeyId(Uid::new(created_at, random.u128()));
    (
        ApiKey {
            id,
            role,
            name,
            hash: KeyHash::of(&key),
            created_at,
            access: resthooks::model::Access::Full,
            expires_at: None,
            last_used_at: None,
        },
        key,
    )
}
