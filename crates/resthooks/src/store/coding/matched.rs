//! What an event matched: how many, then for each the step from the subscription before and the sequence number.

use crate::model::{Match, SubscriptionNo};

use super::varint::{Reader, put};

/// The matches, which ascend by subscription.
pub fn encode_matched(matched: &[Match], into: &mut Vec<u8>) {
    put(into, matched.len() as u64);
    let mut before = 0_u64;
    for one in matched {
        let no = one.subscription.0.cast_unsigned();
        put(into, no.wrapping_sub(before));
        put(into, one.sequence);
        before = no;
    }
}

/// The inverse; `None` when the bytes are not such a list.
pub fn decode_matched(bytes: &[u8]) -> Option<Vec<Match>> {
    let mut reader = Reader(bytes);
    let count = usize::try_from(reader.number()?).ok()?;
    // Two bytes at least for each: a broken count can't ask for more memory than there are bytes.
    let mut matched = Vec::with_capacity(count.min(bytes.len()));
    let mut before = 0_u64;
    for _ in 0..count {
        before = before.wrapping_add(reader.number()?);
        let sequence = reader.number()?;
        matched.push(Match { subscription: SubscriptionNo(before.cast_signed()), sequence });
    }
    reader.0.is_empty().then_some(matched)
}

/// Only how many.
pub fn count_matched(bytes: &[u8]) -> Option<usize> {
    Reader(bytes).number().and_then(|count| usize::try_from(count).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_back() {
        let of = |pairs: &[(i64, u64)]| -> Vec<Match> {
            pairs
                .iter()
                .map(|(no, sequence)| Match { subscription: SubscriptionNo(*no), sequence: *sequence })
                .collect()
        };
        for list in [of(&[]), of(&[(1, 1)]), of(&[(7, 1), (8, u64::MAX), (100_000, 3), (i64::MAX, 0)])] {
            let mut bytes = Vec::new();
            encode_matched(&list, &mut bytes);
            assert_eq!(decode_matched(&bytes).as_ref(), Some(&list));
            assert_eq!(count_matched(&bytes), Some(list.len()));
        }
        assert_eq!(decode_matched(&[]), None);
        assert_eq!(decode_matched(&[1, 1]), None);
        assert_eq!(decode_matched(&[0, 1]), None);
        assert_eq!(decode_matched(&[0xff, 0xff, 0xff, 0xff, 0x7f]), None);
    }
}
