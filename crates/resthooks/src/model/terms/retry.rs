//! When failed deliveries of one subscription are tried again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Span;
use crate::model::Invalid;

/// The most attempts after the first one.
const MOST_RETRIES: usize = 50;
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
const LONGEST_AGE: Duration = Duration::from_secs(30 * 24 * 3600);
const MOST_STATUSES: usize = 50;

/// `{"schedule": ["5s", "30s"]}`, or `{"base": "5s", "factor": 2, "max_interval": "1h", "max_attempts": 10}`, either with
/// `max_age` and `statuses`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Retry {
    /// The waits between attempts.
    pub waits: Waits,
    /// No attempt is made so long after the event was accepted.
    pub max_age: Option<Span>,
    /// Which statuses are tried again; all but 2xx, 3xx and 410 when absent. Where there was no answer, it always is.
    pub statuses: Option<Vec<Statuses>>,
}

/// The waits between attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waits {
    /// After the first attempt, after the second, …
    Schedule(Vec<Span>),
    /// Growing from the first one.
    Growing {
        /// The first.
        base: Span,
        /// Each is so many times as long as the one before, in thousandths.
        factor_thousandths: u32,
        /// None is longer.
        max_interval: Span,
        /// Attempts in all, the first one included.
        max_attempts: u32,
    },
}

impl Waits {
    /// The wait after so many attempts; nothing when that was the last one.
    #[must_use]
    pub fn after(&self, attempts: u32) -> Option<Duration> {
        match self {
            Self::Schedule(waits) => {
                let place = usize::try_from(attempts.checked_sub(1)?).ok()?;
                waits.get(place).map(|wait| wait.get())
            }
            Self::Growing { base, factor_thousandths, max_interval, max_attempts } => {
                if attempts >= *max_attempts {
                    return None;
                }
                let factor = f64::from(*factor_thousandths) / 1000.0;
                let grown = base.get().as_secs_f64()
                    * factor.powi(i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX));
                let most = max_interval.get();
                Some(if grown >= most.as_secs_f64() { most } else { Duration::from_secs_f64(grown) })
            }
        }
    }

    /// The shortest and the longest of them.
    #[must_use]
    pub fn bounds(&self) -> (Duration, Duration) {
        match self {
            Self::Schedule(waits) => {
                let all = || waits.iter().map(|wait| wait.get());
                (all().min().unwrap_or(SHORTEST_WAIT), all().max().unwrap_or(LONGEST_WAIT))
            }
            Self::Growing { base, max_interval, .. } => {
                (base.get().min(max_interval.get()), max_interval.get())
            }
        }
    }
}

/// One status, or all of a hundred: `429`, `5xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statuses {
    /// This one.
    One(u16),
    /// All that begin with this digit.
    Class(u8),
}

impl Statuses {
    /// Whether this one is meant.
    #[must_use]
    pub fn includes(self, status: u16) -> bool {
        match self {
            Self::One(one) => one == status,
            Self::Class(class) => status / 100 == u16::from(class),
        }
    }
}

impl FromStr for Statuses {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("must be a status such as 429, or a class: 4xx or 5xx");
        if let Some(class) = text.strip_suffix("xx") {
            return match class {
                "4" => Ok(Self::Class(4)),
                "5" => Ok(Self::Class(5)),
                _ => Err(wrong()),
            };
        }
        let status: u16 = text.parse().map_err(|_| wrong())?;
        match status {
            410 => Err(Invalid::new("410 ends a subscription, and is never tried again")),
            400..=599 if text.len() == 3 => Ok(Self::One(status)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "must be a status such as 429, or a class: 4xx or 5xx")]
        enum Either {
            Number(u16),
            Text(String),
        }
        let text = match Either::deserialize(deserializer)? {
            Either::Number(number) => number.to_string(),
            Either::Text(text) => text,
        };
        text.parse().map_err(|invalid: Invalid| serde::de::Error::custom(invalid.0))
    }
}

/// As it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<Vec<Span>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_interval: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_age: Option<Span>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statuses: Option<Vec<Statuses>>,
}

impl TryFrom<Written> for Retry {
    type Error = Invalid;

    fn try_from(written: Written) -> Result<Self, Invalid> {
        let Written { schedule, base, factor, max_interval, max_attempts, max_age, statuses } = written;
        let growing = base.is_some() || factor.is_some() || max_interval.is_some() || max_attempts.is_some();
        let waits = match (schedule, base) {
            (Some(_), _) if growing => {
                return Err(Invalid::new(
                    "takes either schedule, or base with factor, max_interval and max_attempts",
                ));
            }
            (Some(schedule), _) => scheduled(schedule)?,
            (None, Some(base)) => grown(base, factor, max_interval, max_attempts)?,
            (None, None) => return Err(Invalid::new("must have a schedule, or a base")),
        };
        if max_age.is_some_and(|age| !(SHORTEST_WAIT..=LONGEST_AGE).contains(&age.get())) {
            return Err(Invalid::new("max_age must be 1s to 30d"));
        }
        if statuses.as_ref().is_some_and(|statuses| statuses.len() > MOST_STATUSES) {
            return Err(Invalid(format!("statuses must be at most {MOST_STATUSES}")));
        }
        Ok(Self { waits, max_age, statuses })
    }
}

fn scheduled(schedule: Vec<Span>) -> Result<Waits, Invalid> {
    if schedule.len() > MOST_RETRIES {
        return Err(Invalid(format!("schedule must have at most {MOST_RETRIES} waits")));
    }
    match schedule.iter().position(|wait| !is_wait(*wait)) {
        Some(place) => Err(Invalid(format!("schedule[{place}] must be 1s to 1d"))),
        None => Ok(Waits::Schedule(schedule)),
    }
}

