//! Values that the driver does not know by itself.

use bytes::BytesMut;
use resthooks::model::Uid;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

type Failure = Box<dyn std::error::Error + Sync + Send>;

/// A `uuid`: sixteen bytes, whatever they say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uuid(pub(crate) Uid);

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        out.extend_from_slice(&self.0.to_bytes());
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Uuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Failure> {
        Ok(Self(Uid::from_bytes(raw.try_into()?)))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::UUID
    }
}

/// A text without what PostgreSQL's texts can't hold, for words that are there to be read only.
pub(crate) fn readable(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// What PostgreSQL can count to: larger counts are cut.
pub(crate) fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The same in 32 bits.
pub(crate) fn limit(value: usize) -> i32 {
    // One more is asked for in places.
    i32::try_from(value).unwrap_or(i32::MAX).min(i32::MAX - 1)
}
