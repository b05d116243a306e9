//! The provider's key at start: the one that the operator gave, or one that is made once.

use resthooks::model::{Actor, ApiKey, KeyHash, KeyRole};
use resthooks::store::Page;
use resthooks::{Error, Hooks, KeyRefused, NewKey};

use crate::settings::DEV_ADMIN_KEY;

/// Makes the key that was given the provider's, in place of one that was given before; without one, makes one unless
/// there is one. Answers a key that it made.
pub(super) async fn ensure(hooks: &Hooks, given: Option<&str>) -> Result<Option<String>, Error> {
    let hooks = &hooks.acting_as(Actor::command("serve"));
    // Everybody knows this key. A store that was tried out in development mode must not be open to all afterwards.
    if given != Some(DEV_ADMIN_KEY) && hooks.authenticate(DEV_ADMIN_KEY).is_ok() {
        let dev = KeyHash::of(DEV_ADMIN_KEY);
        revoke(hooks, |key| key.hash == dev).await?;
    }
    let Some(given) = given else {
        let made = hooks.create_first_provider_key("made at first start").await?;
        return Ok(made.map(|made| made.key));
    };
    if hooks.authenticate(given) == Err(KeyRefused::Unknown) {
        // The old one goes first: a crash in between leaves none, and the next start comes by here again.
        revoke(hooks, |key| key.role == KeyRole::Provider && key.name.as_deref() == Some(NewKey::GIVEN))
            .await?;
    }
    hooks.ensure_provider_key(given).await?;
    Ok(None)
}

async fn revoke(hooks: &Hooks, is_meant: impl Fn(&ApiKey) -> bool) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = hooks.keys(None, Page { after, limit: resthooks::limits::MAX_PAGE });
        for key in page.items.iter().filter(|key| is_meant(key)) {
            match hooks.delete_key(key.id).await {
                Ok(()) => tracing::info!(id = %key.id, "an admin key of an earlier start is revoked"),
                Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
