//! Trying what a request shows, in one order for all.

use http::request::Parts;
use resthooks::KeyRefused;
use resthooks::model::ApiKey;

use super::authorization::Authorization;
use crate::api::Api;
use crate::caller::Admission;
use crate::problem::Problem;

/// Finds out who asks.
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
    Err(Problem::unauthorized(match shown {
        Authorization::None => "an API key is needed",
        Authorization::Other => "Authorization must be 'Bearer KEY', or Basic with the key as user name",
        Authorization::Bearer(_) | Authorization::Basic(_) => "this API key is not known",
    }))
}
