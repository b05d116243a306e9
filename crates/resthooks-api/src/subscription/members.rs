//! Members of a subscription's body that take more than one form, or only some of their forms yet.

use std::fmt;

use resthooks::model::{EventPattern, Intent, PayloadKind};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::body::Text;

/// `events`: one pattern, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patterns(pub Vec<EventPattern>);

/// `payload`: those kinds that can be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Payload(pub PayloadKind);

/// `intent`: a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy(pub Intent);

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Vec<EventPattern>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event name or a list of them")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(vec![text.parse().map_err(E::custom)?])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut patterns = Vec::new();
                while let Some(pattern) = items.next_element()? {
                    patterns.push(pattern);
                }
                Ok(patterns)
            }
        }
        deserializer.deserialize_any(OneOrMore).map(Self)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kind;
        impl<'de> Visitor<'de> for Kind {
            type Value = PayloadKind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("full, skinny or raw")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<PayloadKind, E> {
                if text == "cloudevents" {
                    return Err(E::custom(
                        "cloudevents is not supported yet: must be one of full, skinny, raw",
                    ));
                }
                text.parse().map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<PayloadKind, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Err(A::Error::custom("a template is not supported yet: must be one of full, skinny, raw"))
            }
        }
        deserializer.deserialize_any(Kind).map(Self)
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(|Text(intent)| Self(intent))
    }
}
