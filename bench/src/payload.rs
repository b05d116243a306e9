//! Events as a producer sends them: about 400 bytes of data, with room for the moment of sending.

/// Bytes of each event's data.
pub(crate) const DATA_BYTES: usize = 400;
/// The type of each event that is delivered.
pub(crate) const EVENT: &str = "contact.create";
/// What stands before the moment of sending in the data.
pub(crate) const STAMP: &[u8] = b"\"sent\":\"";
/// Digits of that moment: nanoseconds since the epoch.
pub(crate) const STAMP_DIGITS: usize = 19;

/// A contact in JSON of [`DATA_BYTES`] bytes.
pub(crate) fn data() -> String {
    let head = concat!(
        r#"{"id":"c_48151623","sent":"0000000000000000000","first_name":"Ada","last_name":"Lovelace","#,
        r#""email":"ada@example.com","phone":"+44 20 7946 0958","company":{"id":77,"name":"Analytical Engines"},"#,
        r#""tags":["customer","newsletter"],"created":"2026-01-02T03:04:05Z","note":""#
    );
    let room = DATA_BYTES - head.len() - 2;
    let note: String = "The engine weaves algebraic patterns as the loom weaves flowers. "
        .chars()
        .cycle()
        .take(room)
        .collect();
    format!("{head}{note}\"}}")
}

/// A request to be written again and again.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    stamp: Option<usize>,
}

impl Template {
    /// One event of an account.
    pub(crate) fn single(authority: &str, key: &str, account: &str, event: &str) -> Self {
        Self::new(authority, key, "/api/v1/event/", &event_json(account, event))
    }

    /// Many events of an account in one call.
    pub(crate) fn batch(authority: &str, key: &str, account: &str, event: &str, events: usize) -> Self {
        let all = vec![event_json(account, event); events].join(",");
        Self::new(authority, key, "/api/v1/event/batch/", &format!("[{all}]"))
    }

    fn new(authority: &str, key: &str, path: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let stamp = memchr::memmem::find(text.as_bytes(), STAMP).map(|at| at + STAMP.len());
        Self { bytes: text.into_bytes(), stamp }
    }

    /// The request, sent at this moment (nanoseconds since the epoch).
    pub(crate) fn stamped(&mut self, now: u128) -> &[u8] {
        if let Some(room) = self.stamp.and_then(|at| self.bytes.get_mut(at..at + STAMP_DIGITS)) {
            let mut rest = now;
            for digit in room.iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        &self.bytes
    }
}

fn event_json(account: &str, event: &str) -> String {
    format!(r#"{{"event":"{event}","account":"{account}","data":{}}}"#, data())
}

/// The moment of sending in a delivered body.
pub(crate) fn stamp_of(body: &[u8]) -> Option<u128> {
    let at = memchr::memmem::find(body, STAMP)? + STAMP.len();
    std::str::from_utf8(body.get(at..at + STAMP_DIGITS)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_json_of_the_promised_size() {
        assert_eq!(data().len(), DATA_BYTES);
        assert!(serde_json::from_str::<serde_json::Value>(&data()).unwrap().is_object());
    }

    #[test]
    fn a_stamp_can_be_read_back() {
        let mut template = Template::single("h", "k", "acme", EVENT);
        let sent = 1_767_323_045_678_901_234;
        let request = template.stamped(sent).to_vec();
        assert_eq!(stamp_of(&request), Some(sent));
        let message = crate::http1::message(&request).unwrap().unwrap();
        assert_eq!(message.whole, request.len());
        let body: serde_json::Value = serde_json::from_slice(&request[message.head..]).unwrap();
        assert_eq!(body["data"]["sent"], sent.to_string());
        let mut batch = Template::batch("h", "k", "acme", EVENT, 3);
        let request = batch.stamped(sent).to_vec();
        let head = crate::http1::message(&request).unwrap().unwrap().head;
        let body: serde_json::Value = serde_json::from_slice(&request[head..]).unwrap();
        assert_eq!(body.as_array().unwrap().len(), 3);
    }
}
