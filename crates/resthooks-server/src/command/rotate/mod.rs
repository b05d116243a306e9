//! `resthooks rotate-secret-key`: another key to seal the secrets of a store with.
//!
//! The new key is in the key file, durably, before anything is sealed with it, and the former one stays there until nothing
//! is sealed with it any more: broken off anywhere, every secret can be read with the file as it is, and the next run goes on.
//! [`place`] is the store that is sealed anew, [`standing`] judges whether the nodes that work on it can bear it.

mod place;
mod standing;

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;

use anyhow::anyhow;
use clap::Args;
use resthooks::env::SystemRandom;
use resthooks::seal::{SecretKey, key_file};

use super::wait_for;
use crate::failure::Failure;
use crate::settings::{GivenStore, Resolved, Settings, StoreAt};
use crate::terminal;
use place::Place;

/// The command's words.
#[derive(Debug, Args)]
#[command(after_help = "\
With a key file: a new key is put into it, in front of the present one; all secrets are sealed with it; then the former one is \
taken out. Broken off at any time, it loses nothing, and is simply begun again: where the file holds several keys already, \
nothing new is made, and all is sealed with the first of them.

With --secret-key NEW,PRESENT: all secrets are sealed with the first key. When that is done PRESENT is needed no more.

The server on a SQLite file must be stopped meanwhile. So must all nodes on PostgreSQL, unless they were started with the new key as \
their first: docs/operations.md says how that is done without a pause.

Backups and exports of before are sealed with the former key: keep a copy of it as long as you keep those.")]
pub(crate) struct Rotate {
    /// The new key, instead of a random one that is made: 32 bytes as 64 hex digits or base64
    // Not parsed by clap, which would repeat what it can't read.
    #[arg(long, value_name = "KEY", env = "RESTHOOKS_NEW_KEY", hide_env_values = true)]
    new_key: Option<String>,
    /// Nodes whose lease is over do not run any more, although they have not left: do not wait for them
    #[arg(long)]
    nodes_stopped: bool,
    #[command(flatten)]
    given: GivenStore,
}

impl Rotate {
    pub(in crate::command) fn run(self) -> Result<(), Failure> {
        let settings = Resolved::load(&self.given.0)?.settings;
        // A variable that is set to nothing gives no key.
        let new = self.new_key.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let new = new.map(str::parse::<SecretKey>).transpose();
        let new = new.map_err(|invalid| Failure::Usage(format!("--new-key: {}", invalid.0)))?;
        let rotation = Rotation { settings, nodes_stopped: self.nodes_stopped };
        wait_for(async {
            match (rotation.settings.secret_keys.clone().as_slice(), new) {
                ([], new) => rotation.in_file(new).await,
                (_, Some(_)) => Err(Failure::Usage(
                    "--new-key: is for a key file; with --secret-key the new key is given in front of the present one"
                        .to_owned(),
                )),
                ([_], None) => Err(Failure::Usage(
                    "--secret-key: must be the new key and the present one behind it, NEW,PRESENT".to_owned(),
                )),
                (keys, None) => rotation.given(keys).await,
            }
        })
    }
}

const STILL_NEEDED: &str = "is still sealed with a former key: run this again";

/// One run.
struct Rotation {
    settings: Settings,
    nodes_stopped: bool,
}

impl Rotation {
    /// With keys that are kept elsewhere.
    async fn given(&self, keys: &[SecretKey]) -> Result<(), Failure> {
        self.judge(keys).await?;
        let needed = self.seal(keys).await?;
        let (needed, done): (Vec<_>, Vec<_>) =
            keys.iter().skip(1).map(SecretKey::id).partition(|id| needed.contains(id));
        if !needed.is_empty() {
            return Err(anyhow!("what was changed meanwhile {STILL_NEEDED} ({})", needed.join(", ")).into());
        }
        terminal::line(format_args!(
            "all secrets are sealed with the key {}; needed no more, take it out of --secret-key everywhere: {}",
            id(keys),
            done.join(", "),
        ));
        Ok(())
    }

