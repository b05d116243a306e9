//! A token's three parts, off the wire: pure, and before any cryptography.
//!
//! Nothing here decides with which key or algorithm a token is verified: the header's word is only compared, later, with
//! what the key that fits is for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use crate::body::Object;

/// The longest name of a key.
const MAX_KEY_ID_BYTES: usize = 256;

/// A token as it came: nothing of it is to be believed yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'a> {
    /// What it says it is signed by.
    pub algorithm: Algorithm,
    /// The name of the key that it says it is signed with.
    pub key_id: Option<String>,
    /// What is signed.
    pub signed: &'a [u8],
    /// By which.
    pub signature: Vec<u8>,
    claims: &'a str,
}

impl<'a> Token<'a> {
    /// The longest one: more is refused before anything is read or hashed.
    pub(super) const MAX_BYTES: usize = 8 * 1024;

    /// Whether this looks like a token at all.
    pub(super) fn looks_like(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Reads a token (RFC 7515, section 7.1). Base64 has one spelling here: no padding, no other alphabet, no loose bits.
    /// Extensions that have to be understood (`crit`) are refused, and so are tokens that say they are for something else;
    /// keys that a token brings along, or says where to fetch, are not looked at.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        if text.len() > Self::MAX_BYTES {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        let header = object(header)?;
        if header.contains_key("crit") || !is_for_access(header.get("typ")) {
            return None;
        }
        let algorithm = header.get("alg")?.as_str()?.parse().ok()?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) if id.len() <= MAX_KEY_ID_BYTES => Some(id.clone()),
            Some(_) => return None,
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Self { algorithm, key_id, signed: signed.as_bytes(), signature, claims })
    }

    /// What it claims. To be asked for once its signature was verified.
    pub(super) fn claims(&self) -> Option<Map<String, Value>> {
        object(self.claims)
    }
}

/// An object in which no name occurs twice: which of several counts is a matter on which readers differ.
fn object(part: &str) -> Option<Map<String, Value>> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice::<Object>(&json).ok().map(|Object(members)| members)
}

/// Whether `typ` says nothing, or that it is a token to be shown to an API (RFC 8725, section 3.11).
fn is_for_access(kind: Option<&Value>) -> bool {
    let Some(kind) = kind else { return true };
    let Some(kind) = kind.as_str() else { return false };
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"), "c2ln")
    }

    #[test]
    fn reads_what_is_a_token() {
        for header in [
            r#"{"alg":"RS256"}"#,
            r#"{"typ":"JWT","alg":"RS256"}"#,
            r#"{"typ":"at+jwt","alg":"RS256","x5t":"ignored","jku":"https://evil.example/"}"#,
            r#"{"typ":"application/at+JWT","alg":"RS256","jwk":{"kty":"RSA"}}"#,
        ] {
            let text = token(header);
            let read = Token::read(&text).unwrap_or_else(|| panic!("{header}"));
            assert_eq!((read.algorithm, read.key_id.as_deref()), (Algorithm::Rs256, None));
            assert_eq!((read.signature.as_slice(), read.claims()), (&b"sig"[..], Some(Map::new())));
            assert_eq!(read.signed, text.rsplit_once('.').unwrap().0.as_bytes());
        }
        let named = token(r#"{"alg":"ES256","kid":"k.1"}"#);
        assert_eq!(Token::read(&named).unwrap().key_id.as_deref(), Some("k.1"));
    }

    #[test]
    fn refuses_what_is_none() {
        for header in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"alg":"none"}"#,
            r#"{"alg":"None"}"#,
            r#"{"alg":"rs256"}"#,
            r#"{"alg":null}"#,
            r#"{"alg":["RS256"]}"#,
            r#"{"alg":"RS256","alg":"HS256"}"#,
            r#"{"alg":"RS256","\u0061lg":"HS256"}"#,
            r#"{"alg":"RS256","kid":"a","kid":"b"}"#,
            r#"{"alg":"RS256","kid":7}"#,
            r#"{"alg":"RS256","kid":null}"#,
            r#"{"alg":"RS256","crit":["b64"],"b64":false}"#,
            r#"{"alg":"RS256","crit":[]}"#,
            r#"{"alg":"RS256","typ":"logout+jwt"}"#,
            r#"{"alg":"RS256","typ":"dpop+jwt"}"#,
            r#"{"alg":"RS256","typ":1}"#,
            r#"{"alg":"RS256"} "x""#,
            r#"{"alg":"RS256""#,
        ] {
            assert_eq!(Token::read(&token(header)), None, "{header}");
        }
        let good = token(r#"{"alg":"RS256"}"#);
        let (head, rest) = good.split_once('.').unwrap();
        for bad in [
            String::new(),
            "..".to_owned(),
            "a.b".to_owned(),
            format!("{good}.x"),
            format!("{good}="),
            format!("{good} "),
            format!(" {good}"),
            format!("{good}\n"),
            format!("{head}=.{rest}"),
            format!("{head}A.{rest}"),
            good.replace("c2ln", "c2lo="),
            good.replace("c2ln", "c2+n"),
            good.replace("c2ln", "c2"),
            format!("{head}.{}.c2ln", "e30".repeat(3000)),
        ] {
            assert_eq!(Token::read(&bad), None, "{bad:.80}");
        }
        // Loose bits behind the last byte: another spelling of the same signature.
        assert!(Token::read(&good.replace("c2ln", "c2k")).is_some());
        assert_eq!(Token::read(&good.replace("c2ln", "c2l")), None);
    }

    #[test]
    fn claims_are_an_object_that_says_everything_once() {
        let claims = |json: &str| {
            let text = token(r#"{"alg":"RS256"}"#).replace("e30", &URL_SAFE_NO_PAD.encode(json));
            Token::read(&text).unwrap().claims()
        };
        assert!(claims(r#"{"exp":1,"a":{"b":1}}"#).is_some());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        for bad in [
            "",
            "1",
            "[]",
            "{",
            r#"{"exp":1,"exp":2}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            "{\"a\":1e999}",
            deep.as_str(),
        ] {
            assert_eq!(claims(bad), None, "{bad:.80}");
        }
        assert_eq!(claims("\u{feff}{}"), None);
    }
}
