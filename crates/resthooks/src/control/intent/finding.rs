//! What an answer means for a confirmation, whatever the policy.

use crate::deliver::http::{Answer, Exchange};

/// What came of asking a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// It wants hooks; of these at most so many a minute, if it says so.
    Confirmed(Option<u32>),
    /// It has taken the secret and is to bring it back.
    Awaits,
    /// It wants none, ever (410).
    Gone,
    /// It has not confirmed, for this reason, where the attempt does not say it already.
    Failed(Why, Option<String>),
}

/// Why a target has not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// There was no answer, or none that says anything of its intent: it may be in trouble.
    Unreached,
    /// It answered something else.
    Refused,
    /// It answered something else that asking again will not change.
    Final,
}

impl Finding {
    /// The word for it in metrics.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Confirmed(_) => "confirmed",
            Self::Awaits => "awaiting",
            Self::Gone => "gone",
            Self::Failed(..) => "failed",
        }
    }

    pub(super) fn refused(detail: impl Into<String>) -> Self {
        Self::Failed(Why::Refused, Some(detail.into()))
    }
}

/// The answer, if it is a 2xx; else what it means.
pub(super) fn acknowledged(exchange: &Exchange) -> Result<&Answer, Finding> {
    let Ok(answer) = &exchange.answer else { return Err(Finding::Failed(Why::Unreached, None)) };
    match answer.status {
        200..=299 => Ok(answer),
        410 => Err(Finding::Gone),
        300..=399 => Err(Finding::Failed(Why::Final, Some("redirects are not followed".to_owned()))),
        408 | 429 | 500.. => Err(Finding::Failed(Why::Unreached, None)),
        _ => Err(Finding::Failed(Why::Refused, None)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::deliver::http::Failure;
    use crate::model::ErrorClass;

    /// What a target might answer.
    pub(in super::super) fn exchange(status: u16, headers: &[(&str, &str)], body: &str) -> Exchange {
        let mut head = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            head.append(name, HeaderValue::from_str(value).unwrap());
        }
        let owned = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
        };
        let answer = Answer {
            status,
            headers: head.iter().map(owned).collect(),
            head,
            body: body.to_owned(),
            truncated: false,
            retry_after: None,
        };
        Exchange { address: None, duration: Duration::from_millis(3), answer: Ok(answer) }
    }

    /// No answer.
    pub(in super::super) fn broken(class: ErrorClass) -> Exchange {
        let answer = Err(Failure::new(class, "broke"));
        Exchange { address: None, duration: Duration::from_millis(3), answer }
    }

    #[test]
    fn only_what_is_acknowledged_is_looked_at() {
        for (status, why) in [
            (199, Why::Refused),
            (300, Why::Final),
            (301, Why::Final),
            (304, Why::Final),
            (308, Why::Final),
            (400, Why::Refused),
            (401, Why::Refused),
            (404, Why::Refused),
            (405, Why::Refused),
            (408, Why::Unreached),
            (429, Why::Unreached),
            (500, Why::Unreached),
            (503, Why::Unreached),
            (999, Why::Unreached),
        ] {
            let Err(Finding::Failed(found, _)) = acknowledged(&exchange(status, &[], "")) else {
                panic!("{status}");
            };
            assert_eq!(found, why, "{status}");
        }
        for status in [200, 201, 202, 204, 299] {
            assert!(acknowledged(&exchange(status, &[], "")).is_ok(), "{status}");
        }
        assert_eq!(acknowledged(&exchange(410, &[], "")).unwrap_err(), Finding::Gone);
        let found = acknowledged(&broken(ErrorClass::Timeout)).unwrap_err();
        assert_eq!(found, Finding::Failed(Why::Unreached, None));
    }
}
