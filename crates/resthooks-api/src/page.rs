//! Lists: how much is asked for, and how a part of one is answered.

use std::str::FromStr;

use axum::extract::OriginalUri;
use axum::response::Response;
use http::header::LINK;
use http::{HeaderValue, StatusCode};
use resthooks::limits::{DEFAULT_PAGE, MAX_PAGE};
use resthooks::store::Page;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer;

/// How many items a page may hold: 1 to 250.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(usize);

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_PAGE)
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
        number.map(Self).ok_or_else(|| format!("must be a whole number from 1 to {MAX_PAGE}"))
    }
}

/// A cursor: an item's id, which only we make and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor<T>(pub T);

impl<T: FromStr> FromStr for Cursor<T> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "must be the next_cursor of an earlier answer")
    }
}

/// The part of a list that is asked for.
pub(crate) fn page<C>(limit: Option<Limit>, cursor: Option<Cursor<C>>) -> Page<C> {
    Page { after: cursor.map(|cursor| cursor.0), limit: limit.unwrap_or_default().0 }
}

/// A part of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    /// The items, newest first unless said otherwise.
    pub data: Vec<T>,
    /// What to ask for the next part with, as `?cursor=`; `null` at the end.
    pub next_cursor: Option<String>,
}

/// Answers a part of a list, with a `Link` to the next part if there is one.
pub(crate) fn listing<T: Serialize>(uri: &OriginalUri, data: Vec<T>, next: Option<String>) -> Response {
    let listing = Listing { data, next_cursor: next };
    linked(uri, &listing, listing.next_cursor.as_deref())
}

/// The same for a part that says more than its items.
pub(crate) fn linked<T: Serialize>(uri: &OriginalUri, part: &T, next: Option<&str>) -> Response {
    let link = next.and_then(|cursor| next_link(uri, cursor));
    let mut response = answer::json(StatusCode::OK, part);
    if let Some(link) = link {
        response.headers_mut().insert(LINK, link);
    }
    response
}

/// The request's own path and parameters with another cursor.
fn next_link(uri: &OriginalUri, cursor: &str) -> Option<HeaderValue> {
    let query = uri.query().unwrap_or_default();
    let others = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "cursor");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .append_pair("cursor", cursor)
        .finish();
    HeaderValue::from_str(&format!("<{}?{query}>; rel=\"next\"", uri.path())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_limits() {
        for (text, limit) in [("1", Some(1)), ("250", Some(250)), ("0", None), ("251", None), ("x", None)] {
            assert_eq!(text.parse::<Limit>().ok().map(|l| l.0), limit, "{text}");
        }
        assert_eq!(page::<u8>(None, None), Page { after: None, limit: 50 });
    }

    #[test]
    fn the_next_link_keeps_the_other_parameters() {
        let uri = OriginalUri(http::Uri::from_static("/api/v1/event/?cursor=old&account=a%40b&limit=2"));
        let response = listing(&uri, vec![1], Some("evt_1".to_owned()));
        assert_eq!(
            response.headers()["link"],
            "</api/v1/event/?account=a%40b&limit=2&cursor=evt_1>; rel=\"next\""
        );
        assert!(listing(&uri, vec![1], None).headers().get("link").is_none());
    }
}
