//! Judging what callers write: every wrong field is found before anything is refused.

use serde_json::Value;

use crate::error::{Error, FieldError};
use crate::limits::MAX_JSON_DEPTH;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<FieldError>);

impl Findings {
    /// Notes one.
    pub(super) fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError::new(field, message));
    }

    /// All of it, and these.
    pub(super) fn with(mut self, more: Vec<FieldError>) -> Error {
        self.0.extend(more);
        Error::Invalid(self.0)
    }

    /// [`Error::Invalid`] when anything is wrong.
    pub(super) fn into_result(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }

    /// Text for humans: bounded, and nothing that a terminal or a store could stumble over.
    pub(super) fn check_text(&mut self, field: &str, text: Option<&str>, max: usize) {
        let Some(text) = text else { return };
        if text.len() > max {
            self.add(field, format!("must be at most {max} bytes"));
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.add(field, "must not contain control characters");
        }
    }

    /// A JSON value: bounded in size and depth. Whether it is.
    pub(super) fn check_json(&mut self, field: &str, value: Option<&Value>, max: usize) -> bool {
        let Some(value) = value else { return true };
        let message = if is_deeper_than(value, MAX_JSON_DEPTH) {
            format!("must not be nested deeper than {MAX_JSON_DEPTH}")
        } else if serde_json::to_vec(value).is_ok_and(|json| json.len() > max) {
            format!("must be at most {max} bytes of JSON")
        } else {
            return true;
        };
        self.add(field, message);
        false
    }
}

/// Whether arrays and objects are nested deeper than this. Not recursive: it is what protects what is.
fn is_deeper_than(value: &Value, limit: usize) -> bool {
    let mut open = vec![(value, 1)];
    while let Some((value, depth)) = open.pop() {
        if !value.is_array() && !value.is_object() {
            continue;
        }
        if depth > limit {
            return true;
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(members) => open.extend(members.values().map(|member| (member, depth + 1))),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!(1), |inner, n| if n % 2 == 0 { json!([inner]) } else { json!({"a": inner}) })
    }

    fn fields(findings: Findings) -> Vec<String> {
        match findings.into_result() {
            Err(Error::Invalid(wrong)) => {
                wrong.into_iter().map(|e| format!("{}: {}", e.field, e.message)).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn json_is_bounded_in_size_and_depth() {
        let at_limits = [nested(MAX_JSON_DEPTH), json!("x".repeat(98)), Value::Null];
        let mut findings = Findings::default();
        findings.check_json("a", None, 100);
        assert!(at_limits.iter().all(|value| findings.check_json("a", Some(value), value.to_string().len())));
        assert_eq!(fields(findings), Vec::<String>::new());

        let mut findings = Findings::default();
        assert!(!findings.check_json("deep", Some(&nested(MAX_JSON_DEPTH + 1)), 10_000));
        assert!(!findings.check_json("big", Some(&json!("x".repeat(99))), 100));
        let said = ["deep: must not be nested deeper than 64", "big: must be at most 100 bytes of JSON"];
        assert_eq!(fields(findings), said);
    }

    #[test]
    fn text_is_bounded_and_clean() {
        let mut findings = Findings::default();
        findings.check_text("ok", Some("two\n\tlines é"), 13);
        findings.check_text("long", Some("éé"), 3);
        findings.check_text("nul", Some("a\0b"), 3);
        findings.check_text("escape", Some("\u{1b}[31m"), 9);
        let said = [
            "long: must be at most 3 bytes",
            "nul: must not contain control characters",
            "escape: must not contain control characters",
        ];
        assert_eq!(fields(findings), said);
    }
}
