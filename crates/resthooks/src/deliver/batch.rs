//! Several bodies in one request: a JSON array of them, under an id of its own.

use std::fmt::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use ring::digest::{Context, SHA256};

use super::payload::Pieces;
use crate::model::DeliveryId;

/// The array of these bodies.
pub(super) fn array(bodies: impl Iterator<Item = Pieces>) -> Bytes {
    let mut all = BytesMut::new();
    for body in bodies {
        all.put_u8(if all.is_empty() { b'[' } else { b',' });
        body.iter().for_each(|piece| all.put_slice(piece));
    }
    if all.is_empty() {
        all.put_u8(b'[');
    }
    all.put_u8(b']');
    all.freeze()
}

/// The id of a batch: made of those of its deliveries, so that a batch that is sent again has the same one, and one with
/// other deliveries another one.
pub(super) fn id(deliveries: impl Iterator<Item = DeliveryId>) -> String {
    let mut context = Context::new(&SHA256);
    for delivery in deliveries {
        context.update(delivery.to_string().as_bytes());
        context.update(b"\n");
    }
    let mut id = String::from("bat_");
    for byte in context.finish().as_ref().iter().take(16) {
        // Memory takes all.
        let _written = write!(id, "{byte:02x}");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SubscriptionId, Timestamp, Uid};

    #[test]
    fn an_array_of_bodies_is_json() {
        let body = |text: &'static str| [Bytes::from_static(text.as_bytes()), Bytes::new(), Bytes::new()];
        let split = [Bytes::from_static(b"{\"a\":"), Bytes::from_static(b"1"), Bytes::from_static(b"}")];
        assert_eq!(&array([split.clone(), body("2")].into_iter())[..], b"[{\"a\":1},2]");
        assert_eq!(&array([split].into_iter())[..], b"[{\"a\":1}]");
        assert_eq!(&array(std::iter::empty())[..], b"[]");
    }

    #[test]
    fn its_id_says_which_deliveries_it_has() {
        let delivery = |n| DeliveryId {
            event: Uid::new(Timestamp::EPOCH, n),
            subscription: SubscriptionId(Uid::new(Timestamp::EPOCH, 9)),
        };
        let of = |numbers: &[u128]| id(numbers.iter().map(|n| delivery(*n)));
        assert_eq!(of(&[1, 2]), of(&[1, 2]));
        assert!(of(&[1, 2]) != of(&[1, 2, 3]) && of(&[1, 2]) != of(&[2, 1]) && of(&[1, 2]).len() == 36);
    }
}
