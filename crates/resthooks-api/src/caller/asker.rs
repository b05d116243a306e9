//! A caller that is known, with the engine as it may use it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Extensions, Method};
use resthooks::model::{Access, AccountId, Actor, Intent, KeyScope};
use resthooks::{Admitted, Hooks, IntentChoice, Scope};

use super::{Caller, Identity};
use crate::api::{Api, Callers};
use crate::credentials;
use crate::problem::Problem;

/// What credentials came to. Cheap to clone: it is kept where finding it out costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admission {
    /// Whose things may be seen and changed.
    pub whose: Caller,
    /// How much may be done with those.
    pub access: Access,
    /// Who it is, in the audit trail.
    pub actor: Arc<Actor>,
    /// Who it is, where callers are counted.
    pub identity: Identity,
}

impl Admission {
    /// An account's, by other credentials than a key of ours.
    pub(crate) fn of_account(account: AccountId, actor: Actor) -> Self {
        let identity = Identity::Account(account.clone());
        Self { whose: Caller::Consumer(account), access: Access::Full, actor: Arc::new(actor), identity }
    }

    /// The provider's, likewise.
    pub(crate) fn of_provider(actor: Actor) -> Self {
        let actor = Arc::new(actor);
        let identity = Identity::Actor(Arc::clone(&actor));
        Self { whose: Caller::Provider, access: Access::Full, actor, identity }
    }

    /// What the embedding application has said.
    fn by_embedder(extensions: &Extensions) -> Option<Self> {
        let said = extensions.get::<Actor>().cloned();
        Some(match extensions.get::<Caller>().cloned()? {
            Caller::Provider => Self::of_provider(said.unwrap_or_else(Actor::application)),
            Caller::Consumer(account) => {
                let actor = said.unwrap_or_else(|| Actor::new("account", &account));
                Self::of_account(account, actor)
            }
        })
    }
}

impl From<Admitted> for Admission {
    fn from(key: Admitted) -> Self {
        let Admitted { id, role, access, actor } = key;
        Self { whose: role.into(), access, actor, identity: Identity::Key(id) }
    }
}

/// What a request needs of an access that is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// `read`.
    Read,
    /// `emit`.
    Emit,
    /// All.
    Full,
}

impl Need {
    /// Unless a handler says otherwise: reading is what `GET` does.
    pub(super) fn of(method: &Method) -> Self {
        if matches!(*method, Method::GET | Method::HEAD) { Self::Read } else { Self::Full }
    }

    const fn is_met_by(self, access: Access) -> bool {
        match (access, self) {
            (Access::Full, _) => true,
            (Access::Limited { read, .. }, Self::Read) => read,
            (Access::Limited { emit, .. }, Self::Emit) => emit,
            (Access::Limited { .. }, Self::Full) => false,
        }
    }
}

/// Whoever asks: admitted to what its account, or the provider, may do. With a limited access, to reading alone.
#[derive(Debug)]
pub(crate) struct Asker {
    /// The engine; what is changed through this is changed by the caller.
    pub hooks: Hooks,
    whose: Caller,
    access: Access,
}

impl Asker {
    /// Finds out who asks, for whatever.
    pub(super) async fn find(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let admission = match api.callers {
            Callers::Credentials => {
                api.guard.admit_page(parts)?;
                let found = credentials::authenticate(api, parts).await;
                let admission = found.map_err(|refusal| api.guard.refuse(parts, refusal))?;
                api.guard.admit(&admission.identity)?;
                admission
            }
            Callers::Embedder => Admission::by_embedder(&parts.extensions).ok_or_else(|| {
                Problem::unauthorized("the application has not said who asks").without_challenge()
            })?,
        };
        let Admission { whose, access, actor, identity: _ } = admission;
        Ok(Self { hooks: api.hooks.acting_as(actor), whose, access })
    }

    /// Refuses an access that is too limited for this.
    pub(super) fn need(self, need: Need) -> Result<Self, Problem> {
        if need.is_met_by(self.access) {
            return Ok(self);
        }
        let scope = match (need, &self.whose) {
            (Need::Read, _) => KeyScope::Read,
            (Need::Emit, _) => KeyScope::Emit,
            (Need::Full, Caller::Provider) => KeyScope::Provider,
            (Need::Full, Caller::Consumer(_)) => KeyScope::Consumer,
        };
        Err(Problem::insufficient_scope(scope))
    }

    /// Whose things.
    pub(super) const fn whose(&self) -> &Caller {
        &self.whose
    }

    /// Whether nothing is withheld of what its account, or the provider, may do.
    pub(super) fn is_unlimited(&self) -> bool {
        self.access == Access::Full
    }

    /// A policy that the caller asks for.
    pub(crate) const fn chooses(&self, intent: Intent) -> IntentChoice {
        match self.whose {
            Caller::Provider => IntentChoice::Provider(intent),
            Caller::Consumer(_) => IntentChoice::Consumer(intent),
        }
    }

    /// What the caller may see, narrowed to the account that the request names, if it names one. A consumer that
    /// names another account than its own gets what it would get for one that does not exist.
    pub(crate) fn scope(&self, named: Option<AccountId>) -> Result<Scope, Problem> {
        self.whose.scope(named)
    }

    /// The one account that something is done for: a consumer's own, or the one that the provider has to name, in
    /// the body or the query.
    pub(crate) fn account(
        &self,
        body: Option<AccountId>,
        query: Option<AccountId>,
    ) -> Result<AccountId, Problem> {
        self.whose.account(body, query)
    }
}

impl FromRequestParts<Arc<Api>> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        Self::find(parts, api).await?.need(Need::of(&parts.method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_access_meets_what_it_names() {
        let limited = |emit, read| Access::Limited { emit, read };
        for (access, read, emit, full) in [
            (Access::Full, true, true, true),
            (limited(true, true), true, true, false),
            (limited(true, false), false, true, false),
            (limited(false, true), true, false, false),
            (limited(false, false), false, false, false),
        ] {
            let met = [Need::Read, Need::Emit, Need::Full].map(|need| need.is_met_by(access));
            assert_eq!(met, [read, emit, full], "{access:?}");
        }
        assert_eq!(Need::of(&Method::HEAD), Need::Read);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            assert_eq!(Need::of(&method), Need::Full, "{method}");
        }
    }

    #[test]
    fn an_application_may_say_who_acts() {
        let mut extensions = Extensions::new();
        assert!(Admission::by_embedder(&extensions).is_none());
        extensions.insert(Caller::Provider);
        assert_eq!(Admission::by_embedder(&extensions).unwrap().actor.as_str(), "application");
        extensions.insert(Caller::Consumer("a".parse().unwrap()));
        assert_eq!(Admission::by_embedder(&extensions).unwrap().actor.as_str(), "account:a");
        extensions.insert(Actor::new("user", &"jane"));
        assert_eq!(Admission::by_embedder(&extensions).unwrap().actor.as_str(), "user:jane");
    }
}
