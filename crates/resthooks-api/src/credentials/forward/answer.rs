//! What an answer means. Pure. Only a plain yes that names an account, or the provider, admits; only a plain no refuses.

use http::HeaderName;
use resthooks::deliver::http::Answer;
use resthooks::model::{AccountId, Actor};
use serde_json::{Map, Value};

use crate::body::Object;
use crate::caller::Admission;
use crate::credentials::field::{FieldPath, identifier};

/// Where an answer says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// In a header.
    Header(HeaderName),
    /// In a field of the JSON object that it is.
    Field(FieldPath),
}

/// How an answer is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Where it names the account.
    pub account: Named,
    /// Where it says, with this value, that the caller is the provider.
    pub provider: Option<(Named, String)>,
}

/// What an answer came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Yes.
    Admitted(Admission),
    /// No.
    Refused,
    /// Neither, and why.
    Failed(&'static str),
}

impl Reading {
    /// Judges an answer.
    pub(super) fn judge(&self, answer: &Answer) -> Outcome {
        match answer.status {
            200..=299 => self.admission(answer).map_or_else(Outcome::Failed, Outcome::Admitted),
            401 | 403 => Outcome::Refused,
            300..=399 => Outcome::Failed("it redirects, which is not followed"),
            _ => Outcome::Failed("its status is neither 2xx nor 401 nor 403"),
        }
    }

    fn admission(&self, answer: &Answer) -> Result<Admission, &'static str> {
        if let Some((place, value)) = &self.provider
            && said(place, answer)?.is_some_and(|said| said == *value)
        {
            return Ok(Admission::of_provider(Actor::new("forward", &"provider")));
        }
        let account = said(&self.account, answer)?.ok_or("it names no account")?;
        let account: AccountId = account.parse().map_err(|_| "what it names is no account")?;
        let actor = Actor::new("forward", &account);
        Ok(Admission::of_account(account, actor))
    }
}

/// What stands in a place, if anything does.
fn said(place: &Named, answer: &Answer) -> Result<Option<String>, &'static str> {
    match place {
        Named::Header(name) => {
            let mut values = answer.head.get_all(name).iter();
            let Some(value) = values.next() else { return Ok(None) };
            if values.next().is_some() {
                return Err("it has a header twice that counts once");
            }
            value.to_str().map(|text| Some(text.to_owned())).map_err(|_| "it has a header that is no text")
        }
        Named::Field(path) => match path.find(&object(answer)?) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(said)) => Ok(Some(said.to_string())),
            Some(value) => identifier(value).map(Some).ok_or("it has a field that is no text"),
        },
    }
}