fn grown(
    base: Span,
    factor: Option<f64>,
    max_interval: Option<Span>,
    max_attempts: Option<u32>,
) -> Result<Waits, Invalid> {
    let max_interval = max_interval.unwrap_or(Span(LONGEST_WAIT).max(base));
    let factor = factor.unwrap_or(2.0);
    let max_attempts = max_attempts.unwrap_or(11);
    let most = u32::try_from(MOST_RETRIES).unwrap_or(u32::MAX) + 1;
    if !is_wait(base) {
        return Err(Invalid::new("base must be 1s to 1d"));
    }
    if !is_wait(max_interval) || max_interval < base {
        return Err(Invalid::new("max_interval must be 1s to 1d, and no shorter than base"));
    }
    if !(1.0..=10.0).contains(&factor) {
        return Err(Invalid::new("factor must be 1 to 10"));
    }
    if !(1..=most).contains(&max_attempts) {
        return Err(Invalid(format!("max_attempts must be 1 to {most}")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 1,000 to 10,000, as was seen to"
    )]
    let factor_thousandths = (factor * 1000.0).round() as u32;
    Ok(Waits::Growing { base, factor_thousandths, max_interval, max_attempts })
}

fn is_wait(wait: Span) -> bool {
    (SHORTEST_WAIT..=LONGEST_WAIT).contains(&wait.get())
}

impl From<Retry> for Written {
    fn from(retry: Retry) -> Self {
        let rest = Self { max_age: retry.max_age, statuses: retry.statuses, ..Self::default() };
        match retry.waits {
            Waits::Schedule(schedule) => Self { schedule: Some(schedule), ..rest },
            Waits::Growing { base, factor_thousandths, max_interval, max_attempts } => Self {
                base: Some(base),
                factor: Some(f64::from(factor_thousandths) / 1000.0),
                max_interval: Some(max_interval),
                max_attempts: Some(max_attempts),
                ..rest
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Retry, String> {
        serde_json::from_str(json).map_err(|e| e.to_string())
    }

    fn waits(json: &str) -> Vec<u64> {
        let waits = read(json).unwrap().waits;
        (1..).map_while(|attempts| waits.after(attempts)).map(|wait| wait.as_secs()).take(60).collect()
    }

    #[test]
    fn waits_are_listed_or_grow() {
        assert_eq!(waits(r#"{"schedule": ["5s", "1m"]}"#), [5, 60]);
        assert!(waits(r#"{"schedule": []}"#).is_empty(), "one attempt alone");
        let growing = r#"{"base": "5s", "factor": 3, "max_interval": "1m", "max_attempts": 6}"#;
        assert_eq!(waits(growing), [5, 15, 45, 60, 60]);
        assert_eq!(waits(r#"{"base": "1h"}"#).len(), 10);
        assert_eq!(waits(r#"{"base": "1s", "factor": 10, "max_attempts": 51}"#).len(), 50);
        assert!(waits(r#"{"base": "1s", "max_attempts": 1}"#).is_empty());
    }

    #[test]
    fn it_comes_back_as_it_was_written() {
        for json in [
            r#"{"schedule":["5s","1m"],"max_age":"2h","statuses":["429","5xx"]}"#,
            r#"{"base":"5s","factor":1.5,"max_interval":"1h","max_attempts":7}"#,
        ] {
            assert_eq!(serde_json::to_string(&read(json).unwrap()).unwrap(), json);
        }
    }

    #[test]
    fn statuses_are_listed_by_number_or_class() {
        let retry = read(r#"{"schedule": ["5s"], "statuses": [429, "5xx"]}"#).unwrap();
        let tried = |status| retry.statuses.as_ref().unwrap().iter().any(|one| one.includes(status));
        assert!(tried(429) && tried(500) && tried(599) && !tried(404) && !tried(430));
    }

    #[test]
    fn says_what_is_wrong() {
        for (bad, why) in [
            ("{}", "a schedule, or a base"),
            (r#"{"schedule": ["5s"], "base": "5s"}"#, "either"),
            (r#"{"schedule": ["5s", "0s"]}"#, "schedule[1]"),
            (r#"{"schedule": ["25h"]}"#, "schedule[0]"),
            (r#"{"schedule": ["soon"]}"#, "duration with a unit"),
            (r#"{"base": "500ms"}"#, "base"),
            (r#"{"base": "5s", "factor": 0.5}"#, "factor"),
            (r#"{"base": "5s", "factor": 1e300}"#, "factor"),
            (r#"{"base": "5s", "max_interval": "1s"}"#, "max_interval"),
            (r#"{"base": "5s", "max_attempts": 0}"#, "max_attempts"),
            (r#"{"base": "5s", "max_attempts": 52}"#, "max_attempts"),
            (r#"{"schedule": ["5s"], "max_age": "31d"}"#, "max_age"),
            (r#"{"schedule": ["5s"], "statuses": [410]}"#, "410 ends"),
            (r#"{"schedule": ["5s"], "statuses": ["200"]}"#, "429"),
            (r#"{"schedule": ["5s"], "statuses": ["3xx"]}"#, "4xx"),
            (r#"{"schedule": ["5s"], "statuses": [true]}"#, "429"),
            (r#"{"schedule": ["5s"], "unknown": 1}"#, "unknown"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
        let many = format!(r#"{{"schedule": [{}]}}"#, vec![r#""5s""#; 51].join(","));
        assert!(read(&many).unwrap_err().contains("at most 50"));
    }
}
