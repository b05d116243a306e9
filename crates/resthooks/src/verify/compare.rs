//! What has become of a body on its way through a receiver's framework.

use serde_json::Value;

/// How a body differs from the one that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Difference {
    /// The same JSON, in other bytes; with what is known of how, in words.
    Reserialized(&'static str),
    /// Something else, likewise.
    Changed(&'static str),
}

/// Compares a body with another one that was sent.
pub(super) fn compare(received: &[u8], sent: &[u8]) -> Difference {
    use Difference::{Changed, Reserialized};
    if received.is_empty() {
        return Changed("it is empty here: it was read before, or not at all");
    }
    if received.trim_ascii() == sent.trim_ascii() {
        return Reserialized("there are spaces or line ends around it that differ");
    }
    if received.strip_prefix(b"\xef\xbb\xbf") == Some(sent) {
        return Reserialized("a byte order mark was put in front of it");
    }
    if sent.starts_with(received) {
        return Changed("its end is missing");
    }
    if without(received, b'\r') == without(sent, b'\r') {
        return Reserialized("its line ends were changed");
    }
    match (serde_json::from_slice::<Value>(received), serde_json::from_slice::<Value>(sent)) {
        (Ok(Value::String(inner)), _) if inner.as_bytes() == sent => {
            Changed("it was written as a string of JSON, with the body inside")
        }
        (Ok(received), Ok(sent)) if same(&received, &sent) => Reserialized(
            "it was read as JSON and written again, with other spaces, order, numbers or escapes",
        ),
        (Ok(_), _) => Changed("it says something else than what was sent"),
        (Err(_), _) => Changed("it is no JSON any more"),
    }
}

fn without(body: &[u8], byte: u8) -> Vec<u8> {
    body.iter().copied().filter(|b| *b != byte).collect()
}

/// Whether two values are alike to most programs: a number is what it is as a double, in whatever way it is written.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::Difference::{Changed, Reserialized};
    use super::*;

    const SENT: &str =
        r#"{"id":"evt_1","data":{ "b" : 1.0e2,"a":"\u00fcber","n":12345678901234567891,"l":[1,2]},"x":"é/"}"#;

    #[test]
    fn the_same_json_is_known_however_it_is_written() {
        for again in [
            "{\"id\":\"evt_1\",\"data\":{\"b\":100.0,\"a\":\"über\",\"n\":12345678901234567891,\"l\":[1,2]},\"x\":\"é/\"}",
            "{\n  \"x\": \"\\u00E9\\/\",\n  \"data\": {\"l\": [1, 2.0], \"n\": 12345678901234567000, \"a\": \"\\u00fcber\", \"b\": 1e2},\n  \"id\": \"evt_1\"\n}\n",
        ] {
            assert!(matches!(compare(again.as_bytes(), SENT.as_bytes()), Reserialized(_)), "{again}");
        }
        for around in [format!("{SENT}\n"), format!("\r\n {SENT}"), format!("\u{feff}{SENT}")] {
            assert!(matches!(compare(around.as_bytes(), SENT.as_bytes()), Reserialized(_)), "{around}");
        }
        assert!(matches!(compare(b"[1,\r\n2]", b"[1,\n2]"), Reserialized("its line ends were changed")));
    }

    #[test]
    fn what_says_something_else_is_told_apart() {
        let string = serde_json::to_string(SENT).unwrap();
        for (other, words) in [
            ("", "empty"),
            (&SENT[..40], "end is missing"),
            (&SENT.replace("evt_1", "evt_2"), "something else"),
            (&SENT.replace("[1,2]", "[2,1]"), "something else"),
            (&SENT.replace("[1,2]", "[1,2,null]"), "something else"),
            (&SENT.replace("[1,2]", "[1,\"2\"]"), "something else"),
            (&SENT.replace("\"x\"", "\"y\""), "something else"),
            (&string, "string of JSON"),
            ("id=evt_1&data=x", "no JSON"),
            ("\u{0}", "no JSON"),
        ] {
            let Changed(why) = compare(other.as_bytes(), SENT.as_bytes()) else {
                panic!("the same: {other}")
            };
            assert!(why.contains(words), "{other}: {why}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(compare(deep.as_bytes(), SENT.as_bytes()), Changed("it is no JSON any more"));
    }
}
