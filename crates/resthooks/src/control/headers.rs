//! Which extra request headers a subscription may have, and in which form they are kept.

use std::collections::BTreeMap;

use super::validate::Findings;
use crate::limits::{MAX_CUSTOM_HEADER_BYTES, MAX_CUSTOM_HEADERS};

/// The connection's, and those that we set ourselves. What a receiver asks to be sent beside them, such as its own
/// `authorization` or `cookie`, is its own matter.
const RESERVED: [&str; 10] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "http2-settings",
    "user-agent",
];
/// What describes the body, speaks to proxies, or carries our own metadata and signatures.
const RESERVED_PREFIXES: [&str; 4] = ["content-", "proxy-", "webhook-", "x-hook-"];
/// The longest part of a name that a message repeats, in bytes.
const SHOWN_NAME: usize = 64;

/// Checks headers and answers them with their names in lower case.
pub(super) fn check(findings: &mut Findings, given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    if given.len() > MAX_CUSTOM_HEADERS {
        findings.add("headers", format!("must be at most {MAX_CUSTOM_HEADERS}"));
        return BTreeMap::new();
    }
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > MAX_CUSTOM_HEADER_BYTES {
        findings.add(
            "headers",
            format!("must be at most {MAX_CUSTOM_HEADER_BYTES} bytes, names and values together"),
        );
        return BTreeMap::new();
    }
    let mut kept = BTreeMap::new();
    for (name, value) in given {
        let lower = name.to_ascii_lowercase();
        let wrong = name_error(&lower).or_else(|| value_error(value));
        if let Some(message) = wrong {
            findings.add(field(name), message);
        } else if kept.insert(lower, value.clone()).is_some() {
            findings.add(field(name), "must be given once, in any case");
        }
    }
    kept
}

fn field(name: &str) -> String {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(SHOWN_NAME).collect();
    format!("headers.{shown}")
}

fn name_error(name: &str) -> Option<&'static str> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Some("must be a header name: letters, digits and !#$%&'*+-.^_`|~");
    }
    is_reserved(name).then_some("must not be set: it is reserved")
}

/// Gateways hand headers to programs as variables (RFC 3875 §4.1.18), in which `webhook_id` and `webhook.id` are as good
/// as `webhook-id`: what would be taken for a reserved one is one.
fn is_reserved(name: &str) -> bool {
    let dashed: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    RESERVED.contains(&&*dashed) || RESERVED_PREFIXES.iter().any(|prefix| dashed.starts_with(prefix))
}

fn value_error(value: &str) -> Option<&'static str> {
    if !value.bytes().all(|b| (b' '..=b'~').contains(&b) || b == b'\t') {
        return Some("must be visible ASCII, spaces and tabs");
    }
    (value.trim_ascii() != value).then_some("must not begin or end with a space")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Error;

    fn judge(headers: &[(&str, &str)]) -> Result<BTreeMap<String, String>, Vec<String>> {
        let given = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut findings = Findings::default();
        let kept = check(&mut findings, &given);
        match findings.into_result() {
            Err(Error::Invalid(wrong)) => Err(wrong.into_iter().map(|e| e.field).collect()),
            _ => Ok(kept),
        }
    }

    #[test]
    fn names_are_kept_in_lower_case() {
        let kept = judge(&[("Authorization", "Bearer a\tb"), ("x-empty", ""), ("COOKIE", "a=1")]).unwrap();
        let names: Vec<&str> = kept.keys().map(String::as_str).collect();
        assert_eq!(names, ["authorization", "cookie", "x-empty"]);
        assert_eq!(judge(&[("X-A", "1"), ("x-a", "2")]).unwrap_err(), ["headers.x-a"]);
    }

    #[test]
    fn refuses_reserved_names() {
        let prefixed = [
            "Content-Type",
            "content-length",
            "Content-Encoding",
            "Proxy-Authorization",
            "proxy-connection",
            "webhook-id",
            "WebHook-Request-Origin",
            "X-Hook-Signature",
            "x-hook-secret",
            "webhook_signature",
            "Webhook.Id",
            "X_Hook_Signature",
            "x!hook~event",
            "content_length",
            "Transfer_Encoding",
            "transfer.encoding",
            "USER_AGENT",
        ];
        for name in RESERVED.into_iter().chain(prefixed) {
            assert_eq!(judge(&[(name, "x")]).unwrap_err(), [format!("headers.{name}")]);
        }
    }

    #[test]
    fn refuses_what_would_break_the_request() {
        for name in ["", " x", "x:", "x\r\ny", "é", ":path", "x y"] {
            assert_eq!(judge(&[(name, "x")]).unwrap_err().len(), 1, "{name}");
        }
        for value in ["a\r\nb: c", "a\nb", "a\0", "\u{7f}", "é", " a", "a "] {
            assert_eq!(judge(&[("x-a", value), ("x-b", "fine")]).unwrap_err(), ["headers.x-a"], "{value}");
        }
        let long = "x".repeat(5000);
        assert!(judge(&[(&format!("{long}é"), "x")]).unwrap_err().iter().all(|field| field.len() < 100));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_kept_can_be_sent_and_stands_in_the_way_of_nothing(
            name in "(?i)(content|webhook|x-hook|host|te|x|proxy|connection)?[-_.]?[ -~]{0,12}|\\PC{0,6}",
            value in "[ -~\t]{0,20}|\\PC{0,10}|[\r\n\0a: ]{0,10}",
        ) {
            let Ok(kept) = judge(&[(&name, &value)]) else { return Ok(()) };
            let (kept, sent) = kept.first_key_value().unwrap();
            prop_assert_eq!(kept, &name.to_ascii_lowercase());
            prop_assert_eq!(sent, &value);
            let header = http::HeaderName::from_bytes(kept.as_bytes()).unwrap();
            prop_assert!(http::HeaderValue::from_str(sent).is_ok_and(|sent| sent == value));
            prop_assert!(!sent.bytes().any(|b| b.is_ascii_control() && b != b'\t'));
            let as_variable = header.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            for ours in ["content_", "webhook_", "x_hook_", "proxy_"] {
                prop_assert!(!as_variable.starts_with(ours));
            }
            for ours in ["host", "connection", "te", "transfer_encoding", "user_agent", "keep_alive"] {
                prop_assert_ne!(&as_variable, ours);
            }
        }
    }

    #[test]
    fn is_bounded_in_number_and_size() {
        let names: Vec<String> = (0..=MAX_CUSTOM_HEADERS).map(|n| format!("x-{n}")).collect();
        let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        assert!(judge(&headers[..MAX_CUSTOM_HEADERS]).is_ok());
        assert_eq!(judge(&headers).unwrap_err(), ["headers"]);
        let fits = "v".repeat(MAX_CUSTOM_HEADER_BYTES - 3);
        assert!(judge(&[("x-a", &fits)]).is_ok());
        assert_eq!(judge(&[("x-a", &format!("{fits}v"))]).unwrap_err(), ["headers"]);
    }
}
