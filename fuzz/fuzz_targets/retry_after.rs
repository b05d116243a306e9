//! `Retry-After` as targets answer it, at any time: a wait of bounded length or none. The first eight bytes are the time.
#![no_main]

use std::time::Duration;

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use resthooks::deliver::http::retry_after;
use resthooks::model::Timestamp;

fuzz_target!(|input: &[u8]| {
    let Some((now, value)) = input.split_first_chunk::<8>() else { return };
    let Ok(value) = HeaderValue::from_bytes(value) else { return };
    let now = Timestamp::from_millis(i64::from_le_bytes(*now));
    let wait = retry_after(&value, now);
    assert!(wait.is_none_or(|wait| wait <= Duration::from_secs(3650 * 86_400)), "{value:?}: {wait:?}");
});
