//! A request as its receiver has it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use resthooks::FieldError;
use resthooks::model::{Invalid, SubscriptionId, parse_duration};
use resthooks::verify::Received;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use utoipa::ToSchema;

use crate::body::{Given, Text};
use crate::problem::Problem;

/// How far a time may be away when nothing is said: what Standard Webhooks' own libraries allow.
const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);
/// The most values of headers.
const MAX_HEADERS: usize = 200;
/// The most bytes of their names and values.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Programs leave the padding away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A hook as its receiver has it.
#[derive(Debug, Default, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VerifyInput)]
pub(crate) struct Input {
    /// Whose secrets it should be signed by: the subscription's id.
    #[schema(value_type = String, example = "sub_01k6x8t1m2n3p4q5r6s7t8v9wa")]
    #[serde(default)]
    subscription: Given<Text<SubscriptionId>>,
    /// The headers that arrived, by names in any case; a value, or an array of them. Those that are not about signatures
    /// may be left out. At most 200, 64 KiB in all.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    #[serde(default)]
    headers: Given<Headers>,
    /// The body that arrived, byte for byte, in base64.
    #[schema(value_type = String, format = "byte")]
    #[serde(default)]
    body: Given<Text<Body>>,
    /// How far the timestamp may be from now: `5m` when left out.
    #[schema(value_type = Option<String>, example = "5m")]
    #[serde(default)]
    tolerance: Given<Text<Tolerance>>,
}

impl Input {
    /// What is asked; everything that is wrong is named at once.
    pub(super) fn read(self) -> Result<(SubscriptionId, Received), Problem> {
        let (subscription, headers, body) =
            (self.subscription.value(), self.headers.value(), self.body.value());
        let missing = [
            ("subscription", subscription.is_none(), "must be given: whose hook it is"),
            ("headers", headers.is_none(), "must be given: those that arrived"),
            ("body", body.is_none(), "must be given: the bytes that arrived, in base64"),
        ];
        let errors = missing.into_iter().filter(|(_, is_missing, _)| *is_missing);
        let errors = errors.map(|(field, _, message)| FieldError::new(field, message)).collect();
        let (Some(Text(subscription)), Some(Headers(headers)), Some(Text(Body(body)))) =
            (subscription, headers, body)
        else {
            return Err(Problem::invalid(errors));
        };
        let tolerance = self.tolerance.value().map_or(DEFAULT_TOLERANCE, |Text(Tolerance(given))| given);
        Ok((subscription, Received { headers, body, tolerance }))
    }
}

#[derive(Debug)]
struct Tolerance(Duration);

impl FromStr for Tolerance {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        parse_duration(text).map(Self)
    }
}

struct Body(Bytes);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl FromStr for Body {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        // Tools that encode break lines.
        let is_broken = text.bytes().any(|b| b.is_ascii_whitespace());
        let joined = is_broken.then(|| text.split_ascii_whitespace().collect::<String>());
        let decoded = BASE64.decode(joined.as_deref().unwrap_or(text));
        decoded.map(|bytes| Self(bytes.into())).map_err(|_| "must be base64 of the bytes that arrived")
    }
}

/// Headers by their names as they were given, one entry for each value.
struct Headers(Vec<(String, String)>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A caller may send all that arrived: cookies, credentials.
        write!(f, "Headers({})", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of header names, and values or arrays of values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Headers, A::Error> {
        let mut headers = Vec::new();
        let mut bytes = 0;
        while let Some(name) = members.next_key::<String>()? {
            if headers.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom("has a name twice: give an array of its values"));
            }
            let Values(values) = members.next_value()?;
            for value in values {
                bytes += name.len() + value.len();
                headers.push((name.clone(), value));
                if headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
                    return Err(A::Error::custom("must be at most 200, of 64 KiB in all"));
                }
            }
        }
        Ok(Headers(headers))
    }
}

/// One value, or several.
struct Values(Vec<String>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValuesVisitor)
    }
}

struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings for each header")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Values, E> {
        Ok(Values(vec![value.to_owned()]))
    }

    /// `webhook-timestamp` is a number in the eyes of some.
    fn visit_u64<E: Error>(self, value: u64) -> Result<Values, E> {
        Ok(Values(vec![value.to_string()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Values, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element()? {
            if values.len() == MAX_HEADERS {
                return Err(A::Error::custom("must be at most 200, of 64 KiB in all"));
            }
            values.push(value);
        }
        Ok(Values(values))
    }
}
