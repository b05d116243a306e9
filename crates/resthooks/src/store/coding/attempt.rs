//! Attempts, at a fraction of what JSON takes: a form number, flags for what is there, then the parts in order.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::model::{Attempt, ErrorClass, Timestamp};

use super::varint::{Reader, put, put_bytes};

const FORM: u8 = 1;

const ADDRESS: u8 = 1;
const STATUS: u8 = 1 << 1;
const ERROR: u8 = 1 << 2;
const DETAIL: u8 = 1 << 3;
const HEADERS: u8 = 1 << 4;
const BODY: u8 = 1 << 5;
const TRUNCATED: u8 = 1 << 6;
const MANUAL: u8 = 1 << 7;

/// Appends an attempt, without what it asked for in `Retry-After`.
pub fn encode_attempt(attempt: &Attempt, into: &mut Vec<u8>) {
    into.push(FORM);
    into.push(flags(attempt));
    put(into, u64::from(attempt.number));
    put(into, attempt.started_at.as_millis().unsigned_abs());
    put(into, attempt.duration_us);
    if let Some(address) = attempt.address {
        put_address(into, address);
    }
    if let Some(code) = attempt.status_code {
        put(into, u64::from(code));
    }
    if let Some(error) = attempt.error {
        put_bytes(into, error.as_str().as_bytes());
    }
    if let Some(detail) = &attempt.error_detail {
        put_bytes(into, detail.as_bytes());
    }
    if !attempt.response_headers.is_empty() {
        put(into, attempt.response_headers.len() as u64);
        for (name, value) in &attempt.response_headers {
            put_bytes(into, name.as_bytes());
            put_bytes(into, value.as_bytes());
        }
    }
    if !attempt.response_body.is_empty() {
        put_bytes(into, attempt.response_body.as_bytes());
    }
}

fn flags(attempt: &Attempt) -> u8 {
    [
        (ADDRESS, attempt.address.is_some()),
        (STATUS, attempt.status_code.is_some()),
        (ERROR, attempt.error.is_some()),
        (DETAIL, attempt.error_detail.is_some()),
        (HEADERS, !attempt.response_headers.is_empty()),
        (BODY, !attempt.response_body.is_empty()),
        (TRUNCATED, attempt.response_truncated),
        (MANUAL, attempt.manual),
    ]
    .into_iter()
    .fold(0, |flags, (bit, set)| if set { flags | bit } else { flags })
}

/// The inverse; `None` when the bytes are no attempt.
pub fn decode_attempt(bytes: &[u8]) -> Option<Attempt> {
    let mut reader = Reader(bytes);
    if reader.byte()? != FORM {
        return None;
    }
    let flags = reader.byte()?;
    let has = |bit| flags & bit != 0;
    let attempt = Attempt {
        number: u32::try_from(reader.number()?).ok()?,
        started_at: Timestamp::from_millis(reader.signed()?),
        duration_us: reader.number()?,
        address: if has(ADDRESS) { Some(address(&mut reader)?) } else { None },
        status_code: if has(STATUS) { Some(u16::try_from(reader.number()?).ok()?) } else { None },
        error: if has(ERROR) { Some(class(reader.text()?)?) } else { None },
        error_detail: if has(DETAIL) { Some(reader.text()?.to_owned()) } else { None },
        response_headers: if has(HEADERS) { headers(&mut reader)? } else { Vec::new() },
        response_body: if has(BODY) { reader.text()?.to_owned() } else { String::new() },
        response_truncated: has(TRUNCATED),
        manual: has(MANUAL),
        retry_after: None,
    };
    reader.0.is_empty().then_some(attempt)
}

fn put_address(into: &mut Vec<u8>, address: SocketAddr) {
    match address {
        SocketAddr::V4(v4) => {
            into.push(4);
            into.extend_from_slice(&v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            into.push(6);
            into.extend_from_slice(&v6.ip().octets());
            put(into, u64::from(v6.flowinfo()));
            put(into, u64::from(v6.scope_id()));
        }
    }
    into.extend_from_slice(&address.port().to_le_bytes());
}

fn address(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    match reader.byte()? {
        4 => {
            let ip = Ipv4Addr::from(reader.array::<4>()?);
            Some(SocketAddrV4::new(ip, port(reader)?).into())
        }
        6 => {
            let ip = Ipv6Addr::from(reader.array::<16>()?);
            let flow = u32::try_from(reader.number()?).ok()?;
            let scope = u32::try_from(reader.number()?).ok()?;
            Some(SocketAddrV6::new(ip, port(reader)?, flow, scope).into())
        }
        _ => None,
    }
}

fn port(reader: &mut Reader<'_>) -> Option<u16> {
    reader.array().map(u16::from_le_bytes)
}

fn class(word: &str) -> Option<ErrorClass> {
    ErrorClass::ALL.into_iter().find(|class| class.as_str() == word)
}

fn headers(reader: &mut Reader<'_>) -> Option<Vec<(String, String)>> {
    let count = usize::try_from(reader.number()?).ok()?;
    let mut headers = Vec::with_capacity(count.min(reader.0.len()));
    for _ in 0..count {
        headers.push((reader.text()?.to_owned(), reader.text()?.to_owned()));
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare() -> Attempt {
        Attempt {
            number: 1,
            started_at: Timestamp::from_millis(1_767_323_045_678),
            duration_us: 1234,
            address: None,
            status_code: None,
            error: None,
            error_detail: None,
            response_headers: Vec::new(),
            response_body: String::new(),
            response_truncated: false,
            manual: false,
            retry_after: None,
        }
    }

    fn samples() -> Vec<Attempt> {
        let mut samples = vec![
            bare(),
            Attempt {
                number: u32::MAX,
                started_at: Timestamp::MAX,
                duration_us: u64::MAX,
                address: "127.0.0.1:8080".parse().ok(),
                status_code: Some(200),
                response_headers: vec![("date".into(), "today".into()), (String::new(), String::new())],
                response_body: "é".repeat(8192),
                response_truncated: true,
                ..bare()
            },
            Attempt { address: "[fe80::1%3]:65535".parse().ok(), manual: true, ..bare() },
        ];
        samples.extend(ErrorClass::ALL.map(|class| Attempt {
            error: Some(class),
            error_detail: Some("why".into()),
            ..bare()
        }));
        samples
    }

    #[test]
    fn attempts_come_back() {
        for attempt in samples() {
            let mut bytes = Vec::new();
            encode_attempt(&attempt, &mut bytes);
            assert_eq!(decode_attempt(&bytes), Some(attempt));
        }
    }

    #[test]
    fn what_is_cut_or_longer_is_told() {
        for attempt in samples() {
            let mut bytes = Vec::new();
            encode_attempt(&attempt, &mut bytes);
            for cut in 0..bytes.len().min(300) {
                assert_eq!(decode_attempt(&bytes[..cut]), None);
            }
            bytes.push(0);
            assert_eq!(decode_attempt(&bytes), None);
        }
    }
}
