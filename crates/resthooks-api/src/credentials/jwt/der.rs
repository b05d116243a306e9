//! As much of DER as a public key needs: bounded, no recursion, one spelling of everything.

/// Object identifiers, as their bytes.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// A public key's parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Public<'a> {
    /// Modulus and exponent.
    Rsa(&'a [u8], &'a [u8]),
    /// A point on P-256.
    P256(&'a [u8]),
    /// A point on P-384.
    P384(&'a [u8]),
    /// An Ed25519 key.
    Ed25519(&'a [u8]),
}

/// Reads a `SubjectPublicKeyInfo` (RFC 5280), of a kind that is supported.
pub(super) fn public_key(der: &[u8]) -> Option<Public<'_>> {
    let (info, rest) = take(der, SEQUENCE)?;
    let (algorithm, key) = take(info, SEQUENCE)?;
    let (bits, after) = take(key, BIT_STRING)?;
    let (loose, key) = bits.split_first()?;
    if !rest.is_empty() || !after.is_empty() || *loose != 0 {
        return None;
    }
    let (kind, parameters) = take(algorithm, OBJECT_ID)?;
    match kind {
        RSA => rsa_key(key),
        EC => match take(parameters, OBJECT_ID)? {
            (P256, []) => Some(Public::P256(key)),
            (P384, []) => Some(Public::P384(key)),
            _ => None,
        },
        ED25519 if parameters.is_empty() => Some(Public::Ed25519(key)),
        _ => None,
    }
}

/// Reads an `RSAPublicKey` (RFC 8017).
pub(super) fn rsa_key(der: &[u8]) -> Option<Public<'_>> {
    let (numbers, rest) = take(der, SEQUENCE)?;
    let (modulus, more) = take(numbers, INTEGER)?;
    let (exponent, after) = take(more, INTEGER)?;
    let is_positive = |number: &[u8]| number.first().is_some_and(|first| first & 0x80 == 0);
    let is_whole = rest.is_empty() && after.is_empty() && is_positive(modulus) && is_positive(exponent);
    is_whole.then_some(Public::Rsa(modulus, exponent))
}

/// The content of the first element, when it is of this kind, and what follows it.
fn take(der: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    if *tag != kind {
        return None;
    }
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length).checked_sub(0x80)? + 0x80, rest)
        }
        0x82 => {
            let (length, rest) = rest.split_at_checked(2)?;
            let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
            (length.checked_sub(0x100)? + 0x100, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_one_spelling() {
        assert_eq!(take(&[2, 1, 7, 9], INTEGER), Some((&[7][..], &[9][..])));
        let long = [&[4, 0x81, 0x80][..], &[1; 0x80], &[2]].concat();
        assert_eq!(take(&long, 4).map(|(content, rest)| (content.len(), rest)), Some((0x80, &[2][..])));
        let longer = [&[4, 0x82, 1, 0][..], &[1; 0x100]].concat();
        assert_eq!(take(&longer, 4).map(|(content, _)| content.len()), Some(0x100));
        for bad in [
            &[][..],
            &[2],
            &[2, 1],
            &[3, 1, 7],
            &[2, 0x80, 0, 0],
            &[2, 0x81, 1, 7],
            &[2, 0x82, 0, 1, 7],
            &[2, 0x83, 0, 0, 1, 7],
            &[2, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[2, 0xff],
        ] {
            assert_eq!(take(bad, INTEGER), None, "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_read_whole_or_not_at_all() {
        let key: Vec<u8> = [&[0x30, 0x2a, 0x30, 5, 6, 3][..], ED25519, &[3, 0x21, 0], &[7; 32]].concat();
        assert_eq!(public_key(&key), Some(Public::Ed25519(&[7; 32])));
        for end in 0..key.len() {
            assert_eq!(public_key(&key[..end]), None);
        }
        assert_eq!(public_key(&[&key[..], &[0]].concat()), None);
        for place in 0..12 {
            let mut other = key.clone();
            other[place] ^= 1;
            assert_eq!(public_key(&other), None, "{place}");
        }
    }
}
