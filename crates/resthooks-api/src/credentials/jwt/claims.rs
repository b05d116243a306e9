//! What the claims of a verified token come to. Pure: the time is handed in.

use std::time::Duration;

use resthooks::model::{AccountId, Actor, Timestamp};
use serde_json::{Map, Value};

use crate::caller::Admission;
use crate::credentials::field::{FieldPath, identifier};

/// The last second of the year 9999: what lies beyond is no time that anybody meant.
const LAST_SECOND: u64 = 253_402_300_799;

/// What a token's claims have to be, and what they mean.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// One of these has issued it; whoever, when there are none.
    pub issuers: Vec<String>,
    /// It is for one of these; for whomever, when there are none.
    pub audiences: Vec<String>,
    /// By so much the clocks may differ.
    pub leeway: Duration,
    /// The claim that names the account.
    pub account: FieldPath,
    /// The claim that, with this value, makes the caller the provider.
    pub provider: Option<(FieldPath, String)>,
}

/// Why a token admits to nothing. The caller learns of `Expired` alone; the log learns the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has expired.
    Expired,
    /// Anything else.
    Because(&'static str),
}

/// A token that admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub admission: Admission,
    /// Until when, in seconds since the epoch, leeway and all.
    pub until: u64,
}

impl Rules {
    /// Judges the claims of a token whose signature was verified.
    pub(super) fn judge(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Judged, Refusal> {
        let now = u64::try_from(now.as_millis() / 1000).unwrap_or(0);
        let until = self.judge_times(claims, now)?;
        let issuer = || claims.get("iss").and_then(Value::as_str);
        if !self.issuers.is_empty() && !issuer().is_some_and(|iss| self.issuers.iter().any(|one| one == iss))
        {
            return Err(Refusal::Because("its issuer is another one"));
        }
        if !self.audiences.is_empty() && !self.is_for_us(claims.get("aud")) {
            return Err(Refusal::Because("it is for another audience"));
        }
        Ok(Judged { admission: self.admission(claims)?, until })
    }

    fn judge_times(&self, claims: &Map<String, Value>, now: u64) -> Result<u64, Refusal> {
        let leeway = self.leeway.as_secs();
        let end = second(claims.get("exp")).ok_or(Refusal::Because("its exp is no time"))?;
        let end = end.ok_or(Refusal::Because("it has no exp"))?;
        let until = end.saturating_add(leeway);
        if now >= until {
            return Err(Refusal::Expired);
        }
        for name in ["nbf", "iat"] {
            let begin = second(claims.get(name)).ok_or(Refusal::Because("its nbf or iat is no time"))?;
            if begin.is_some_and(|begin| begin > now.saturating_add(leeway)) {
                return Err(Refusal::Because("its time has not come yet"));
            }
        }
        Ok(until)
    }

    fn is_for_us(&self, audience: Option<&Value>) -> bool {
        let is_ours = |text: &str| self.audiences.iter().any(|one| one == text);
        match audience {
            Some(Value::String(text)) => is_ours(text),
            // All of them are texts, or nobody knows what this is.
            Some(Value::Array(items)) => {
                items.iter().all(Value::is_string) && items.iter().filter_map(Value::as_str).any(is_ours)
            }
            _ => false,
        }
    }

    fn admission(&self, claims: &Map<String, Value>) -> Result<Admission, Refusal> {
        let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| !subject.is_empty());
        let is_provider = |(path, value): &(FieldPath, String)| {
            path.find(claims).is_some_and(|found| says(found, path.last(), value))
        };
        if self.provider.as_ref().is_some_and(is_provider) {
            return Ok(Admission::of_provider(Actor::new("jwt", &subject.unwrap_or("provider"))));
        }
        let account = self.account.find(claims).and_then(identifier);
        let account = account.ok_or(Refusal::Because("it names no account"))?;
        let account: AccountId =
            account.parse().map_err(|_| Refusal::Because("what it names is no account"))?;
        let actor = Actor::new("jwt", &subject.unwrap_or(account.as_str()));
        Ok(Admission::of_account(account, actor))
    }
}

/// A moment in whole seconds; nothing when there is none, and `None` when it is something else.
#[expect(clippy::option_option, reason = "absent, wrong and right are three things")]
fn second(claim: Option<&Value>) -> Option<Option<u64>> {
    let Some(claim) = claim else { return Some(None) };
    claim.as_u64().filter(|second| *second <= LAST_SECOND).map(Some)
}

