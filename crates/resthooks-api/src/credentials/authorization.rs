//! The header `Authorization`, as it is written.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::problem::Problem;

/// The longest text that is looked up as a key of ours: an operator's own may be as long as this.
const MAX_KEY_BYTES: usize = 256;

/// What a caller shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authorization<'a> {
    /// Nothing.
    None,
    /// `Bearer TOKEN`.
    Bearer(&'a str),
    /// `Basic base64(USER:PASSWORD)`: the user.
    Basic(String),
    /// Something else.
    Other,
}

impl<'a> Authorization<'a> {
    /// Reads the header; the scheme in any case.
    pub(super) fn of(headers: &'a HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(Self::None) };
        if values.next().is_some() {
            return Err(Problem::unauthorized("there is more than one Authorization header"));
        }
        Ok(Self::read(value.as_bytes()).unwrap_or(Self::Other))
    }

    fn read(value: &'a [u8]) -> Option<Self> {
        let (scheme, rest) = std::str::from_utf8(value).ok()?.split_once(' ')?;
        let rest = rest.trim_matches(' ');
        if rest.is_empty() {
            return None;
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(rest));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = STANDARD.decode(rest).or_else(|_| STANDARD_NO_PAD.decode(rest)).ok()?;
        let mut text = String::from_utf8(decoded).ok()?;
        text.truncate(text.find(':').unwrap_or(text.len()));
        Some(Self::Basic(text))
    }

    /// What may be a key of ours.
    pub(super) fn key(&self) -> Option<&str> {
        let text = match self {
            Self::Bearer(token) => token,
            Self::Basic(user) => user.as_str(),
            Self::None | Self::Other => return None,
        };
        (text.len() <= MAX_KEY_BYTES).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str) -> Option<String> {
        Authorization::read(value.as_bytes())?.key().map(str::to_owned)
    }

    #[test]
    fn bearer_and_basic_carry_a_key() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for good in ["Bearer k1", "bearer k1", "BEARER  k1 ", "Basic azE6", "Basic azE"] {
            assert_eq!(key(good).as_deref(), Some("k1"), "{good}");
        }
        assert_eq!(key(&basic("k1:password")).as_deref(), Some("k1"));
        assert_eq!(key(&basic("k1")).as_deref(), Some("k1"));
        for bad in ["", "k1", "Bearer", "Bearer ", "Digest k1", "Basic %%%", "Basic /w=="] {
            assert_eq!(key(bad), None, "{bad}");
        }
        assert_eq!(key(&format!("Bearer {}", "x".repeat(257))), None);
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

        /// Whatever is shown is read, and what is read stands in it.
        #[test]
        fn anything_is_read(value in proptest::collection::vec(0_u8..=255, 0..80), scheme in "(Bearer|basic|BASIC)? ?") {
            let value = [scheme.as_bytes(), &value].concat();
            match Authorization::read(&value) {
                Some(Authorization::Bearer(token)) => {
                    proptest::prop_assert!(!token.is_empty());
                    proptest::prop_assert!(value.windows(token.len()).any(|window| window == token.as_bytes()));
                }
                Some(Authorization::Basic(user)) => proptest::prop_assert!(!user.contains(':')),
                Some(Authorization::None | Authorization::Other) => proptest::prop_assert!(false),
                None => {}
            }
        }
    }
}
