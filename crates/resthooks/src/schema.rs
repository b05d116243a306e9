//! JSON Schemas of event types: compiled once, then judging every event's data.
//!
//! Never fetches anything, and never shows a payload's values: what it says about data names the place and what
//! the schema expected there, at a bounded length.

use std::fmt::{self, Write};

use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

use crate::model::Invalid;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// The longest place and the longest expectation that a message holds, in bytes.
const MAX_WORDS: usize = 256;

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Schema(Validator);

impl Schema {
    /// Compiles a schema of draft 2020-12.
    ///
    /// # Errors
    /// When it is no such schema, names another dialect, or refers to anything outside itself.
    pub(crate) fn compile(schema: &Value) -> Result<Self, Invalid> {
        if let Some(dialect) = schema.get("$schema") {
            let known = dialect.as_str().is_some_and(|uri| uri.trim_end_matches('#') == DIALECT);
            if !known {
                return Err(Invalid(format!("must be JSON Schema 2020-12: $schema, if given, is {DIALECT}")));
            }
        }
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .build(schema)
            .map(Self)
            .map_err(|error| Invalid(format!("must be JSON Schema 2020-12: {}", describe(&error))))
    }

    /// Judges a value.
    ///
    /// # Errors
    /// The first place where it does not fit, and what was expected there.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        self.0.validate(value).map_err(|error| describe(&error))
    }

    /// Judges a JSON text.
    ///
    /// # Errors
    /// As [`Schema::check`]; and for a text that can't be read as a value, such as a number beyond 64-bit floats.
    pub(crate) fn check_text(&self, text: &[u8]) -> Result<(), String> {
        let value = serde_json::from_slice(text).map_err(|error| {
            let mut words = Words::default();
            let _ = write!(words, "can't be validated: {error}");
            words.0
        })?;
        self.check(&value)
    }
}

fn describe(error: &ValidationError<'_>) -> String {
    let mut place = Words::default();
    let _ = write!(place, "{}", error.instance_path());
    let mut expected = Words::default();
    let _ = write!(expected, "{}", error.masked());
    if place.0.is_empty() { expected.0 } else { format!("at {}: {}", place.0, expected.0) }
}

/// Text that stops growing at its limit, however much is written: a message can hold every key of a payload.
#[derive(Default)]
struct Words(String);

impl Write for Words {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_WORDS.saturating_sub(self.0.len());
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        self.0.push_str(text.get(..end).unwrap_or_default());
        self.0.push('…');
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contact() -> Schema {
        let schema = json!({
            "$schema": DIALECT,
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "integer"}, "email": {"$ref": "#/$defs/email"}},
            "additionalProperties": false,
            "$defs": {"email": {"type": "string", "maxLength": 5}}
        });
        Schema::compile(&schema).unwrap()
    }

    #[test]
    fn says_where_and_what_was_expected_without_the_value() {
        let schema = contact();
        assert_eq!(schema.check_text(br#"{"id": 1, "email": "a@b"}"#), Ok(()));
        for (data, said) in [
            (r#"{"id": "topsecret"}"#, r#"at /id: value is not of type "integer""#),
            (r#"{"id": 1, "email": "topsecret"}"#, "at /email: value is longer than 5 characters"),
            (r#"{}"#, r#""id" is a required property"#),
            (r#"["topsecret"]"#, r#"value is not of type "object""#),
        ] {
            assert_eq!(schema.check_text(data.as_bytes()).unwrap_err(), said);
        }
        assert!(schema.check_text(b"{\"id\": 1e999}").unwrap_err().contains("number out of range"));
    }

    #[test]
    fn messages_are_bounded() {
        let keys: String = (0..50_000).map(|n| format!(r#""é{n}": 1,"#)).collect();
        let message = contact().check_text(format!("{{{keys}\"id\": 1}}").as_bytes()).unwrap_err();
        assert!(message.len() <= 2 * MAX_WORDS + 16, "{}", message.len());
        let schema = Schema::compile(&json!({"additionalProperties": {"type": "string"}})).unwrap();
        let message = schema.check(&json!({"é".repeat(10_000): 1})).unwrap_err();
        assert!(message.len() <= 2 * MAX_WORDS + 16 && message.contains("is not of type"), "{message}");
    }

    #[test]
    fn refuses_what_is_no_schema_of_its_own() {
        for bad in [
            json!(1),
            json!("x"),
            json!({"type": "strange"}),
            json!({"type": 7}),
            json!({"pattern": "("}),
            json!({"minLength": -1}),
            json!({"$ref": "#/missing"}),
            json!({"$ref": "https://example.com/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"properties": {"a": {"$ref": "other.json"}}}),
            json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
            json!({"$schema": 7}),
        ] {
            let message = Schema::compile(&bad).unwrap_err().0;
            assert!(message.starts_with("must be JSON Schema 2020-12: ") && message.len() < 600, "{message}");
        }
    }

    #[test]
    fn accepts_booleans_and_references_within() {
        for good in [
            json!(true),
            json!({}),
            json!({"$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}),
            json!({"$ref": DIALECT}),
            json!({"unknown-keyword": 1, "format": "email"}),
        ] {
            assert!(Schema::compile(&good).is_ok(), "{good}");
        }
        assert!(Schema::compile(&json!(false)).unwrap().check(&json!(1)).is_err());
    }

    #[test]
    fn schemas_that_refer_to_nothing_but_themselves_end() {
        for endless in
            [json!({"$ref": "#"}), json!({"allOf": [{"$ref": "#"}]}), json!({"not": {"$ref": "#"}})]
        {
            if let Ok(schema) = Schema::compile(&endless) {
                let _ = schema.check(&json!({"a": 1}));
            }
        }
    }
}
