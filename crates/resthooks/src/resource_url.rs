//! Templates of resources' URLs, such as `https://api.example.com/contacts/{id}`, filled from an event's data.
//!
//! Checked when an event type is written, rendered when a skinny body is built. Only paths and queries are
//! templates: data never decides the host that a receiver is sent to, nor escapes the segment it is put in.

use std::collections::HashMap;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use url::Url;

use crate::limits::{MAX_KEY_BYTES, MAX_RESOURCE_URL_BYTES};
use crate::model::Invalid;

/// All but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResourceUrl {
    /// Literal text, each followed by the field whose value comes after it.
    parts: Vec<(String, String)>,
    /// What comes after the last field.
    tail: String,
}

impl ResourceUrl {
    /// Parses a template.
    ///
    /// # Errors
    /// When it is too long, its braces don't pair, a field has no name, or what it renders is no absolute http(s)
    /// URL whose host is fixed.
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > MAX_RESOURCE_URL_BYTES {
            return Err(Invalid(format!("must be at most {MAX_RESOURCE_URL_BYTES} bytes")));
        }
        if text.bytes().any(|b| b.is_ascii_control() || b == b' ') {
            return Err(Invalid::new("must not contain spaces or control characters"));
        }
        let template = Self::split(text)?;
        let example = template.fill(|_| Some("0".to_owned())).unwrap_or_default();
        let url = Url::parse(&example).map_err(|e| Invalid(format!("must be an absolute URL: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(Invalid::new("must be an absolute http or https URL"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Invalid::new("must not contain user info"));
        }
        if !template.host_is_fixed() {
            return Err(Invalid::new("must have its fields in the path or the query, not before"));
        }
        Ok(template)
    }

    fn split(text: &str) -> Result<Self, Invalid> {
        let unpaired = || Invalid::new("must have braces in pairs, each around one field's name");
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            let (field, after) = after.split_once('}').ok_or_else(unpaired)?;
            if literal.contains('}') || field.contains('{') {
                return Err(unpaired());
            }
            let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$' | b'@');
            if field.is_empty() || field.len() > MAX_KEY_BYTES || !field.bytes().all(named) {
                return Err(Invalid::new("must name top-level fields, with 1 to 256 of A-Z a-z 0-9 _ - $ @"));
            }
            parts.push((literal.to_owned(), field.to_owned()));
            rest = after;
        }
        if rest.contains('}') {
            return Err(unpaired());
        }
        Ok(Self { parts, tail: rest.to_owned() })
    }

    /// Whether the first field comes after the authority's end.
    fn host_is_fixed(&self) -> bool {
        let Some((first, _)) = self.parts.first() else { return true };
        first.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?', '#']))
    }

    fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        let mut url = String::new();
        for (literal, field) in &self.parts {
            url.push_str(literal);
            url.push_str(&value(field)?);
            if url.len() > MAX_RESOURCE_URL_BYTES {
                return None;
            }
        }
        url.push_str(&self.tail);
        (url.len() <= MAX_RESOURCE_URL_BYTES).then_some(url)
    }

    /// The URL for this data; `None` when the data is no object, a field is absent or no usable scalar, or the
    /// URL would be longer than a resource URL may be.
    pub(crate) fn render(&self, data: &[u8]) -> Option<String> {
        if self.parts.is_empty() {
            return Some(self.tail.clone());
        }
        let mut found = HashMap::with_capacity(self.parts.len());
        let mut reader = serde_json::Deserializer::from_slice(data);
        reader.deserialize_map(Fields { template: self, found: &mut found }).ok()?;
        self.fill(|field| segment(found.get(field)?))
    }
}

/// A scalar as one URL segment. Empty ones and dot segments would name another resource.
fn segment(value: &RawValue) -> Option<String> {
    let raw = value.get();
    let text = match raw.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(raw).ok()?,
        b'n' | b'{' | b'[' => return None,
        _ => raw.to_owned(),
    };
    if matches!(text.as_str(), "" | "." | "..") {
        return None;
    }
    Some(utf8_percent_encode(&text, ENCODED).to_string())
}

/// Picks a template's fields out of an object; the last of repeated ones counts, as for most parsers.
struct Fields<'t, 'f, 'de> {
    template: &'t ResourceUrl,
    found: &'f mut HashMap<&'t str, &'de RawValue>,
}

impl<'de> Visitor<'de> for Fields<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            match self.template.parts.iter().find(|(_, field)| *field == *name) {
                Some((_, field)) => {
                    self.found.insert(field, map.next_value()?);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A key, borrowed unless it holds escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, data: &str) -> Option<String> {
        ResourceUrl::parse(template).unwrap().render(data.as_bytes())
    }

    #[test]
    fn fills_fields_in() {
        let template = "https://api.example.com/contacts/{id}";
        for (data, url) in [
            (r#"{"id": 7, "name": "x"}"#, Some("7")),
            (r#"{"name": {"id": 1}, "id": "a b/../c?d#é"}"#, Some("a%20b%2F..%2Fc%3Fd%23%C3%A9")),
            (r#"{"id": 123456789012345678901234567890.50}"#, Some("123456789012345678901234567890.50")),
            (r#"{"\u0069d": true}"#, Some("true")),
            (r#"{"id": 1, "id": 2}"#, Some("2")),
            (r#"{"id": null}"#, None),
            (r#"{"id": ""}"#, None),
            (r#"{"id": ".."}"#, None),
            (r#"{"id": [1]}"#, None),
            (r#"{"nested": {"id": 1}}"#, None),
            ("[1]", None),
            ("null", None),
            ("", None),
        ] {
            let expected = url.map(|rest| format!("https://api.example.com/contacts/{rest}"));
            assert_eq!(render(template, data), expected, "{data}");
        }
    }

    #[test]
    fn fills_several_fields_and_none() {
        let template = "http://x.example:8080/{account_id}/deals/{id}?as={account_id}";
        let url = render(template, r#"{"id": "d-1", "account_id": 9}"#).unwrap();
        assert_eq!(url, "http://x.example:8080/9/deals/d-1?as=9");
        assert_eq!(render("https://x.example/all", "not json").unwrap(), "https://x.example/all");
    }

    #[test]
    fn never_renders_more_than_a_resource_url_may_be() {
        let template = "https://x.example/{id}";
        let fits = MAX_RESOURCE_URL_BYTES - "https://x.example/".len();
        assert!(render(template, &format!(r#"{{"id": "{}"}}"#, "x".repeat(fits))).is_some());
        assert!(render(template, &format!(r#"{{"id": "{}"}}"#, "x".repeat(fits + 1))).is_none());
    }

    #[test]
    fn refuses_what_is_no_template() {
        let long = format!("https://x.example/{}", "a".repeat(MAX_RESOURCE_URL_BYTES));
        for bad in [
            "",
            "/contacts/{id}",
            "{url}",
            "ftp://x.example/{id}",
            "https://{host}/x",
            "https://{tenant}.example.com/x",
            "https://x.example:{port}/",
            "https://x.example{path}",
            "https://u:p@x.example/{id}",
            "https://x.example/{id",
            "https://x.example/id}",
            "https://x.example/{{id}}",
            "https://x.example/{}",
            "https://x.example/{a b}",
            "https://x.example/{a/b}",
            "https://x.example/{contact.id}",
            "https://x.example/ {id}",
            "{scheme}://x.example/",
            &long,
        ] {
            assert!(ResourceUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
