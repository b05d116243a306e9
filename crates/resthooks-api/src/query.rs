//! What a request's query says. Unknown parameters, repeated ones and bad values are refused by name.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use resthooks::FieldError;
use serde::de::value::{Error as ValueError, MapDeserializer};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};

use crate::api::Api;
use crate::body::shorten;
use crate::problem::Problem;

/// Takes a `T`, all of whose fields must be optional, from the query.
#[derive(Debug)]
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// For operations that take no parameters: any is unknown.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoQuery {}

pub(crate) fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(query.as_bytes()).collect();
    let read = |pairs: &[(Cow<'_, str>, Cow<'_, str>)]| {
        T::deserialize(MapDeserializer::<_, ValueError>::new(
            pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())),
        ))
    };
    let error = match read(&pairs) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut seen = HashSet::new();
    let mut errors = Vec::new();
    for pair in &pairs {
        let name = pair.0.as_ref();
        if !seen.insert(name) {
            errors.push(FieldError::new(shorten(name.to_owned()), "occurs twice"));
        } else if let Err(error) = read(std::slice::from_ref(pair)) {
            errors.push(FieldError::new(shorten(name.to_owned()), message(&error)));
        }
    }
    if errors.is_empty() {
        errors.push(FieldError::new("query", message(&error)));
    }
    Err(Problem::invalid(errors))
}

fn message(error: &ValueError) -> String {
    let text = error.to_string();
    if text.starts_with("unknown field ") {
        "is not a known query parameter".to_owned()
    } else {
        shorten(text)
    }
}

/// Reads a parameter of a type that is read from text; for `#[serde(default, deserialize_with = …)]`.
pub(crate) fn text<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// Reads a parameter of a type that reads itself from text; likewise.
pub(crate) fn value<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use resthooks::model::AccountId;

    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        #[serde(deserialize_with = "text")]
        account: Option<AccountId>,
        #[serde(deserialize_with = "text")]
        count: Option<u8>,
        #[serde(deserialize_with = "value")]
        since: Option<resthooks::model::Timestamp>,
    }

    #[test]
    fn reads_what_is_known() {
        let read: Sample = parse("account=a%40b&count=7").unwrap();
        assert_eq!((read.account.unwrap().as_str(), read.count), ("a@b", Some(7)));
        assert_eq!(parse::<Sample>("").unwrap(), Sample::default());
        assert!(parse::<Sample>("since=2026-01-02T03:04:05Z").unwrap().since.is_some());
        assert!(parse::<NoQuery>("").is_ok());
        assert_eq!(parse::<NoQuery>("x").unwrap_err().errors()[0].field, "x");
    }

    #[test]
    fn names_every_wrong_parameter() {
        let problem = parse::<Sample>("account=&count=x&other=1&count=3").unwrap_err();
        let fields: Vec<_> = problem.errors().iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["account", "count", "other", "count"]);
    }
}
