//! A request as its receiver has it, and what its headers claim.

use std::time::Duration;

use bytes::Bytes;

use super::header::{self, Signatures};
use super::verdict::{Code, Verdict};

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";
const HOOK_SIGNATURE: &str = "x-hook-signature";

/// The longest `webhook-id` and `webhook-timestamp` that are read, in bytes.
const MAX_VALUE_BYTES: usize = 256;

/// A hook as its receiver has it.
#[derive(Clone)]
pub struct Received {
    /// Its headers, by names in any case; also as they stand in CGI variables (`HTTP_WEBHOOK_ID`). Those that are not about
    /// signatures are passed over.
    pub headers: Vec<(String, String)>,
    /// Its body, byte for byte.
    pub body: Bytes,
    /// How far its timestamp may be from now.
    pub tolerance: Duration,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither a payload nor whatever else came with it.
        f.debug_struct("Received").field("body", &self.body.len()).finish_non_exhaustive()
    }
}

/// What a request's headers claim.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    /// The `webhook-id`, if it has one.
    pub id: Option<&'a str>,
    /// The `webhook-timestamp` in seconds, of those that have one.
    pub seconds: Option<i64>,
    /// What was signed, and the signatures.
    pub signed: Signed<'a>,
}

/// Signatures, and what they are over beside the body.
#[derive(Debug)]
pub(super) enum Signed<'a> {
    /// Standard Webhooks.
    Standard {
        /// As it was received.
        id: &'a str,
        /// As it was received.
        timestamp: &'a str,
        /// By scheme.
        signatures: Signatures,
    },
    /// `X-Hook-Signature` alone: nothing.
    Alone(Vec<[u8; 32]>),
}

impl Received {
    /// Reads the headers. A request without `webhook-signature` is taken at its `x-hook-signature`.
    pub(super) fn claim(&self) -> Result<Claim<'_>, Verdict> {
        let standard = self.values(SIGNATURE);
        let alone = self.values(HOOK_SIGNATURE);
        if standard.is_empty() && !alone.is_empty() {
            let signatures = header::hook_signatures(&alone.join(","));
            let signatures = signatures.map_err(|broken| malformed(HOOK_SIGNATURE, broken))?;
            return Ok(Claim { id: self.one(ID)?, seconds: None, signed: Signed::Alone(signatures) });
        }
        let (id, timestamp) = (self.one(ID)?, self.one(TIMESTAMP)?);
        let missing: Vec<&str> =
            [(ID, id.is_none()), (TIMESTAMP, timestamp.is_none()), (SIGNATURE, standard.is_empty())]
                .into_iter()
                .filter_map(|(name, is_missing)| is_missing.then_some(name))
                .collect();
        let (Some(id), Some(timestamp), false) = (id, timestamp, standard.is_empty()) else {
            let detail =
                format!("the request has no {}, which every hook is sent with", missing.join(" and no "));
            return Err(Verdict::new(Code::MissingHeader, detail));
        };
        let signatures = header::signatures(&standard.join(" "));
        let signatures = signatures.map_err(|broken| malformed(SIGNATURE, broken))?;
        let signed = Signed::Standard { id, timestamp, signatures };
        Ok(Claim { id: Some(id), seconds: Some(seconds(timestamp)?), signed })
    }

    /// The values of a header, as they were received but for spaces around them.
    fn values(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(given, _)| is_name(given, name));
        named.map(|(_, value)| value.trim_ascii()).collect()
    }

    /// The value of a header that is there once; several that are alike count as one.
    fn one(&self, name: &str) -> Result<Option<&str>, Verdict> {
        let values = self.values(name);
        let Some(first) = values.first().copied() else { return Ok(None) };
        if values.iter().any(|other| *other != first) {
            return Err(malformed(name, "is there several times, with different values"));
        }
        if first.is_empty() || first.len() > MAX_VALUE_BYTES {
            return Err(malformed(name, "is empty or too long"));
        }
        Ok(Some(first))
    }
}

fn malformed(name: &str, problem: impl std::fmt::Display) -> Verdict {
    Verdict::new(Code::MalformedHeader, format!("{name} {problem}"))
}

