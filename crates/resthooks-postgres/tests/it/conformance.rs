//! The suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use resthooks::seal::Vault;
use resthooks::store::{Error, Store};
use resthooks_postgres::Options;
use resthooks_store_test::Place;
use resthooks_store_test::lab::Emission;

use tokio_postgres::types::Type;

use crate::place::{Schema, connect};

#[async_trait]
impl Place for Schema {
    async fn open(&self, vault: &Arc<Vault>) -> Result<Arc<dyn Store>, Error> {
        let options = Options { vault: Some(Arc::clone(vault)), ..self.options() };
        Ok(Arc::new(self.try_open(options).await?))
    }

    async fn emit(&self, statement: &str, of: &Emission, commit: bool) -> String {
        let mut client = connect().await;
        let transaction = client.transaction().await.unwrap();
        let text = |value| (value, Type::TEXT);
        let given = transaction
            .query_typed(
                statement,
                &[
                    text(&of.event as _),
                    text(&of.account as _),
                    text(&of.data as _),
                    text(&of.id as _),
                    (&of.created_at as _, Type::INT8),
                    text(&of.resource_url as _),
                    text(&of.order_key as _),
                    text(&of.debounce_key as _),
                ],
            )
            .await
            .unwrap();
        if commit {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        given[0].get(0)
    }
}

resthooks_store_test::suite!(Schema::new);
resthooks_store_test::shared_suite!(Schema::new);
