//! The thing that a request's path names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use crate::api::Api;
use crate::problem::Problem;

/// The last segment that varies in the path. One that has not the form of such an id names nothing: 404.
#[derive(Debug)]
pub(crate) struct Id<T>(pub T);

impl<T: FromStr> FromRequestParts<Arc<Api>> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let text = segment(parts, api).await?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}

/// The same for something that the request brings into being: one of a bad form is a bad value, not a missing
/// thing.
#[derive(Debug)]
pub(crate) struct Name<T>(pub T);

impl<T: FromStr<Err: fmt::Display>> FromRequestParts<Arc<Api>> for Name<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let text = segment(parts, api).await?;
        text.parse().map(Self).map_err(|error: T::Err| Problem::field("name", error.to_string()))
    }
}

async fn segment(parts: &mut Parts, api: &Arc<Api>) -> Result<String, Problem> {
    // An application may have put segments of its own in front: ours is the last one.
    let params = RawPathParams::from_request_parts(parts, api).await.map_err(|_| Problem::not_found())?;
    params.iter().last().map(|(_, value)| value.to_owned()).ok_or_else(Problem::not_found)
}
