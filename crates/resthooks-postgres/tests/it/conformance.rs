//! The suite that every store passes.

use std::sync::Arc;

use async_trait::async_trait;
use resthooks::store::Store;
use resthooks_store_test::Place;

use crate::place::Schema;

#[async_trait]
impl Place for Schema {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(Self::open(self).await)
    }
}

resthooks_store_test::suite!(Schema::new);