/// Whether a claim has this value, or has it among others: in a list, or, for scopes (RFC 8693), among words.
fn says(claim: &Value, name: &str, wanted: &str) -> bool {
    match claim {
        Value::String(text) if matches!(name, "scope" | "scp") => {
            text.split_ascii_whitespace().any(|word| word == wanted)
        }
        Value::String(text) => text == wanted,
        Value::Bool(said) => said.to_string() == wanted,
        Value::Array(items) => items.iter().any(|item| item.as_str() == Some(wanted)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::caller::Caller;

    const NOW: u64 = 1_700_000_000;

    fn rules() -> Rules {
        Rules {
            issuers: vec!["https://issuer.example".to_owned()],
            audiences: vec!["hooks".to_owned(), "hooks-2".to_owned()],
            leeway: Duration::from_secs(60),
            account: "sub".parse().unwrap(),
            provider: Some(("scope".parse().unwrap(), "hooks:admin".to_owned())),
        }
    }

    fn claims() -> Value {
        json!({"iss": "https://issuer.example", "aud": "hooks", "exp": NOW + 100, "sub": "tenant-7"})
    }

    fn judged(claims: &Value) -> Result<Judged, Refusal> {
        let now = Timestamp::from_millis(i64::try_from(NOW).unwrap() * 1000 + 999);
        rules().judge(claims.as_object().unwrap(), now)
    }

    fn with(name: &str, value: Value) -> Value {
        let mut changed = claims();
        match value {
            Value::Null => drop(changed.as_object_mut().unwrap().remove(name)),
            value => changed[name] = value,
        }
        changed
    }

    #[test]
    fn good_claims_name_an_account() {
        let good = judged(&claims()).unwrap();
        assert_eq!(good.until, NOW + 160);
        assert_eq!(good.admission.whose, Caller::Consumer("tenant-7".parse().unwrap()));
        assert_eq!(good.admission.actor.as_str(), "jwt:tenant-7");
        for (name, value) in [
            ("aud", json!(["other", "hooks-2"])),
            ("exp", json!(NOW - 59)),
            ("nbf", json!(NOW + 60)),
            ("iat", json!(NOW + 60)),
            ("iat", json!(0)),
            ("scope", json!("hooks:administrator hooks")),
            ("sub", json!(7)),
        ] {
            assert!(judged(&with(name, value.clone())).is_ok(), "{name} {value}");
        }
    }

    #[test]
    fn times_are_whole_seconds_within_the_leeway() {
        for exp in [NOW - 60, NOW - 1000, 0] {
            assert_eq!(judged(&with("exp", json!(exp))), Err(Refusal::Expired), "{exp}");
        }
        for (name, value) in [
            ("exp", json!(null)),
            ("exp", json!((NOW + 100) as f64 + 0.5)),
            ("exp", json!(1.7e10)),
            ("exp", json!(-1)),
            ("exp", json!(LAST_SECOND + 1)),
            ("exp", json!(u64::MAX)),
            ("exp", json!(1e300)),
            ("exp", json!((NOW + 100).to_string())),
            ("exp", json!([NOW + 100])),
            ("exp", json!(true)),
            ("nbf", json!(NOW + 61)),
            ("iat", json!(NOW + 61)),
            ("nbf", json!("0")),
            ("nbf", json!(1.5)),
            ("iat", json!(-1)),
            ("iat", json!({})),
        ] {
            assert!(matches!(judged(&with(name, value.clone())), Err(Refusal::Because(_))), "{name} {value}");
        }
        assert!(judged(&json!({"exp": null, "iss": "https://issuer.example", "aud": "hooks"})).is_err());
    }

    #[test]
    fn issuer_audience_and_account_are_ours() {
        for (name, value) in [
            ("iss", json!(null)),
            ("iss", json!("https://issuer.example/")),
            ("iss", json!(["https://issuer.example"])),
            ("aud", json!(null)),
            ("aud", json!("hook")),
            ("aud", json!("HOOKS")),
            ("aud", json!(["other"])),
            ("aud", json!([["hooks"]])),
            ("aud", json!(["hooks", ["x"]])),
            ("aud", json!(["hooks", 1])),
            ("aud", json!({"hooks": true})),
            ("aud", json!([])),
            ("sub", json!(null)),
            ("sub", json!("")),
            ("sub", json!("two words")),
            ("sub", json!("x".repeat(129))),
            ("sub", json!(-7)),
            ("sub", json!(["tenant-7"])),
        ] {
            assert!(matches!(judged(&with(name, value.clone())), Err(Refusal::Because(_))), "{name} {value}");
        }
    }

    #[test]
    fn a_claim_may_make_a_provider() {
        for scope in [json!("read hooks:admin"), json!(["hooks:admin"]), json!("hooks:admin")] {
            let good = judged(&with("scope", scope)).unwrap().admission;
            assert_eq!((good.whose, good.actor.as_str()), (Caller::Provider, "jwt:tenant-7"));
        }
        for scope in
            [json!("hooks:admin,x"), json!("xhooks:admin"), json!({"hooks:admin": true}), json!(true)]
        {
            assert_eq!(
                judged(&with("scope", scope)).unwrap().admission.whose,
                judged(&claims()).unwrap().admission.whose
            );
        }
        assert!(says(&json!(true), "admin", "true") && !says(&json!("a b"), "roles", "a"));
    }
}