fn object(answer: &Answer) -> Result<Map<String, Value>, &'static str> {
    if answer.truncated {
        return Err("its body is too long, or broke off");
    }
    let Object(members) = serde_json::from_str(&answer.body).map_err(|_| "its body is no JSON object")?;
    Ok(members)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::caller::Caller;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let mut head = HeaderMap::new();
        for (name, value) in headers {
            head.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let body = body.to_owned();
        Answer { status, head, headers: Vec::new(), body, truncated: false, retry_after: None }
    }

    fn by_header() -> Reading {
        let named = |name: &'static str| Named::Header(HeaderName::from_static(name));
        Reading { account: named("x-account"), provider: Some((named("x-role"), "admin".to_owned())) }
    }

    fn by_field() -> Reading {
        let named = |path: &str| Named::Field(path.parse().unwrap());
        Reading { account: named("user.tenant"), provider: Some((named("user.admin"), "true".to_owned())) }
    }

    fn told(outcome: Outcome) -> String {
        match outcome {
            Outcome::Admitted(admission) => match admission.whose {
                Caller::Provider => "the provider".to_owned(),
                Caller::Consumer(account) => account.to_string(),
            },
            Outcome::Refused => "no".to_owned(),
            Outcome::Failed(_) => "?".to_owned(),
        }
    }

    #[test]
    fn headers_name_who_it_is() {
        for (status, headers, expected) in [
            (200, &[("x-account", "acme")][..], "acme"),
            (204, &[("x-account", "acme"), ("x-role", "user")], "acme"),
            (200, &[("x-role", "admin")], "the provider"),
            (200, &[("x-account", "acme"), ("x-role", "admin")], "the provider"),
            (200, &[("x-account", "acme"), ("x-role", "admin"), ("x-role", "user")], "?"),
            (200, &[("x-account", "acme"), ("x-account", "acme")], "?"),
            (200, &[("x-account", "")], "?"),
            (200, &[("x-account", "a b")], "?"),
            (200, &[("x-account", "é")], "?"),
            (200, &[], "?"),
            (401, &[("x-account", "acme")], "no"),
            (403, &[("x-role", "admin")], "no"),
            (302, &[("x-account", "acme"), ("location", "/login")], "?"),
            (304, &[("x-account", "acme")], "?"),
            (404, &[("x-account", "acme")], "?"),
            (429, &[("x-account", "acme")], "?"),
            (500, &[("x-account", "acme")], "?"),
            (503, &[("x-account", "acme")], "?"),
        ] {
            assert_eq!(
                told(by_header().judge(&answer(status, headers, ""))),
                expected,
                "{status} {headers:?}"
            );
        }
    }

    #[test]
    fn fields_name_who_it_is() {
        for (body, expected) in [
            (r#"{"user":{"tenant":"acme"}}"#, "acme"),
            (r#"{"user":{"tenant":42,"admin":false}}"#, "42"),
            (r#"{"user":{"tenant":"acme","admin":true}}"#, "the provider"),
            (r#"{"user":{"tenant":"acme","admin":"yes"}}"#, "acme"),
            (r#"{"user":{"tenant":"acme","admin":{}}}"#, "?"),
            (r#"{"user":{"tenant":null}}"#, "?"),
            (r#"{"user":{"tenant":["acme"]}}"#, "?"),
            (r#"{"user":{"tenant":"a","tenant":"b"}}"#, "?"),
            (r#"{"user":"acme"}"#, "?"),
            (r#"[{"user":{"tenant":"acme"}}]"#, "?"),
            (r#"{"user":{"tenant":"acme"}"#, "?"),
            ("<html>", "?"),
            ("", "?"),
        ] {
            assert_eq!(told(by_field().judge(&answer(200, &[], body))), expected, "{body}");
        }
        let cut = Answer { truncated: true, ..answer(200, &[], r#"{"user":{"tenant":"acme"}}"#) };
        assert_eq!(told(by_field().judge(&cut)), "?");
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

        /// Whatever is answered, only a 2xx admits, and to nothing but what it says.
        #[test]
        fn any_answer_is_judged(
            status in 100_u16..600,
            names in proptest::collection::vec("[ -~é]{0,12}", 0..3),
            roles in proptest::collection::vec("admin|user|", 0..3),
            body in "[\\[{]?(\"(account|user|x)\"[:,]?(\"[a-z ]{0,4}\"|[0-9.]{1,4}|null|true|\\{|\\}|,)?){0,5}[\\]}]?",
        ) {
            let roles = roles.iter().map(|role| ("x-role", role.as_str()));
            let headers: Vec<_> = names.iter().map(|name| ("x-account", name.as_str())).chain(roles).collect();
            let answer = answer(status, &headers, &body);
            for reading in [by_header(), by_field()] {
                let outcome = reading.judge(&answer);
                let is_yes = matches!(outcome, Outcome::Admitted(_));
                proptest::prop_assert!(!is_yes || (200..300).contains(&status));
                proptest::prop_assert_eq!(matches!(outcome, Outcome::Refused), matches!(status, 401 | 403));
            }
            let by_header = told(by_header().judge(&answer));
            let is_said = names.contains(&by_header);
            proptest::prop_assert!(matches!(by_header.as_str(), "?" | "no" | "the provider") || is_said);
        }
    }
}
