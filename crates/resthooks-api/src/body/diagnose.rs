//! What exactly is wrong with a body that could not be read: found out member by member, after the fact, so that
//! what is right is parsed once and quickly.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use http::StatusCode;
use resthooks::FieldError;
use serde::de::value::MapDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_path_to_error::Segment;

use crate::problem::Problem;

/// The most errors that one answer names.
const MAX_ERRORS: usize = 50;
/// How much of a caller's own text an answer repeats, in bytes.
const MAX_ECHO_BYTES: usize = 200;

/// The refusal of a body that can't be read as a `T`, every field of which is optional: what is missing is for the
/// caller to say.
pub(crate) fn refuse<'de, T: Deserialize<'de>>(body: &'de [u8], error: &serde_json::Error) -> Problem {
    if error.classify() != Category::Data {
        return malformed(error);
    }
    match members::<T>(body) {
        // An error of syntax that lies behind the error of data which came first.
        Err(error) if error.classify() != Category::Data => malformed(&error),
        Err(_) => Problem::field("body", "must be a JSON object"),
        Ok(errors) if errors.is_empty() => Problem::field("body", without_place(error)),
        Ok(errors) => Problem::invalid(errors),
    }
}

pub(crate) fn malformed(error: &serde_json::Error) -> Problem {
    let detail = format!("the body is not valid JSON: {error}");
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
}

/// Each member of an object that can't be read as a member of a `T`, and each that occurs twice.
fn members<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<Vec<FieldError>, serde_json::Error> {
    let Members(members) = serde_json::from_slice(body)?;
    let mut seen = HashSet::new();
    let mut errors = Vec::new();
    for (Name(name), value) in &members {
        if errors.len() == MAX_ERRORS {
            break;
        }
        if !seen.insert(name.as_ref()) {
            errors.push(FieldError::new(shorten(name.clone().into_owned()), "occurs twice"));
            continue;
        }
        let alone = MapDeserializer::new(std::iter::once((name.as_ref(), *value)));
        if let Err(error) = serde_path_to_error::deserialize::<_, T>(alone) {
            errors.push(FieldError::new(shorten(place(name, error.path())), message(error.inner())));
        }
    }
    Ok(errors)
}

/// The place of an error within a member: `events[2]`, `headers.host`.
fn place(name: &str, path: &serde_path_to_error::Path) -> String {
    let mut place = name.to_owned();
    for segment in path.iter().skip(1) {
        match segment {
            Segment::Seq { index } => place.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                place.push('.');
                place.push_str(key);
            }
            Segment::Unknown => {}
        }
    }
    place
}

fn message(error: &serde_json::Error) -> String {
    let text = without_place(error);
    if text.starts_with("unknown field ") { "is not a known field".to_owned() } else { text }
}

/// Cuts what a caller sent before it is repeated.
pub(crate) fn shorten(mut text: String) -> String {
    if text.len() > MAX_ECHO_BYTES {
        let end = (0..=MAX_ECHO_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The message alone: the line and column within one member would mislead.
fn without_place(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.rfind(" at line ") {
        text.truncate(end);
    }
    shorten(without_value(text))
}

/// Without the value that was sent: a header's or a secret's is not repeated, whatever it was taken for.
fn without_value(text: String) -> String {
    let is_about_one = text.starts_with("invalid type: ") || text.starts_with("invalid value: ");
    let parts = text.split_once(['"', '`']).zip(text.rsplit_once(", expected "));
    match parts.filter(|_| is_about_one) {
        Some(((found, rest), (_, expected))) if rest.contains(", expected ") => {
            format!("{}, expected {expected}", found.trim_end())
        }
        _ => text,
    }
}

/// An object's members in their order, values unread.
struct Members<'a>(Vec<(Name<'a>, &'a RawValue)>);

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read for its errors")]
    struct Sample<'a> {
        name: Option<String>,
        list: Option<Vec<u8>>,
        #[serde(borrow)]
        raw: Option<&'a RawValue>,
    }

    fn refused(body: &str) -> Problem {
        let error = serde_json::from_str::<Sample<'_>>(body).unwrap_err();
        refuse::<Sample<'_>>(body.as_bytes(), &error)
    }

    #[test]
    fn every_wrong_member_is_named() {
        let problem = refused(r#"{"name":5,"list":[1,"x"],"raw":{"a":1},"other":1,"name":"twice"}"#);
        let found: Vec<_> = problem.errors().iter().map(|e| (e.field.as_str(), e.message.as_str())).collect();
        assert_eq!(
            found,
            [
                ("name", "invalid type: integer, expected a string"),
                ("list[1]", "invalid type: string, expected u8"),
                ("other", "is not a known field"),
                ("name", "occurs twice"),
            ]
        );
    }

    #[test]
    fn no_value_is_repeated() {
        for (body, message) in [
            (r#"{"list":"kept secret"}"#, "invalid type: string, expected a sequence"),
            (r#"{"list":"a\", expected `b`"}"#, "invalid type: string, expected a sequence"),
            (r#"{"list":[4711]}"#, "invalid value: integer, expected u8"),
            (r#"{"list":[0.4711]}"#, "invalid type: floating point, expected u8"),
            (r#"{"list":{"4711":1}}"#, "invalid type: map, expected a sequence"),
            (r#"{"name":[4711]}"#, "invalid type: sequence, expected a string"),
        ] {
            assert_eq!(refused(body).errors()[0].message, message, "{body}");
        }
        let whole = refused("\"kept secret\"").to_string();
        assert!(!whole.contains("kept"), "{whole}");
    }

    #[test]
    fn malformed_wins_over_invalid() {
        for body in ["", "{", "{\"name\":5", "{\"name\":5,}", "{\"other\":1}}", "nul", "{\"name\":\"\u{1}\"}"]
        {
            assert_eq!(refused(body).code(), "malformed_json", "{body}");
        }
        assert!(refused("{\n \"name\": }").to_string().contains("line 2 column"));
    }

    #[test]
    fn what_is_no_object_is_invalid() {
        for body in ["[]", "5", "\"x\"", "null"] {
            let problem = refused(body);
            assert_eq!(problem.errors()[0].field, "body", "{body}");
        }
    }
}
