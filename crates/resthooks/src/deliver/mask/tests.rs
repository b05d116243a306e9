use std::fmt::Write as _;

use serde_json::json;

use super::*;
use crate::model::{ErrorClass, SigningKey};

/// Characters that every way of writing escapes in one of its own.
const TOKEN: &str = r#"Ab+/cd"'<&>\e%f=="#;

fn subscription(headers: &[(&str, &str)]) -> Subscription {
    let headers: std::collections::BTreeMap<_, _> = headers.iter().copied().collect();
    serde_json::from_value(json!({
        "id": "sub_01arz3ndektsv4rrffq69g5fav", "account": "a", "events": ["a.b"], "status": "active",
        "target_url": "https://example.com/", "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "headers": headers, "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
    }))
    .unwrap()
}

fn mask(headers: &[(&str, &str)]) -> Mask {
    Mask::of(&subscription(headers))
}

fn hidden(mask: &Mask, text: &str, is_cut: bool) -> String {
    let mut text = text.to_owned();
    mask.hide(&mut text, is_cut);
    text
}

fn bearer() -> Mask {
    mask(&[("authorization", &format!("Bearer {TOKEN}"))])
}

/// The same text as other programs write it.
fn writings(text: &str) -> Vec<String> {
    let each = |write: &dyn Fn(char) -> String| text.chars().map(write).collect::<String>();
    let plain = |c: char| c.is_ascii_alphanumeric();
    let json = serde_json::to_string(text).unwrap();
    vec![
        text.to_owned(),
        json.clone(),
        json.replace('/', "\\/"),
        serde_json::to_string(&json).unwrap(),
        each(&|c| if plain(c) { c.into() } else { format!("\\u{:04x}", u32::from(c)) }),
        each(&|c| if plain(c) { c.into() } else { format!("\\u{:04X}", u32::from(c)) }),
        each(&|c| if plain(c) { c.into() } else { format!("\\x{:02x}", u32::from(c)) }),
        each(&|c| if plain(c) { c.into() } else { format!("%{:02X}", u32::from(c)) }),
        each(&|c| if plain(c) { c.into() } else { format!("&#{};", u32::from(c)) }),
        each(&|c| if plain(c) { c.into() } else { format!("&#x{:x};", u32::from(c)) }),
        each(&|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&apos;".to_owned(),
            c => c.to_string(),
        }),
    ]
}

#[test]
fn a_secret_is_found_however_it_is_written() {
    for secret in [TOKEN.trim_end_matches('='), "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"] {
        for written in writings(secret) {
            let text = hidden(&bearer(), &format!("before {written} after"), false);
            // The quotes of JSON stay.
            assert_eq!(text.replace(['"', '\\'], ""), "before *** after", "{written} became {text}");
        }
    }
    let whole = "secret=whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD;";
    assert_eq!(hidden(&bearer(), whole, false), "secret=whsec_***;");
}

#[test]
fn a_secret_is_found_within_base64_wherever_it_begins() {
    for encode in [&STANDARD, &base64::engine::general_purpose::URL_SAFE_NO_PAD] {
        for before in ["", "x", "xy", "xyz"] {
            for text in [format!("{before}{TOKEN}"), format!("{before}{TOKEN} and more of it")] {
                for lead in ["", "/", "//", "///"] {
                    let encoded = encode.encode(&text);
                    let masked = hidden(&bearer(), &format!("\"{lead}{encoded}\""), false);
                    assert!(masked.contains(MASK), "{text}: {masked}");
                    // Two characters at either end may belong to its neighbours.
                    assert!(masked.len() <= encoded.len() - TOKEN.len() + 12, "{encoded}: {masked}");
                }
            }
        }
    }
    let slashed = STANDARD.encode(format!("??{TOKEN}??")).replace('/', "\\/");
    assert!(hidden(&bearer(), &slashed, false).contains(MASK));
}

#[test]
fn what_is_cut_off_is_found_too() {
    let mask = bearer();
    let whole = TOKEN.trim_end_matches('=');
    for length in SHORTEST_CUT..whole.len() {
        let text = format!("before {}", &whole[..length]);
        assert_eq!(hidden(&mask, &text, true), "before ***");
        assert_eq!(hidden(&mask, &text, false), text, "a text that ends has that in it by chance");
    }
    let written = "before Ab\\u002b\\u002fcd\\u0022";
    for length in "before Ab\\u002b\\u002f".len()..=written.len() {
        let masked = hidden(&mask, &written[..length], true);
        assert!(masked.starts_with("before ***"), "{masked}");
    }
    let encoded = STANDARD.encode(TOKEN);
    for length in 7..encoded.len() {
        assert!(hidden(&mask, &encoded[..length], true).starts_with(MASK), "{length}");
    }
}

#[test]
fn basic_authentication_is_found_in_each_of_its_forms() {
    let mask = mask(&[("authorization", "Basic dXNlcm5hbWU6aHVudGVyMjI=")]);
    for (said, kept) in [
        ("Basic dXNlcm5hbWU6aHVudGVyMjI=", "***="),
        ("got dXNlcm5hbWU6aHVudGVyMjI.", "got ***."),
        ("no username:hunter22 here", "no *** here"),
        ("password hunter22 is wrong for username", "password *** is wrong for username"),
        ("https://username:hunter22@example.com", "https://***@example.com"),
    ] {
        assert_eq!(hidden(&mask, said, false), kept);
    }
}

