//! The signature headers. Pure: any text gives signatures or a reason, in time that grows with its length alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest signature header that is read, in bytes.
pub const MAX_HEADER_BYTES: usize = 4096;
/// The most signatures in one. There are four at most in what is sent: two keys, two schemes.
pub const MAX_SIGNATURES: usize = 8;

/// The signatures of one request that can be checked, by scheme.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signatures {
    /// HMAC-SHA256 over id, timestamp and body.
    pub v1: Vec<[u8; 32]>,
    /// Ed25519 over the same.
    pub v1a: Vec<[u8; 64]>,
}

/// Why a signature header can't be read. The text fits behind the header's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It is longer than [`MAX_HEADER_BYTES`].
    #[error("is longer than {MAX_HEADER_BYTES} bytes")]
    TooLong,
    /// It holds more than [`MAX_SIGNATURES`].
    #[error("holds more than {MAX_SIGNATURES} signatures")]
    TooMany,
    /// All that it holds is of versions that are not known here.
    #[error("holds no signature of a version that is known here (v1, v1a)")]
    UnknownVersions,
    /// The signature at this place, from 1, is not what its version asks for.
    #[error("can't be read: its signature {place} {problem}")]
    Signature {
        /// Which one.
        place: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Reads `webhook-signature`: `version,base64`, several separated by spaces. Those of unknown versions are passed over, and
/// so are broken ones beside one that is whole.
///
/// # Errors
/// When there is none that can be checked.
pub fn signatures(header: &str) -> Result<Signatures, Broken> {
    bounded(header)?;
    let mut found = Signatures::default();
    let mut broken = None;
    for (at, one) in header.split_ascii_whitespace().enumerate() {
        if at == MAX_SIGNATURES {
            return Err(Broken::TooMany);
        }
        if let Err(problem) = read_one(one, &mut found) {
            broken.get_or_insert(Broken::Signature { place: at + 1, problem });
        }
    }
    if found != Signatures::default() {
        return Ok(found);
    }
    Err(broken.unwrap_or(Broken::UnknownVersions))
}

/// Reads `x-hook-signature`: 64 hex digits, several separated by commas.
///
/// # Errors
/// When there is none that can be checked.
pub fn hook_signatures(header: &str) -> Result<Vec<[u8; 32]>, Broken> {
    bounded(header)?;
    let mut found = Vec::new();
    let mut broken = None;
    for (at, one) in header.split(',').enumerate() {
        if at == MAX_SIGNATURES {
            return Err(Broken::TooMany);
        }
        match unhex(one.trim()) {
            Some(signature) => found.push(signature),
            None => {
                broken.get_or_insert(Broken::Signature { place: at + 1, problem: "is not 64 hex digits" });
            }
        }
    }
    if found.is_empty() { Err(broken.unwrap_or(Broken::Empty)) } else { Ok(found) }
}

fn bounded(header: &str) -> Result<(), Broken> {
    if header.len() > MAX_HEADER_BYTES {
        return Err(Broken::TooLong);
    }
    if header.trim_ascii().is_empty() { Err(Broken::Empty) } else { Ok(()) }
}

fn read_one(one: &str, found: &mut Signatures) -> Result<(), &'static str> {
    let (version, text) = one.split_once(',').ok_or("has no version and comma in front")?;
    let decoded = || STANDARD.decode(text).map_err(|_| "is not base64");
    match version {
        "v1" => {
            found.v1.push(decoded()?.try_into().map_err(|_| "is not of the 32 bytes that v1 has")?);
        }
        "v1a" => {
            found.v1a.push(decoded()?.try_into().map_err(|_| "is not of the 64 bytes that v1a has")?);
        }
        _ => {}
    }
    Ok(())
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(high << 4 | low),
            _ => None,
        })
        .collect::<Option<_>>()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests;
