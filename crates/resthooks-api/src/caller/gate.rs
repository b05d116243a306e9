//! Who is admitted to what not everybody may do. What a handler takes of these is checked before anything else of the
//! request, so that a refusal says nothing but that.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::request::Parts;
use resthooks::model::AccountId;

use super::asker::Need;
use super::{Asker, Caller};
use crate::api::Api;
use crate::problem::Problem;

/// Admits the provider alone; with a limited access, to reading.
#[derive(Debug)]
pub(crate) struct Provider(pub Asker);

/// Admits whoever may do everything with what is theirs: for what shows secrets, though it is a `GET`.
#[derive(Debug)]
pub(crate) struct Owner(pub Asker);

/// Admits whoever may emit: the provider, and those whose key says so.
#[derive(Debug)]
pub(crate) struct Emitter(pub Asker);

impl Emitter {
    /// The one account that it may emit for, if it is one.
    pub(crate) fn own(&self) -> Option<&AccountId> {
        match self.0.whose() {
            Caller::Provider => None,
            Caller::Consumer(account) => Some(account),
        }
    }
}

impl FromRequestParts<Arc<Api>> for Provider {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let asker = Asker::find(parts, api).await?;
        match asker.whose() {
            Caller::Provider => asker.need(Need::of(&parts.method)).map(Self),
            Caller::Consumer(_) => Err(forbidden()),
        }
    }
}

impl FromRequestParts<Arc<Api>> for Owner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        Asker::find(parts, api).await?.need(Need::Full).map(Self)
    }
}

impl FromRequestParts<Arc<Api>> for Emitter {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let asker = Asker::find(parts, api).await?;
        match asker.whose() {
            // What happens to an account's things is the provider's to tell: its account says nothing of that.
            Caller::Consumer(_) if asker.is_unlimited() => Err(forbidden()),
            Caller::Provider | Caller::Consumer(_) => asker.need(Need::Emit).map(Self),
        }
    }
}

fn forbidden() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "this is for the provider alone")
}
