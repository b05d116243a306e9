//! How many requests a target is sent in a time.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::Invalid;

/// The most requests a minute that can be asked for.
const MOST_PER_MINUTE: u32 = 600_000;

/// A time in which requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// A second.
    Second,
    /// A minute.
    #[default]
    Minute,
}

/// At most so many requests in a second or a minute: `{"limit": 100, "per": "minute", "burst": 10}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// So many.
    pub limit: u32,
    /// In such a time; a minute when left out.
    #[serde(default)]
    pub per: Per,
    /// So many at once after a silence, within the limit; a second's worth when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

impl RateLimit {
    /// So many in a minute.
    #[must_use]
    pub const fn of_minute(limit: u32) -> Self {
        Self { limit, per: Per::Minute, burst: None }
    }

    /// So many requests a minute.
    #[must_use]
    pub const fn per_minute(self) -> u32 {
        match self.per {
            Per::Second => self.limit.saturating_mul(60),
            Per::Minute => self.limit,
        }
    }

    /// Sees whether this makes sense.
    ///
    /// # Errors
    /// Names the member that does not, behind the name of this one.
    pub fn check(self) -> Result<(), (&'static str, Invalid)> {
        let most = match self.per {
            Per::Second => MOST_PER_MINUTE / 60,
            Per::Minute => MOST_PER_MINUTE,
        };
        if !(1..=most).contains(&self.limit) {
            return Err(("limit", Invalid(format!("must be 1 to {most}"))));
        }
        if self.burst.is_some_and(|burst| !(1..=self.limit).contains(&burst)) {
            return Err(("burst", Invalid(format!("must be 1 to the limit, {}", self.limit))));
        }
        Ok(())
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Per::Second => "second",
            Per::Minute => "minute",
        };
        write!(f, "{} requests a {per}", self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<RateLimit, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    #[test]
    fn a_minute_is_what_counts_unless_said() {
        let plain = read(r#"{"limit": 90}"#).unwrap();
        assert_eq!((plain.per_minute(), plain.burst, plain.check()), (90, None, Ok(())));
        assert_eq!(read(r#"{"limit": 5, "per": "second", "burst": 3}"#).unwrap().per_minute(), 300);
        for bad in [r#"{"limit": 5, "per": "hour"}"#, r#"{"per": "second"}"#, r#"{"limit": 5, "x": 1}"#, "7"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        for (bad, member) in [
            (r#"{"limit": 0}"#, "limit"),
            (r#"{"limit": 10001, "per": "second"}"#, "limit"),
            (r#"{"limit": 600001}"#, "limit"),
            (r#"{"limit": 5, "burst": 6}"#, "burst"),
            (r#"{"limit": 5, "burst": 0}"#, "burst"),
        ] {
            assert_eq!(read(bad).unwrap().check().unwrap_err().0, member, "{bad}");
        }
    }
}
