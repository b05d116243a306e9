//! Masking what a target says back of its subscription's secrets, before anything of an answer is kept.
//!
//! Targets echo: in debug pages, error reports and headers of their own. What is looked for are the subscription's
//! signing secrets and keys, its handshake's secret, and the credentials in its headers; where they stand as they are,
//! with characters escaped, within base64, or cut off by the end of what is kept (`views`). Headers of an answer that
//! carry credentials by their name are masked whole, whoever's they are.
//!
//! Pure, and must never keep a secret in anything it answers or prints. What a target does to a secret on purpose, such
//! as turning it around, is not undone: whoever means to tell it has it.

mod views;

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use memchr::memmem::Finder;

use self::views::{View, is_base64};
use crate::model::{Attempt, Subscription, is_answered_credential, is_credential};

/// What stands in the place of a secret.
const MASK: &str = "***";
/// What is shorter is in too much that is no secret.
const SHORTEST: usize = 6;
/// So much of a secret's begin is known for one where a text was cut off.
const SHORTEST_CUT: usize = 4;
/// The most `name=value` pairs of one header, such as cookies, that are looked for by themselves.
const MOST_PAIRS: usize = 16;
/// Characters escaped in an escaped text, and so on: as deep as we look.
const DEEPEST: usize = 3;
/// Characters of a key in base64 that are the same whether its public half follows or not.
const KEY_CHARACTERS: usize = 42;

/// What must not be kept of answers to one subscription.
#[derive(Default, Clone)]
pub(crate) struct Mask {
    secrets: Vec<Box<str>>,
}

impl Mask {
    /// What must not be kept of answers to this subscription.
    pub(crate) fn of(subscription: &Subscription) -> Self {
        let mut mask = Self::default();
        let previous = subscription.previous_secret.as_ref();
        let secrets = [Some(&subscription.secret), previous.map(|previous| &previous.secret)];
        for secret in secrets.into_iter().flatten() {
            // Without its prefix, which is no secret, to find it where that is missing.
            mask.add(secret.expose().split_once('_').map_or("", |(_, key)| key));
        }
        let previous = previous.and_then(|previous| previous.signing_key.as_ref());
        for key in [subscription.signing_key.as_ref(), previous].into_iter().flatten() {
            let seed = STANDARD_NO_PAD.encode(key.seed());
            mask.add(seed.get(..KEY_CHARACTERS).unwrap_or(&seed));
        }
        if let Some(handshake) = &subscription.handshake {
            mask.add(handshake.secret.expose());
        }
        for (_, value) in subscription.headers.iter().filter(|(name, value)| is_credential(name, value)) {
            credentials(value, |one| mask.add(one));
        }
        mask
    }

    /// The same and one more.
    pub(crate) fn and(&self, secret: &str) -> Self {
        let mut mask = self.clone();
        mask.add(secret);
        mask
    }

    fn add(&mut self, secret: &str) {
        // Padding is often left out, or escaped.
        let secret = secret.trim().trim_end_matches('=');
        if secret.len() >= SHORTEST && !self.secrets.iter().any(|known| **known == *secret) {
            self.secrets.push(secret.into());
        }
    }

    /// Masks all that a target can have a say in.
    pub(crate) fn apply(&self, attempt: &mut Attempt) {
        for (name, value) in &mut attempt.response_headers {
            if value.is_empty() {
                continue;
            }
            if is_answered_credential(name, value) {
                MASK.clone_into(value);
            } else {
                self.hide(value, false);
            }
        }
        self.hide(&mut attempt.response_body, attempt.response_truncated);
        if let Some(detail) = &mut attempt.error_detail {
            self.hide(detail, true);
        }
    }

    /// Masks the secrets in a text, of which the end may be missing.
    fn hide(&self, text: &mut String, is_cut: bool) {
        let Some(shortest) = self.secrets.iter().map(|secret| secret.len()).min() else { return };
        let least = if is_cut { SHORTEST_CUT } else { shortest };
        if text.len() < least {
            return;
        }
        let mut found = Vec::new();
        let mut view = Some(View::plain(text.as_bytes(), is_cut));
        for _ in 0..=DEEPEST {
            let Some(seen) = view else { break };
            self.find(&seen, &mut found);
            for decoded in seen.decoded(shortest) {
                self.find(&decoded, &mut found);
            }
            view = seen.unescaped();
        }
        if !found.is_empty() {
            *text = replaced(text, found);
        }
    }

    fn find(&self, view: &View<'_>, found: &mut Vec<Range<usize>>) {
        let bytes = view.bytes();
        for secret in &self.secrets {
            let finder = Finder::new(secret.as_bytes());
            let mut from = 0;
            while let Some(at) = bytes.get(from..).and_then(|rest| finder.find(rest)) {
                let start = from + at;
                found.extend(view.place(start..start + secret.len()));
                from = start + 1;
            }
            if view.is_cut() {
                let begins =
                    |length: &usize| secret.get(..*length).is_some_and(|s| bytes.ends_with(s.as_bytes()));
                let longest = (SHORTEST_CUT..secret.len()).rev().find(begins);
                found.extend(longest.and_then(|length| view.place(bytes.len() - length..bytes.len())));
            }
        }
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} secrets)", self.secrets.len())
    }
}

/// What of a header's value may be seen by itself: all of it; what follows a scheme's name; of basic authentication the
/// pair within, and its password; values in `name=value` pairs.
fn credentials(value: &str, mut each: impl FnMut(&str)) {
    each(value);
    let (scheme, rest) = value.split_once(' ').unwrap_or(("", value));
    each(rest);
    if scheme.eq_ignore_ascii_case("basic")
        && let Some(pair) = STANDARD.decode(rest.trim()).ok().and_then(|pair| String::from_utf8(pair).ok())
    {
        each(&pair);
        each(pair.split_once(':').map_or("", |(_, password)| password));
    }
    if !rest.bytes().all(|b| is_base64(b) || b == b'=') {
        let pairs = value.split([';', ',', ' ', '&']).filter_map(|pair| pair.split_once('='));
        pairs.take(MOST_PAIRS).for_each(|(_, value)| each(value.trim_matches('"')));
    }
}

/// The text with a mask in the place of these ranges, which may overlap.
fn replaced(text: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_unstable_by_key(|range| range.start);
    let mut masked = String::with_capacity(text.len());
    let mut end = None;
    for range in found {
        if end.is_none_or(|end| range.start > end) {
            masked.push_str(text.get(end.unwrap_or(0)..range.start).unwrap_or_default());
            masked.push_str(MASK);
        }
        end = end.max(Some(range.end));
    }
    masked.push_str(text.get(end.unwrap_or(0)..).unwrap_or_default());
    masked
}

#[cfg(test)]
mod tests;
