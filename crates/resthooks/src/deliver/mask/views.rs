//! A text as it stands, with its escapes resolved, and with what is base64 in it decoded; each byte knowing where in the
//! text it stands.
//!
//! Nothing here knows a secret. A view is never shown: it only says where to look.

use std::borrow::Cow;
use std::ops::Range;

/// The longest escape, `\u0041`.
const LONGEST_ESCAPE: usize = 6;
/// Entities of HTML and XML, behind their `&`. Numbers are read as numbers.
const ENTITIES: [(&[u8], u8); 5] =
    [(b"amp;", b'&'), (b"lt;", b'<'), (b"gt;", b'>'), (b"quot;", b'"'), (b"apos;", b'\'')];

/// Bytes, and where they stand in the text.
pub(super) struct View<'a> {
    bytes: Cow<'a, [u8]>,
    /// From where to where each byte stands; as the bytes themselves if there is none.
    spans: Option<Vec<(usize, usize)>>,
    /// Whether the text's end is missing right behind them.
    is_cut: bool,
}

impl<'a> View<'a> {
    /// The text itself.
    pub(super) const fn plain(text: &'a [u8], is_cut: bool) -> Self {
        Self { bytes: Cow::Borrowed(text), spans: None, is_cut }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Where these bytes stand in the text.
    pub(super) fn place(&self, range: Range<usize>) -> Option<Range<usize>> {
        let Some(spans) = &self.spans else { return Some(range) };
        Some(spans.get(range.start)?.0..spans.get(range.end.checked_sub(1)?)?.1)
    }

    /// With the escapes of JSON, URLs and HTML resolved; `None` if there are none.
    pub(super) fn unescaped(&self) -> Option<View<'static>> {
        memchr::memchr3(b'\\', b'%', b'&', &self.bytes)?;
        let (mut bytes, mut spans) = (Vec::with_capacity(self.bytes.len()), Vec::new());
        let (mut at, mut is_changed) = (0, false);
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let (byte, length) = match escape(rest) {
                Some(escaped) => escaped,
                // The begin of one that was cut off.
                None if self.is_cut && rest.len() < LONGEST_ESCAPE && begins_escape(rest) => break,
                None => (rest.first().copied().unwrap_or_default(), 1),
            };
            is_changed |= length > 1;
            bytes.push(byte);
            let place = self.place(at..at + length)?;
            spans.push((place.start, place.end));
            at += length;
        }
        let is_changed = is_changed || at < self.bytes.len();
        is_changed.then_some(View { bytes: bytes.into(), spans: Some(spans), is_cut: self.is_cut })
    }

    /// What base64 there is, decoded, where `least` bytes or more could be in it; for each place in a group of four
    /// characters where it may have begun.
    pub(super) fn decoded(&self, least: usize) -> Vec<View<'static>> {
        let least = least.div_ceil(3) * 4;
        let may_hold = |run: &Range<usize>| {
            let is_last = self.is_cut && run.end == self.bytes.len();
            run.len() + 2 >= least || (is_last && run.len() >= LONGEST_ESCAPE)
        };
        let runs: Vec<Range<usize>> = runs(&self.bytes).filter(may_hold).collect();
        if runs.is_empty() {
            return Vec::new();
        }
        (0..4).map(|offset| self.decoded_from(&runs, offset)).collect()
    }

    fn decoded_from(&self, runs: &[Range<usize>], offset: usize) -> View<'static> {
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        let mut is_cut = false;
        for run in runs {
            let start = run.start + offset;
            let (mut bits, mut held) = (0_u32, 0);
            for at in start..run.end {
                let value = self.bytes.get(at).copied().and_then(sextet).unwrap_or_default();
                bits = (bits << 6) | u32::from(value);
                held += 6;
                if held >= 8 {
                    held -= 8;
                    bytes.push(u8::try_from((bits >> held) & 0xff).unwrap_or_default());
                    let place = self.place(at - 1..at + 1).unwrap_or_default();
                    spans.push((place.start, place.end));
                }
            }
            is_cut = self.is_cut && run.end == self.bytes.len();
            if !is_cut {
                // Between two of them nothing goes on.
                let end = spans.last().map_or(0, |(_, end)| *end);
                bytes.push(0);
                spans.push((end, end));
            }
        }
        View { bytes: bytes.into(), spans: Some(spans), is_cut }
    }
}

/// Whether it is a character of base64, in either alphabet.
pub(super) const fn is_base64(byte: u8) -> bool {
    sextet(byte).is_some()
}

const fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Where there are nothing but characters of base64.
fn runs(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    bytes.split(|byte| !is_base64(*byte)).map(move |run| {
        let start = at;
        at += run.len() + 1;
        start..start + run.len()
    })
}

/// The character that an escape stands for, and the escape's length.
fn escape(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'%', high, low, ..] => Some((hex(&[*high, *low])?, 3)),
        [b'\\', b'u', digits @ ..] => Some((hex(digits.get(..4)?)?, 6)),
        [b'\\', b'x', digits @ ..] => Some((hex(digits.get(..2)?)?, 4)),
        [b'\\', b't', ..] => Some((b'\t', 2)),
        [b'\\', escaped, ..] if escaped.is_ascii_punctuation() => Some((*escaped, 2)),
        [b'&', b'#', rest @ ..] => {
            let end = rest.iter().take(LONGEST_ESCAPE).position(|byte| *byte == b';')?;
            let number = rest.get(..end)?;
            let byte = match number {
                [b'x' | b'X', digits @ ..] => hex(digits)?,
                digits => std::str::from_utf8(digits).ok()?.parse().ok()?,
            };
            Some((byte, end + 3))
        }
        [b'&', rest @ ..] => {
            let (name, byte) = ENTITIES.into_iter().find(|(name, _)| rest.starts_with(name))?;
            Some((byte, name.len() + 1))
        }
        _ => None,
    }
}

fn begins_escape(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'\\' | b'%' | b'&'))
}

/// A byte written in hexadecimal digits, and in nothing else.
fn hex(digits: &[u8]) -> Option<u8> {
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    is_hex.then(|| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).flatten()
}