    /// With the keys of a file.
    async fn in_file(&self, new: Option<SecretKey>) -> Result<(), Failure> {
        let path = self.settings.key_file();
        // Before anything is made beside it.
        load(&path)?;
        let _alone = key_file::Lock::take(&path).map_err(anyhow::Error::new)?;
        let mut keys = load(&path)?;
        match (keys.as_slice(), new) {
            ([present], new) => {
                let present = present.clone();
                self.judge(&keys).await?;
                let new = new.unwrap_or_else(|| SecretKey::random(&SystemRandom));
                if new == present {
                    return Err(Failure::Usage("--new-key: is the present key".to_owned()));
                }
                keys = vec![new, present];
                key_file::replace(&path, &keys).map_err(anyhow::Error::new)?;
                say(format_args!(
                    "the key {} is in {}, in front of the present one",
                    id(&keys),
                    path.display()
                ));
            }
            ([first, ..], Some(new)) if *first != new => {
                let why = "a change to the key";
                let what = "was begun before: let it come to its end first, without --new-key";
                return Err(Failure::Usage(format!("--new-key: {why} {} {what}", first.id())));
            }
            _ => {
                self.judge(&keys).await?;
                say(format_args!(
                    "{} holds several keys: going on with the first, {}",
                    path.display(),
                    id(&keys)
                ));
            }
        }
        let needed = self.seal(&keys).await?;
        let (kept, gone): (Vec<_>, Vec<_>) =
            keys.into_iter().enumerate().partition(|(place, key)| *place == 0 || needed.contains(&key.id()));
        let [kept, gone] = [kept, gone].map(|keys| keys.into_iter().map(|(_, key)| key).collect::<Vec<_>>());
        key_file::replace(&path, &kept).map_err(anyhow::Error::new)?;
        if kept.len() > 1 {
            return Err(anyhow!("what was changed meanwhile {STILL_NEEDED}").into());
        }
        let gone: Vec<_> = gone.iter().map(SecretKey::id).collect();
        terminal::line(format_args!(
            "all secrets are sealed with the key {}; out of {} is what is needed no more: {}",
            id(&kept),
            path.display(),
            gone.join(", "),
        ));
        if matches!(self.settings.store, StoreAt::Postgres(_)) {
            terminal::line("nodes on other machines need a copy of that file");
        }
        Ok(())
    }

    /// Refuses while nodes work on the store that can't bear that it is sealed with the first of these keys; of one key, with one
    /// that nobody has yet. Before anything is changed: a key that is in use is asked of every node that starts.
    async fn judge(&self, keys: &[SecretKey]) -> Result<(), Failure> {
        // On a file, where the first key is in use as soon as it is opened, nobody else is there.
        let place = Place::open(&self.settings, keys).await?;
        let judged = async {
            let (nodes, in_use) = (place.nodes().await?, place.sealing().await?);
            let working = standing::working(&nodes, self.nodes_stopped);
            let is_known = keys.len() > 1 && in_use.iter().any(|key| key.id == id(keys));
            if !is_known && !working.is_empty() {
                anyhow::bail!(standing::none_knows(&working));
            }
            Ok(())
        };
        let judged = judged.await;
        Ok(place.close_after(judged).await?)
    }

    /// Seals everything with the first of these keys. Answers the ids of all that are needed then.
    async fn seal(&self, keys: &[SecretKey]) -> Result<Vec<String>, Failure> {
        let place = Place::open(&self.settings, keys).await?;
        let sealed = async {
            // From here on nobody joins without it; who is there already has a number that tells.
            place.bring_key().await?;
            let (nodes, in_use) = (place.nodes().await?, place.sealing().await?);
            let working = standing::working(&nodes, self.nodes_stopped);
            let behind = standing::behind(&working, &in_use, &id(keys));
            if !behind.is_empty() {
                anyhow::bail!(standing::must_restart(&behind, &id(keys)));
            }
            place.seal(|count| say(format_args!("{count} subscriptions were looked at"))).await?;
            Ok(place.sealing().await?.into_iter().map(|key| key.id).collect())
        };
        let sealed = sealed.await;
        Ok(place.close_after(sealed).await?)
    }
}

fn load(path: &Path) -> Result<Vec<SecretKey>, Failure> {
    let keys = key_file::load(path).map_err(anyhow::Error::new)?;
    let none =
        || anyhow!("there is no key file {}: it is made by the first start of the server", path.display());
    Ok(keys.ok_or_else(none)?)
}

/// Of the key that seals.
fn id(keys: &[SecretKey]) -> String {
    keys.first().map(SecretKey::id).unwrap_or_default()
}

/// Says how far it is, where it is in nobody's way.
fn say(line: impl Display) {
    // Not eprintln, which panics when stderr is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}
