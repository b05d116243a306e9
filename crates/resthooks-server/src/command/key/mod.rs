//! `resthooks key`: API keys, through the API of a running server or on the store.

mod keys;
mod shown;

use clap::{Args, Subcommand};
use resthooks::env::{Clock as _, SystemClock};
use resthooks::model::{AccountId, KeyId, KeyScope, Timestamp, parse_duration};
use resthooks::{Error, KeyInput};

use super::wait_for;
use crate::failure::Failure;
use crate::settings::{GivenStore, Resolved};
use crate::terminal;
use keys::Keys;
use shown::Shown;

/// The command's words.
#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Make a key: for one account, the provider's own, or one that may only emit or read. It is shown once
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
    #[arg(long, value_name = "ACCOUNT", required_unless_present_any = ["provider", "scope"])]
    account: Option<AccountId>,
    /// A key of the provider's: it may do everything
    #[arg(long, conflicts_with_all = ["account", "scope"])]
    provider: bool,
    /// What it may do: provider; consumer, with --account; or any of emit (only post events) and read (only read, and no
    /// secrets), with --account or for all. May be repeated
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    scope: Vec<KeyScope>,
    /// When it ends by itself: a time, such as 2027-01-31T00:00:00Z, or so long from now, such as 90d
    #[arg(long, value_name = "TIME|DURATION", value_parser = end)]
    expires: Option<Timestamp>,
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

/// When a key ends.
fn end(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = Timestamp::parse(text) {
        return Ok(at);
    }
    let wrong = || "must be a time, such as 2027-01-31T00:00:00Z, or a duration, such as 90d".to_owned();
    let after = parse_duration(text).ok().filter(|after| !after.is_zero()).ok_or_else(wrong)?;
    Ok(SystemClock::default().now().plus(after))
}

/// What is wrong with the words of a key, by the flag.
fn named(error: Error) -> Failure {
    let Error::Invalid(wrong) = error else { return Failure::Running(error.into()) };
    let flag = |field: &str| match field {
        "scopes" => "--scope".to_owned(),
        "expires_at" => "--expires".to_owned(),
        other => format!("--{other}"),
    };
    let lines: Vec<_> =
        wrong.iter().map(|wrong| format!("{}: {}", flag(&wrong.field), wrong.message)).collect();
    Failure::Usage(lines.join("; "))
}

impl Create {
    fn input(&self) -> Result<KeyInput, Failure> {
        let scopes = match (self.scope.as_slice(), self.provider) {
            ([], true) => &[KeyScope::Provider][..],
            ([], false) => &[KeyScope::Consumer],
            (given, _) => given,
        };
        let input = KeyInput::scoped(scopes, self.account.clone()).map_err(named)?;
        let input = KeyInput { name: self.name.clone(), expires_at: self.expires, ..input };
        input.check(SystemClock::default().now()).map_err(named)?;
        Ok(input)
    }

    async fn run(self) -> Result<(), Failure> {
        let input = self.input()?;
        let keys = self.reach.open().await?;
        let made = keys.create(input).await;
        let (shown, key) = keys.close_after(made).await?;
        if self.reach.json {
            terminal::line(shown.to_json(Some(&key)));
            return Ok(());
        }
        let shown =
            shown.labelled().into_iter().chain([("key", format!("{key}   (shown this once: keep it)"))]);
        let rows: Vec<_> = shown.map(|(label, value)| vec![label.to_owned(), value]).collect();
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
        let head = Shown::HEAD.map(str::to_owned).to_vec();
        let rows: Vec<_> = std::iter::once(head).chain(listed.into_iter().map(Shown::row)).collect();
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
