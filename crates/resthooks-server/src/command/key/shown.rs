//! A key as it is shown: on a terminal and in JSON, from the store or from a server's answer.

use resthooks::model::ApiKey;
use serde_json::{Value, json};

use crate::client::{list, text};

/// A key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    id: String,
    scopes: Vec<String>,
    account: Option<String>,
    name: Option<String>,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

impl Shown {
    /// The columns of a list.
    pub(super) const HEAD: [&str; 7] = ["ID", "ACCOUNT", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "NAME"];

    /// As JSON, with the key itself when it has just been made.
    pub(super) fn to_json(&self, key: Option<&str>) -> Value {
        let Self { id, scopes, account, name, created_at, expires_at, last_used_at } = self;
        // The older form of scopes, as the API has it.
        let role = match scopes.as_slice() {
            [one] if one == "provider" || one == "consumer" => Some(one),
            _ => None,
        };
        let mut json = json!({
            "id": id, "scopes": scopes, "account": account, "role": role, "name": name,
            "created_at": created_at, "expires_at": expires_at, "last_used_at": last_used_at,
        });
        if let (Some(key), Some(fields)) = (key, json.as_object_mut()) {
            fields.insert("key".to_owned(), key.into());
        }
        json
    }

    /// As a row of a list.
    pub(super) fn row(self) -> Vec<String> {
        let (account, scopes) = (self.whose(), self.scopes.join(","));
        let or = |text: Option<String>, none: &str| text.unwrap_or_else(|| none.to_owned());
        let (expires, used) = (or(self.expires_at, "never"), or(self.last_used_at, "never"));
        vec![self.id, account, scopes, self.created_at, expires, used, self.name.unwrap_or_default()]
    }

    /// As lines with labels.
    pub(super) fn labelled(&self) -> Vec<(&'static str, String)> {
        let always = [("id", self.id.clone()), ("account", self.whose()), ("scopes", self.scopes.join(","))];
        let sometimes = [("name", &self.name), ("expires", &self.expires_at)];
        let sometimes = sometimes.into_iter().filter_map(|(label, text)| Some((label, text.clone()?)));
        always.into_iter().chain(sometimes).collect()
    }

    fn whose(&self) -> String {
        let is_provider = self.scopes.iter().any(|scope| scope == "provider");
        let of_none = if is_provider { "(provider)" } else { "(any)" };
        self.account.clone().unwrap_or_else(|| of_none.to_owned())
    }
}

impl From<&ApiKey> for Shown {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            scopes: key.scopes().iter().map(ToString::to_string).collect(),
            account: key.role.account().map(ToString::to_string),
            name: key.name.clone(),
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            last_used_at: key.last_used_at.map(|at| at.to_string()),
        }
    }
}

impl TryFrom<&Value> for Shown {
    type Error = anyhow::Error;

    fn try_from(json: &Value) -> anyhow::Result<Self> {
        let optional = |field: &str| json[field].as_str().map(str::to_owned);
        let scopes = list(json, "scopes")?.iter().filter_map(Value::as_str).map(str::to_owned);
        Ok(Self {
            id: text(json, "id")?.to_owned(),
            scopes: scopes.collect(),
            account: optional("account"),
            name: optional("name"),
            created_at: text(json, "created_at")?.to_owned(),
            expires_at: optional("expires_at"),
            last_used_at: optional("last_used_at"),
        })
    }
}
