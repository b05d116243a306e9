//! A place in a JSON object that somebody else has written: a claim of a token, a field of an answer.

use std::fmt;
use std::str::FromStr;

use resthooks::model::Invalid;
use serde_json::{Map, Value};

/// The longest one, in bytes.
const MAX_BYTES: usize = 256;

/// A member's name, or several with dots between, each within the one before: `sub`, `tenant.id`. A member that is
/// called so as a whole comes first, for names that have dots in them, such as `https://example.com/tenant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath(String);

impl FieldPath {
    /// What stands there.
    pub(super) fn find<'a>(&self, object: &'a Map<String, Value>) -> Option<&'a Value> {
        if let Some(value) = object.get(&self.0) {
            return Some(value);
        }
        let (first, rest) = self.0.split_once('.')?;
        rest.split('.').try_fold(object.get(first)?, |value, name| value.as_object()?.get(name))
    }

    /// The last of its names.
    pub(super) fn last(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or_default()
    }
}

impl FromStr for FieldPath {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || text.len() > MAX_BYTES || text.chars().any(char::is_control) {
            return Err(Invalid::new(
                "must be a member's name, or several with dots between, such as tenant.id",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account as others write it: a text, or a whole number.
pub(super) fn identifier(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(path: &str, object: &Value) -> Option<Value> {
        path.parse::<FieldPath>().unwrap().find(object.as_object().unwrap()).cloned()
    }

    #[test]
    fn names_lead_into_objects() {
        let object = json!({"sub": "a", "t": {"id": 7, "n": {"x": "y"}}, "https://e.x/t": "b", "l": ["z"]});
        assert_eq!(find("sub", &object), Some(json!("a")));
        assert_eq!(find("t.id", &object), Some(json!(7)));
        assert_eq!(find("t.n.x", &object), Some(json!("y")));
        assert_eq!(find("https://e.x/t", &object), Some(json!("b")));
        for absent in ["t.", ".t", "t..id", "l.0", "sub.a", "t.id.x", "x", "."] {
            assert_eq!(find(absent, &object), None, "{absent}");
        }
        for bad in ["", "a\n", &"x".repeat(257)] {
            assert!(bad.parse::<FieldPath>().is_err());
        }
    }

    #[test]
    fn an_account_is_a_text_or_a_whole_number() {
        assert_eq!(identifier(&json!("t-1")).as_deref(), Some("t-1"));
        assert_eq!(identifier(&json!(42)).as_deref(), Some("42"));
        for other in [json!(-1), json!(1.5), json!(true), json!(null), json!(["a"]), json!({"a": 1})] {
            assert_eq!(identifier(&other), None, "{other}");
        }
    }
}
