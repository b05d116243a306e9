//! Is this an event that we take?

use ring::digest;
use serde_json::value::RawValue;

use crate::catalog::Catalog;
use crate::env::Random;
use crate::error::{Error, FieldError};
use crate::events::NewEvent;
use crate::limits::{MAX_DATA_BYTES, MAX_DATA_DEPTH, MAX_KEY_BYTES, MAX_RESOURCE_URL_BYTES};
use crate::model::{Event, EventId, Invalid, Timestamp, Uid};
use crate::store::Emitted;

/// Judges a new event and makes it ready to be appended. `prefix` comes before field names in errors.
pub(crate) fn checked(
    new: NewEvent,
    catalog: &Catalog,
    random: &dyn Random,
    now: Timestamp,
    prefix: &str,
) -> Result<Event, Error> {
    if new.data.len() > MAX_DATA_BYTES {
        return Err(Error::TooLarge { field: format!("{prefix}data"), limit: MAX_DATA_BYTES });
    }
    let entry = catalog.get(&new.event).filter(|entry| !entry.event_type.archived);
    let Some(entry) = entry else {
        return Err(Error::UnknownEventType { field: format!("{prefix}event"), name: new.event.to_string() });
    };
    let mut errors = Vec::new();
    let mut check = |field: &str, wrong: Option<String>| {
        errors.extend(wrong.map(|message| FieldError::new(format!("{prefix}{field}"), message)));
    };
    check("data", depth_error(&new.data).or_else(|| entry.check(&new.data).err()));
    check("order_key", length_error(new.order_key.as_deref(), MAX_KEY_BYTES));
    check("debounce_key", length_error(new.debounce_key.as_deref(), MAX_KEY_BYTES));
    check("resource_url", url_error(new.resource_url.as_deref()));
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let uid = Uid::new(now, random.u128());
    let digest = new.id.is_some().then(|| digest_of(&new));
    Ok(Event {
        uid,
        id: new.id.unwrap_or_else(|| EventId::generated(uid)),
        account: new.account,
        event: new.event,
        created_at: new.created_at.unwrap_or(now),
        data: new.data,
        resource_url: new.resource_url,
        order_key: new.order_key,
        debounce_key: new.debounce_key,
        digest,
        matched: Vec::new(),
    })
}

/// Judges an event that was emitted in a transaction, as [`checked`] does; the error is in words, for its operator. What
/// its type is has been seen to before.
pub(crate) fn emitted(
    row: &Emitted,
    catalog: &Catalog,
    random: &dyn Random,
    now: Timestamp,
) -> Result<Event, String> {
    let invalid = |field: &'static str| move |wrong: Invalid| format!("{field} {}", wrong.0);
    let id: EventId = row.id.parse().map_err(invalid("id"))?;
    let made = if row.own_id { None } else { Some(id.as_generated().ok_or("id is not one of ours")?) };
    serde_json::from_slice::<&RawValue>(&row.data).map_err(|e| format!("data is not JSON: {e}"))?;
    let new = NewEvent {
        event: row.event.parse().map_err(invalid("event"))?,
        account: row.account.parse().map_err(invalid("account"))?,
        data: row.data.clone(),
        id: row.own_id.then(|| id.clone()),
        resource_url: row.resource_url.clone(),
        order_key: row.order_key.clone(),
        debounce_key: row.debounce_key.clone(),
        // Part of what a producer's id stands for only when the producer gave it.
        created_at: row.own_time.then_some(row.created_at),
    };
    let mut event = checked(new, catalog, random, now, "").map_err(|e| e.to_string())?;
    event.created_at = row.created_at;
    if let Some(uid) = made {
        // It was answered this id when it was emitted.
        event.uid = uid;
        event.id = id;
    }
    Ok(event)
}

fn length_error(text: Option<&str>, max: usize) -> Option<String> {
    let text = text?;
    (text.is_empty() || text.len() > max).then(|| format!("must be 1 to {max} bytes"))
}

fn url_error(text: Option<&str>) -> Option<String> {
    let text = text?;
    if text.len() > MAX_RESOURCE_URL_BYTES {
        return Some(format!("must be at most {MAX_RESOURCE_URL_BYTES} bytes"));
    }
    let is_web =
        url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    (!is_web).then(|| "must be an absolute http or https URL".to_owned())
}

/// Receivers' parsers recurse: values nested too deeply are not passed on. The data is known to be JSON.
fn depth_error(data: &[u8]) -> Option<String> {
    // With fewer brackets than levels allowed there is nothing to look at.
    memchr::memchr2_iter(b'[', b'{', data).nth(MAX_DATA_DEPTH)?;
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in data {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DATA_DEPTH {
            return Some(format!("must not be nested deeper than {MAX_DATA_DEPTH} levels"));
        }
    }
    None
}

/// SHA-256 over all that the producer sent but its id: the same again is a repetition, anything else a conflict.
fn digest_of(new: &NewEvent) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    let created_at = new.created_at.map(|at| at.as_millis().to_string());
    let optional = [&new.resource_url, &new.order_key, &new.debounce_key, &created_at];
    let parts = [Some(new.event.as_str().as_bytes()), Some(&new.data[..])];
    let parts = parts.into_iter().chain(optional.into_iter().map(|part| part.as_deref().map(str::as_bytes)));
    for part in parts {
        // Length first, so that no two different lists of parts read alike.
        let length = part.map_or(u64::MAX, |part| part.len() as u64);
        context.update(&length.to_le_bytes());
        context.update(part.unwrap_or_default());
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_strings() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(depth_error(nested(MAX_DATA_DEPTH).as_bytes()).is_none());
        assert!(depth_error(nested(MAX_DATA_DEPTH + 1).as_bytes()).is_some());
        let flat = format!("[{}1]", "[1],".repeat(1000));
        assert!(depth_error(flat.as_bytes()).is_none());
        let quoted = format!(r#""\"{}""#, "[".repeat(1000));
        assert!(depth_error(quoted.as_bytes()).is_none());
    }
}