#[test]
fn cookies_and_parameters_are_found_by_themselves() {
    let mask = mask(&[
        ("cookie", "lang=en; sid=abcdef123456; x=\"quoted-one\""),
        ("x-auth", "Signature keyId=\"key-number-1\",signature=\"c2lnbmVk\""),
        ("x-team", "the red team"),
    ]);
    for (said, kept) in [
        ("sid is abcdef123456", "sid is ***"),
        ("quoted-one, key-number-1, c2lnbmVk", "***, ***, ***"),
        ("lang=en; the red team", "lang=en; the red team"),
    ] {
        assert_eq!(hidden(&mask, said, false), kept);
    }
}

#[test]
fn old_secrets_keys_and_handshakes_are_found() {
    let mut subscription = subscription(&[]);
    let (new, old) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
    subscription.signing_key = Some(new.clone());
    subscription.previous_secret = Some(crate::model::PreviousSecret {
        secret: crate::model::Secret::from_key([3; 32]),
        signing_key: Some(old.clone()),
        signs_until: subscription.created_at,
    });
    let both = STANDARD.encode([old.seed().as_slice(), old.public_bytes()].concat());
    let previous = crate::model::Secret::from_key([3; 32]);
    let mask = Mask::of(&subscription);
    for secret in [new.expose(), old.expose(), both, previous.expose().to_owned()] {
        let kept = hidden(&mask, &secret, false);
        let bare = secret.split_once('_').map_or(&*secret, |(_, key)| key);
        assert!(kept.contains(MASK) && !kept.contains(&bare[..8]), "{kept}");
    }
    assert_eq!(hidden(&mask, &new.public(), false), new.public(), "the public half is public");
    assert_eq!(hidden(&mask.and("0123456789abcdef"), "<0123456789abcdef>", false), "<***>");
}

#[test]
fn overlapping_secrets_leave_nothing_between_them() {
    let mask = Mask::default().and("abcdefgh").and("ghijklmn").and("aaaaaaa");
    assert_eq!(hidden(&mask, "-abcdefghijklmn-", false), "-***-");
    assert_eq!(hidden(&mask, "-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-", false), "-***-");
    assert_eq!(hidden(&mask, "abcdefghghijklmn", false), "***");
}

#[test]
fn what_is_no_secret_stays_as_it_is() {
    let mask = mask(&[("x-api-key", "short"), ("x-team", "red"), ("cookie", "a=b")]);
    let mut text = String::from("{\"ok\": true, \"short\": \"\\u00e9 100% &amp; \\\\ üñ\", \"id\": \"");
    (0..2000).for_each(|n| write!(text, "{n:x}AAAA%").unwrap());
    for is_cut in [false, true] {
        assert_eq!(hidden(&mask, &text, is_cut), text);
        assert_eq!(hidden(&Mask::default(), &text, is_cut), text);
    }
}

#[test]
fn an_attempt_is_masked_everywhere() {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut attempt = Attempt {
        number: 1,
        started_at: subscription(&[]).created_at,
        duration_us: 1,
        address: None,
        status_code: None,
        error: Some(ErrorClass::Tls),
        error_detail: Some(format!("not a name: {TOKEN}")),
        response_headers: vec![
            header("set-cookie", "sid=theirs"),
            header("x-hook-secret", "anybody's"),
            header("x-echo", &format!("[{TOKEN}]")),
            header("www-authenticate", "Bearer realm=\"x\""),
            header("x-api-key", ""),
            header("date", "Fri, 02 Jan 2026 03:06:05 GMT"),
        ],
        response_body: format!("got {}", &TOKEN[..10]),
        response_truncated: true,
        manual: false,
        retry_after: None,
    };
    bearer().apply(&mut attempt);
    let values: Vec<&str> = attempt.response_headers.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["***", "***", "[***==]", "Bearer realm=\"x\"", "", "Fri, 02 Jan 2026 03:06:05 GMT"]);
    assert_eq!(attempt.response_body, "got ***");
    assert_eq!(attempt.error_detail.as_deref(), Some("not a name: ***=="));
    assert_eq!(format!("{:?}", bearer()), "Mask(3 secrets)");
}

proptest::proptest! {
    #[test]
    fn never_lets_a_secret_through_nor_breaks_a_text(
        secret in "[ -~é]{6,40}", before in "\\PC{0,40}", after in "\\PC{0,40}", is_cut: bool,
    ) {
        let mask = Mask::default().and(&secret);
        let core = secret.trim().trim_end_matches('=');
        let text = hidden(&mask, &format!("{before}{secret}{after}"), is_cut);
        if core.len() >= SHORTEST {
            proptest::prop_assert!(text.contains(MASK));
            // What stands around it may make it up again only if it had it in it.
            let around = format!("{before}***{after}");
            proptest::prop_assert!(!text.contains(core) || around.contains(core));
        }
    }

    #[test]
    fn any_text_is_taken(text in "[\\\\%&#;ux0-9a-fA-Z+/=\"é]{0,200}", is_cut: bool) {
        hidden(&bearer(), &text, is_cut);
    }
}
