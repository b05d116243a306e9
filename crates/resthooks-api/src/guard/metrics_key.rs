//! What `/metrics` is asked with, where it is not open to all.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use resthooks::model::KeyHash;
use subtle::ConstantTimeEq as _;

/// The key that `/metrics` asks for. Only its hash is kept, and how long a comparison takes says nothing of it.
#[derive(Debug, Clone)]
pub struct MetricsKey(KeyHash);

impl MetricsKey {
    /// A key, as it will be shown in `Authorization: Bearer KEY`.
    #[must_use]
    pub fn new(key: &str) -> Self {
        Self(KeyHash::of(key))
    }

    /// Whether a request shows it.
    pub(super) fn is_shown_in(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some((scheme, key)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
            return false;
        };
        let shown = KeyHash::of(key.trim_matches(' '));
        scheme.eq_ignore_ascii_case("bearer") && bool::from(self.0.0.ct_eq(&shown.0))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_key_is_the_key() {
        let key = MetricsKey::new("scrape-me");
        let shows = |values: &[&str]| {
            let values = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap()));
            let mut headers = HeaderMap::new();
            for (name, value) in values {
                headers.append(name, value);
            }
            key.is_shown_in(&headers)
        };
        assert!(shows(&["Bearer scrape-me"]) && shows(&["bearer  scrape-me "]));
        for other in
            ["Bearer", "Bearer ", "Bearer scrape-m", "Bearer scrape-me2", "Basic scrape-me", "scrape-me"]
        {
            assert!(!shows(&[other]), "{other}");
        }
        assert!(!shows(&[]) && !shows(&["Bearer scrape-me", "Bearer scrape-me"]));
        assert!(!format!("{key:?}").contains("scrape"));
    }
}
