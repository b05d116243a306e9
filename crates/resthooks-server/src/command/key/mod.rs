//! `resthooks key`: API keys, through the API of a running server or on the store.

mod keys;

use clap::{Args, Subcommand};
use resthooks::model::{AccountId, KeyId, KeyRole};

use super::wait_for;
use crate::failure::Failure;
use crate::settings::{GivenStore, Resolved};
use crate::terminal;
use keys::{Key as Shown, Keys};

/// The command's words.
#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Make a key: for one account, or the provider's own. It is shown once
    Create(Create),
    /// List keys, the newest first; the keys themselves are not kept
    List(List),
    /// Revoke a key, effective at once
    Revoke(Revoke),
}

/// How to reach the keys.
#[derive(Debug, Args)]
struct Reach {
    /// Ask the running server at this URL, with the admin key; without it the store is opened, which must not be
    /// a file that a server is using
    #[arg(long, value_name = "URL", env = "RESTHOOKS_URL")]
    url: Option<String>,
    #[command(flatten)]
    given: GivenStore,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The words of `create`.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The account whose key it is: it sees and changes this account's things alone
    #[arg(long, value_name = "ACCOUNT", required_unless_present = "provider")]
    account: Option<AccountId>,
    /// A key of the provider's: it may do everything
    #[arg(long, conflicts_with = "account")]
    provider: bool,
    /// What it is for
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

/// The words of `list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only this account's
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,
    #[command(flatten)]
    reach: Reach,
}

/// The words of `revoke`.
#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The key's id (key_…), not the key itself
    id: KeyId,
    #[command(flatten)]
    reach: Reach,
}

impl Key {
    pub(super) fn run(self) -> Result<(), Failure> {
        wait_for(async {
            match self {
                Self::Create(command) => command.run().await,
                Self::List(command) => command.run().await,
                Self::Revoke(command) => command.run().await,
            }
        })
    }
}

impl Reach {
    async fn open(&self) -> Result<Keys, Failure> {
        // A variable that is set to nothing names no server.
        let url = self.url.as_deref().filter(|url| !url.is_empty());
        let settings = Resolved::load(&self.given.0)?.settings;
        match (url, &settings.admin_key) {
            (None, _) => Ok(Keys::in_store(&settings).await?),
            (Some(url), Some(key)) => Ok(Keys::of_server(url, key)?),
            (Some(_), None) => Err(Failure::Usage("--admin-key: must be given with --url".to_owned())),
        }
    }
}

impl Create {
    async fn run(self) -> Result<(), Failure> {
        let role = self.account.map_or(KeyRole::Provider, KeyRole::Consumer);
        let keys = self.reach.open().await?;
        let made = keys.create(role, self.name).await;
        let (shown, key) = keys.close_after(made).await?;
        if self.reach.json {
            terminal::line(shown.to_json(Some(&key)));
            return Ok(());
        }
        let rows = [("id", shown.id), ("account", shown.account.unwrap_or_else(|| "(provider)".to_owned()))];
        let rows = rows.into_iter().chain(shown.name.map(|name| ("name", name)));
        let rows: Vec<_> = rows
            .chain([("key", format!("{key}   (shown this once: keep it)"))])
            .map(|(label, value)| vec![label.to_owned(), value])
            .collect();
        terminal::aligned(&rows).iter().for_each(terminal::line);
        Ok(())
    }
}

impl List {
    async fn run(self) -> Result<(), Failure> {
        let keys = self.reach.open().await?;
        let listed = keys.list(self.account.as_ref()).await;
        let listed = keys.close_after(listed).await?;
        if self.reach.json {
            let all: Vec<_> = listed.iter().map(|key| key.to_json(None)).collect();
            terminal::line(serde_json::Value::from(all));
            return Ok(());
        }
        let head = ["ID", "ACCOUNT", "CREATED", "NAME"].map(str::to_owned).to_vec();
        let row = |key: Shown| {
            let account = key.account.unwrap_or_else(|| "(provider)".to_owned());
            vec![key.id, account, key.created_at, key.name.unwrap_or_default()]
        };
        let rows: Vec<_> = std::iter::once(head).chain(listed.into_iter().map(row)).collect();
        terminal::aligned(&rows).iter().for_each(terminal::line);
        Ok(())
    }
}

impl Revoke {
    async fn run(self) -> Result<(), Failure> {
        let keys = self.reach.open().await?;
        let revoked = keys.revoke(self.id).await;
        keys.close_after(revoked).await?;
        match self.reach.json {
            true => terminal::line(serde_json::json!({ "id": self.id.to_string(), "revoked": true })),
            false => terminal::line(format_args!("{} is revoked", self.id)),
        }
        Ok(())
    }
}
