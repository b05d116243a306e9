//! Trying what a request shows, in one order for all.

use std::time::Duration;

use http::StatusCode;
use http::request::Parts;
use resthooks::KeyRefused;
use resthooks::model::ApiKey;

use super::authorization::Authorization;
use super::{Credentials, Jwt, Unverified};
use crate::api::Api;
use crate::caller::Admission;
use crate::problem::Problem;

/// When to try again while nobody can be asked who a caller is.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Finds out who asks.
///
/// A key of ours says it all. Then what a proxy says that is to be believed: it has looked at the request already. Then
/// what is a token, if tokens are taken; and what is left is for the provider to judge.
pub(crate) async fn authenticate(api: &Api, parts: &Parts) -> Result<Admission, Problem> {
    let shown = Authorization::of(&parts.headers)?;
    if let Some(key) = shown.key() {
        match api.hooks.authenticate(key) {
            Ok(admitted) => return Ok(admitted.into()),
            Err(KeyRefused::Expired) => {
                return Err(Problem::expired("key_expired", "this API key has expired"));
            }
            Err(KeyRefused::Unknown) if key.starts_with(ApiKey::PREFIX) => {
                return Err(Problem::unauthorized("this API key is not known"));
            }
            Err(KeyRefused::Unknown) => {}
        }
    }
    let credentials = &api.options.credentials;
    let admitted = match by_others(credentials, &shown, parts).await {
        Ok(admitted) => admitted,
        Err(Unverified::Expired) => return Err(Problem::expired("token_expired", "this token has expired")),
        Err(Unverified::Refused) => return Err(Problem::unauthorized("these credentials are not good")),
        Err(Unverified::Unavailable) => return Err(unavailable()),
    };
    admitted.ok_or_else(|| Problem::unauthorized(nothing(credentials, &shown)))
}

async fn by_others(
    credentials: &Credentials,
    shown: &Authorization<'_>,
    parts: &Parts,
) -> Result<Option<Admission>, Unverified> {
    if let Some(proxy) = &credentials.proxy {
        let said = proxy.admit(&parts.headers, &parts.extensions).map_err(|nonsense| {
            // The proxy is the operator's own: what it says wrong is to be mended there.
            tracing::warn!(reason = nonsense.0, "the proxy's header is refused");
            Unverified::Refused
        })?;
        if said.is_some() {
            return Ok(said);
        }
    }
    if let (Some(jwt), Authorization::Bearer(token)) = (&credentials.jwt, shown)
        && Jwt::is_token(token)
    {
        return jwt.admit(token).await.map(Some);
    }
    match &credentials.forward {
        Some(forward) => forward.admit(parts).await,
        None => Ok(None),
    }
}

/// What to say to who has shown nothing that is good for anything.
fn nothing(credentials: &Credentials, shown: &Authorization<'_>) -> &'static str {
    let only_keys = credentials.jwt.is_none() && credentials.forward.is_none();
    match shown {
        Authorization::None if only_keys => "an API key is needed",
        Authorization::None => "credentials are needed",
        Authorization::Other if only_keys => {
            "Authorization must be 'Bearer KEY', or Basic with the key as user name"
        }
        Authorization::Bearer(_) | Authorization::Basic(_) if only_keys => "this API key is not known",
        Authorization::Other | Authorization::Bearer(_) | Authorization::Basic(_) => {
            "these credentials are not good"
        }
    }
}

fn unavailable() -> Problem {
    let detail = "who you are can't be found out just now: try again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "authentication_unavailable", detail)
        .with_retry_after(RETRY_AFTER)
}