/// Whether a name as it was given is this header's: in any case, with `_` for `-`, and with `HTTP_` in front.
fn is_name(given: &str, name: &str) -> bool {
    let same = |given: &str| {
        given.len() == name.len()
            && given
                .bytes()
                .zip(name.bytes())
                .all(|(a, b)| a.eq_ignore_ascii_case(&b) || (a, b) == (b'_', b'-'))
    };
    let bare = given.split_at_checked(5).filter(|(head, _)| head.eq_ignore_ascii_case("http_"));
    same(given) || bare.is_some_and(|(_, rest)| same(rest))
}

fn seconds(text: &str) -> Result<i64, Verdict> {
    let wrong = |problem| malformed(TIMESTAMP, problem);
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong("is not a whole number of seconds since 1970"));
    }
    match text.len() {
        1..=11 => text.parse().map_err(|_| wrong("is not a number")),
        13 => Err(wrong("has 13 digits, as milliseconds have: it is sent in seconds")),
        _ => Err(wrong("is no time of this age")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(headers: &[(&str, &str)]) -> Received {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Received { headers, body: Bytes::new(), tolerance: Duration::ZERO }
    }

    const V1: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    const HEX: &str = "e0fc16c6d4a28f39a6e0935569f05d86e87367db24a4b6d9271215c603e49f6a";

    #[test]
    fn names_are_known_in_any_case_and_as_variables() {
        for name in ["webhook-id", "Webhook-Id", "WEBHOOK_ID", "HTTP_WEBHOOK_ID", "http_webhook_id"] {
            assert!(is_name(name, ID), "{name}");
        }
        for name in ["", "webhook", "webhook-ids", "xhttp_webhook_id", "webhook id", "ĥttp_webhook_id"] {
            assert!(!is_name(name, ID), "{name}");
        }
    }

    #[test]
    fn what_is_missing_or_odd_is_named() {
        let whole = [(ID, "x"), (TIMESTAMP, "1649367553"), (SIGNATURE, V1), ("accept", "*/*")];
        let claim = received(&whole).claim().map(|claim| (claim.id.map(str::to_owned), claim.seconds));
        assert_eq!(claim, Ok((Some("x".to_owned()), Some(1_649_367_553))));
        for at in 0..3 {
            let mut headers = whole.to_vec();
            let (name, _) = headers.remove(at);
            let verdict = received(&headers).claim().unwrap_err();
            assert_eq!(verdict.code, Code::MissingHeader);
            assert!(verdict.detail.contains(&format!("no {name},")), "{}", verdict.detail);
        }
        let none = received(&[]).claim().unwrap_err();
        assert!(none.detail.contains("no webhook-id and no webhook-timestamp and no webhook-signature"));
        for (name, value) in [
            (ID, ""),
            (ID, "another"),
            (ID, &"x".repeat(257)),
            (TIMESTAMP, "1649367553000"),
            (TIMESTAMP, "-5"),
            (TIMESTAMP, "1.5"),
            (TIMESTAMP, "2022-04-07T21:39:13Z"),
            (TIMESTAMP, "99999999999999999999"),
        ] {
            let mut headers = whole.to_vec();
            headers.push((name, value));
            headers.retain(|(given, old)| *given != TIMESTAMP || name != TIMESTAMP || *old == value);
            let verdict = received(&headers).claim().unwrap_err();
            assert_eq!(verdict.code, Code::MalformedHeader, "{value}");
            assert!(verdict.detail.starts_with(name), "{}", verdict.detail);
        }
    }

    #[test]
    fn several_values_are_taken_together() {
        let both = [
            (ID, "x"),
            (ID, " x "),
            (TIMESTAMP, "1"),
            (SIGNATURE, V1),
            (SIGNATURE, "v1,broken"),
            (SIGNATURE, V1),
        ];
        let received = received(&both);
        let Signed::Standard { signatures, .. } = received.claim().unwrap().signed else {
            panic!("of another form")
        };
        assert_eq!(signatures.v1.len(), 2);
    }

    #[test]
    fn the_signature_of_rest_hooks_may_stand_alone() {
        for (headers, id) in
            [(vec![(HOOK_SIGNATURE, HEX)], None), (vec![(ID, "x"), (HOOK_SIGNATURE, HEX)], Some("x"))]
        {
            let received = received(&headers);
            let claim = received.claim().unwrap();
            assert_eq!(claim.id, id);
            assert!(matches!(claim.signed, Signed::Alone(signatures) if signatures.len() == 1));
        }
        let broken = received(&[(HOOK_SIGNATURE, &HEX[1..])]);
        assert!(broken.claim().unwrap_err().detail.starts_with(HOOK_SIGNATURE));
    }
}
