//! From text to a setting's value. Each says what was expected, in words that fit behind the setting's name.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use resthooks::model::{Invalid, parse_duration};
use resthooks::seal::SecretKey;
use resthooks_api::credentials::{FieldPath, StaticKeys};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The one value of a setting that has one.
pub(super) fn one(values: &[String]) -> Result<&str, String> {
    match values {
        [value] => Ok(value),
        _ => Err("must be one value".to_owned()),
    }
}

/// `true` or `false` in any of their usual spellings.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// A whole number from 1 to a million.
pub(super) fn count(text: &str) -> Result<usize, String> {
    count_from(1, text).map(|count| count as usize)
}

/// A whole number from this one to a million.
pub(super) fn count_from(least: u32, text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|count| (least..=1_000_000).contains(count))
        .ok_or_else(|| format!("must be a whole number from {least} to 1000000"))
}

/// A duration that is not zero.
pub(super) fn duration_above_zero(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).map_err(|e| e.0)?;
    if duration.is_zero() { Err("must be longer than 0s".to_owned()) } else { Ok(duration) }
}

/// Durations separated by commas, each above zero.
pub(super) fn schedule(values: &[String]) -> Result<Vec<Duration>, String> {
    values.iter().map(|value| duration_above_zero(value)).collect()
}

/// A lease: long enough to be lengthened several times over a slow network.
pub(super) fn lease(text: &str) -> Result<Duration, String> {
    let lease = parse_duration(text).map_err(|e| e.0)?;
    let day = Duration::from_secs(24 * 3600);
    let fits = (Duration::from_millis(500)..=day).contains(&lease);
    if fits { Ok(lease) } else { Err("must be from 500ms to 1d".to_owned()) }
}

/// What an operator calls something: at most 255 bytes without control characters.
pub(super) fn name(text: &str) -> Result<String, String> {
    if text.len() > 255 || text.chars().any(char::is_control) {
        return Err("must be at most 255 bytes without control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A size in bytes with a unit, from 1 MiB to 1 TiB: less could not hold one event.
pub(super) fn byte_size(text: &str) -> Result<usize, String> {
    const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    let wrong = || "must be a size with a unit, from 1MiB, such as 64MiB or 1GiB".to_owned();
    let (number, unit) =
        UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit))).ok_or_else(wrong)?;
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*unit))
        .filter(|bytes| (1 << 20..=1 << 40).contains(bytes))
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(wrong)
}

/// A key that can be sent in a header.
pub(super) fn visible_ascii(text: &str) -> Result<String, String> {
    if text == super::MASK {
        return Err("is the mask that `resthooks config` prints, not a key".to_owned());
    }
    if text.is_empty()
        || text.len() > 256
        || !text.bytes().all(|b| b.is_ascii_graphic())
        || text.contains(':')
    {
        return Err("must be 1 to 256 visible ASCII characters without a colon".to_owned());
    }
    Ok(text.to_owned())
}

/// A secret that is shared with somebody else: long enough not to be guessed.
pub(super) fn shared_secret(text: &str) -> Result<String, String> {
    if text == super::MASK {
        return Err("is the mask that `resthooks config` prints, not a secret".to_owned());
    }
    if !(32..=256).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("must be 32 to 256 visible ASCII characters".to_owned());
    }
    Ok(text.to_owned())
}

/// The text of a file with keys, which are read to see that they can be.
pub(super) fn key_text(
    file: &str,
    read: fn(&mut StaticKeys, &str) -> Result<(), Invalid>,
) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{file} can't be read: {e}"))?;
    read(&mut StaticKeys::default(), &text).map_err(|Invalid(wrong)| format!("{file} {wrong}"))?;
    Ok(text)
}

/// The name of a header.
pub(super) fn header(text: &str) -> Result<HeaderName, String> {
    text.parse().map_err(|_| "must be the name of a header".to_owned())
}

/// A place in a JSON object.
pub(super) fn field(text: &str) -> Result<FieldPath, String> {
    text.parse().map_err(|Invalid(wrong)| wrong)
}

