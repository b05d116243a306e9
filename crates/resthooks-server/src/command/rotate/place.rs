//! The store whose secrets are sealed anew, open with the keys that it is to have.

use anyhow::{Context as _, anyhow, bail};
use resthooks::model::{Node, NodeNo, SubscriptionNo};
use resthooks::seal::SecretKey;
use resthooks_postgres::SealingKey;

use crate::lifecycle::OpenStore;
use crate::settings::{Settings, StoreAt};

/// Subscriptions that are sealed in one transaction: whoever else writes waits for no more than that.
const STEP: usize = 200;
/// Steps between two words of how far it is.
const STEPS_UNTOLD: usize = 50;

/// It.
pub(super) struct Place(OpenStore);

impl Place {
    /// Opens the store that is there; the first of these keys seals.
    pub(super) async fn open(settings: &Settings, keys: &[SecretKey]) -> anyhow::Result<Self> {
        if let StoreAt::File(path) = &settings.store
            && !path.exists()
        {
            bail!("--store: there is no {}: it is made by the first start of the server", path.display());
        }
        let settings = Settings {
            migrate: false,
            secret_keys: keys.to_vec(),
            secret_key_file: None,
            ..settings.clone()
        };
        match OpenStore::open(&settings).await {
            Ok(store) => Ok(Self(store)),
            Err(error) if error.to_string().contains(" is in use by ") => {
                Err(anyhow!("{error}: stop its server first"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The nodes that the store knows of. On a file there are none beside us.
    pub(super) async fn nodes(&self) -> anyhow::Result<Vec<Node>> {
        match &self.0 {
            OpenStore::Sqlite(_) => Ok(Vec::new()),
            OpenStore::Postgres(_) => self.0.store().nodes().await.context("asking for the nodes"),
        }
    }

    /// The keys that are in use.
    pub(super) async fn sealing(&self) -> anyhow::Result<Vec<SealingKey>> {
        let none = NodeNo::default();
        match &self.0 {
            OpenStore::Sqlite(store) => {
                let ids = store.sealing_keys().await?;
                Ok(ids.into_iter().map(|id| SealingKey { id, known_at: none, brought_at: none }).collect())
            }
            OpenStore::Postgres(store) => Ok(store.sealing_keys().await?),
        }
    }

    /// Says that the first key is in use from now on.
    pub(super) async fn bring_key(&self) -> anyhow::Result<()> {
        match &self.0 {
            // It was, by being opened: nobody else has it open.
            OpenStore::Sqlite(_) => Ok(()),
            OpenStore::Postgres(store) => Ok(store.bring_key().await?),
        }
    }

    /// Seals what is not sealed with the first key, step by step.
    pub(super) async fn seal(&self, tell: impl Fn(usize)) -> anyhow::Result<()> {
        let store = self.0.store();
        let (mut after, mut steps) = (Some(SubscriptionNo(0)), 0);
        while let Some(last) = after {
            after = store.reseal(last, STEP).await.context("sealing the secrets")?;
            steps += 1;
            if steps % STEPS_UNTOLD == 0 {
                tell(steps * STEP);
            }
        }
        Ok(())
    }

    /// Closes it whatever came of the work on it; the work's result, or else what went wrong with closing.
    pub(super) async fn close_after<T>(self, done: anyhow::Result<T>) -> anyhow::Result<T> {
        let closed = self.0.close().await;
        let done = done?;
        closed?;
        Ok(done)
    }
}
