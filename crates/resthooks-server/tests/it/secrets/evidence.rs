//! What was written or answered, and the search for secrets in it: as they are, and in the forms in which bytes are
//! usually shown.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// No form is shorter: what is sought must not be there by chance. A search begins with so many bytes.
const LEAST: usize = 10;

/// Texts and files, each with where it stood.
#[derive(Debug, Default)]
pub(super) struct Evidence(Vec<(String, Vec<u8>)>);

/// What must not be found.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Secret>);

#[derive(Debug)]
struct Secret {
    name: String,
    bytes: Vec<u8>,
    /// Where it belongs.
    at_home: Vec<&'static str>,
}

impl Evidence {
    #[track_caller]
    pub(super) fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        let (place, bytes) = (place.into(), bytes.into());
        assert!(!bytes.is_empty(), "{place} says nothing");
        self.0.push((place, bytes));
    }

    /// How many bytes there are at a place.
    pub(super) fn size_of(&self, place: &str) -> usize {
        self.0.iter().filter(|(at, _)| at == place).map(|(_, bytes)| bytes.len()).sum()
    }
}

impl Secrets {
    pub(super) fn add(&mut self, name: &str, secret: impl AsRef<[u8]>) {
        self.add_but_at(name, secret, &[]);
    }

    /// The same; places that begin with these words may show it.
    pub(super) fn add_but_at(&mut self, name: &str, secret: impl AsRef<[u8]>, at_home: &[&'static str]) {
        let bytes = secret.as_ref().to_vec();
        assert!(bytes.len() >= LEAST, "{name} is too short to be sought");
        self.0.push(Secret { name: name.to_owned(), bytes, at_home: at_home.to_vec() });
    }

    /// What is behind the prefix of a text such as `whsec_…`, and the bytes that it stands for where it is base64.
    pub(super) fn add_key(&mut self, name: &str, text: &str) {
        let (_, encoded) = text.split_once('_').expect("a prefix");
        self.add(name, encoded);
        if let Ok(bytes) = STANDARD_NO_PAD.decode(encoded.trim_end_matches('=')) {
            self.add(&format!("the bytes of {name}"), bytes);
        }
    }

    /// Where which of them are found.
    pub(super) fn found_in(&self, evidence: &Evidence) -> Vec<String> {
        let mut starts: HashMap<[u8; LEAST], Vec<(&Secret, Vec<u8>)>> = HashMap::new();
        for secret in &self.0 {
            for form in forms(&secret.bytes) {
                let start = form.first_chunk().copied().expect("no form is shorter");
                starts.entry(start).or_default().push((secret, form));
            }
        }
        let mut found = BTreeSet::new();
        for (place, bytes) in &evidence.0 {
            for (at, window) in bytes.windows(LEAST).enumerate() {
                let Some(here) = starts.get(window) else { continue };
                for (secret, form) in here {
                    let is_at_home = secret.at_home.iter().any(|home| place.starts_with(home));
                    if !is_at_home && bytes[at..].starts_with(form) {
                        let around = &bytes[at.saturating_sub(80)..(at + form.len() + 20).min(bytes.len())];
                        let around = String::from_utf8_lossy(around).into_owned();
                        found.insert(format!("{} in {place}: …{around}…", secret.name));
                    }
                }
            }
        }
        found.into_iter().collect()
    }
}

/// As it is; escaped as in URLs, JSON and SQL; in hexadecimal; and within base64, whatever stands before it.
fn forms(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([secret.to_vec()]);
    let hex = |digits: fn(u8) -> String| secret.iter().map(|byte| digits(*byte)).collect::<String>();
    forms.insert(hex(|byte| format!("{byte:02x}")).into_bytes());
    forms.insert(hex(|byte| format!("{byte:02X}")).into_bytes());
    forms.insert(hex(|byte| format!("\\x{byte:02x}")).into_bytes());
    // As a list of numbers, which is how Rust shows bytes.
    let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
    forms.insert(numbers.join(", ").into_bytes());
    forms.insert(numbers.join(",").into_bytes());
    if let Ok(text) = std::str::from_utf8(secret) {
        forms.insert(url::form_urlencoded::byte_serialize(secret).collect::<String>().into_bytes());
        let json = serde_json::to_string(text).expect("text is JSON");
        forms.insert(json.trim_matches('"').as_bytes().to_vec());
        forms.insert(text.replace('/', "\\/").into_bytes());
    }
    for before in 0..3 {
        let shifted = [&vec![0; before], secret].concat();
        // What is next to it shares a character with it at either end.
        let first = (before * 8).div_ceil(6);
        let whole = shifted.len() * 8 / 6;
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.insert(encoded.as_bytes()[first..whole].to_vec());
        }
    }
    forms
}

#[test]
fn a_secret_is_found_in_each_form() {
    let secret = "planted/with?some+odd\"ones-0123456789";
    let bytes = secret.as_bytes();
    let mut secrets = Secrets::default();
    secrets.add("it", secret);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let encoded = |before: &str, after: &str| URL_SAFE_NO_PAD.encode(format!("{before}{secret}{after}"));
    for text in [
        format!("before {secret} after"),
        format!("\\x{hex}"),
        format!("{bytes:?}"),
        serde_json::json!({"inside": secret}).to_string(),
        url::form_urlencoded::Serializer::new(String::new()).append_pair("key", secret).finish(),
        encoded("", ""),
        encoded("user:", " and more"),
        encoded("{\"a\":\"", "\"}"),
        encoded("four", "."),
    ] {
        let mut evidence = Evidence::default();
        evidence.add("here", text.clone());
        assert_eq!(secrets.found_in(&evidence).len(), 1, "{text}");
        evidence.0[0].1.truncate(20);
        assert_eq!(secrets.found_in(&evidence), [""; 0], "{text}");
    }
    let mut evidence = Evidence::default();
    evidence.add("at home", secret);
    let mut secrets = Secrets::default();
    secrets.add_but_at("it", secret, &["at h"]);
    assert!(secrets.found_in(&evidence).is_empty());
}