/// A name and the value that it is to have.
pub(super) fn named_value<T>(text: &str, name: fn(&str) -> Result<T, String>) -> Result<(T, String), String> {
    let (named, value) = text.rsplit_once('=').ok_or("must be a name, = and a value, such as role=admin")?;
    if value.is_empty() {
        return Err("must have a value behind its =".to_owned());
    }
    Ok((name(named)?, value.to_owned()))
}

/// A network, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let wrong = || "must be an address or a network, such as 10.0.0.0/8".to_owned();
    text.parse::<IpNet>().ok().or_else(single).ok_or_else(wrong)
}

/// A port.
pub(super) fn port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| "must be a port from 1 to 65535".to_owned())
}

/// The keys that secrets are sealed with. What was given is never repeated: it may be nearly a key.
pub(super) fn secret_keys(values: &[String]) -> Result<Vec<SecretKey>, String> {
    let one = |text: &String| match text.as_str() {
        super::MASK => Err("is the mask that `resthooks config` prints, not a key".to_owned()),
        text => text.parse().map_err(|invalid: resthooks::model::Invalid| invalid.0),
    };
    values.iter().map(one).collect()
}

/// An absolute http(s) URL that paths can be put behind.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let wrong = || "must be an http or https URL, such as https://hooks.example.com".to_owned();
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let is_base = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if is_base { Ok(url.as_str().trim_end_matches('/').to_owned()) } else { Err(wrong()) }
}

/// A URL whose query may hold a secret.
pub(super) fn without_query(url: &str) -> String {
    match url.split_once('?') {
        Some((place, _)) => format!("{place}?{}", super::MASK),
        None => url.to_owned(),
    }
}

/// The certificates in these PEM files, DER.
pub(super) fn certificates(files: &[String]) -> Result<Vec<Vec<u8>>, String> {
    let mut all = Vec::new();
    // Only to know that they are what targets can be verified with.
    let mut store = rustls::RootCertStore::empty();
    for file in files {
        let found = CertificateDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| format!("{file} can't be read as PEM: {e}"))?;
        if found.is_empty() {
            return Err(format!("{file} holds no certificate"));
        }
        for certificate in &found {
            let added = store.add(certificate.clone());
            added.map_err(|e| format!("{file} holds a certificate that can't be used: {e}"))?;
        }
        all.extend(found.into_iter().map(|certificate| certificate.to_vec()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(byte_size("64MiB").unwrap(), 64 << 20);
        assert_eq!(byte_size("2048KiB").unwrap(), 2 << 20);
        for bad in ["", "64", "64MB", "MiB", "0MiB", "1KiB", "-1GiB", "99999999999999999999GiB", "2000GiB"] {
            assert!(byte_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn counts_and_switches() {
        assert_eq!(count("1"), Ok(1));
        assert_eq!(count_from(0, "0"), Ok(0));
        for bad in ["", "0", "-1", "1.5", "1000001"] {
            assert!(count(bad).is_err(), "{bad}");
        }
        assert_eq!(switch("Yes"), Ok(true));
        assert_eq!(switch("0"), Ok(false));
        assert!(switch("").is_err());
    }

    #[test]
    fn secret_keys_are_refused_without_being_shown() {
        let key = "ab".repeat(32);
        assert_eq!(secret_keys(&[key.clone(), key.clone()]).unwrap().len(), 2);
        let cut = key.get(1..).unwrap().to_owned();
        for bad in [String::new(), cut.clone(), crate::settings::MASK.to_owned()] {
            assert!(!secret_keys(&[key.clone(), bad]).unwrap_err().contains(&cut));
        }
    }

    #[test]
    fn keys_fit_a_header() {
        assert!(visible_ascii("dev").is_ok());
        for bad in ["", "two words", "schlüssel", "a:b", "x\n", crate::settings::MASK] {
            assert!(visible_ascii(bad).is_err(), "{bad:?}");
        }
    }
}
