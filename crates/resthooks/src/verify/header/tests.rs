use proptest::prelude::*;

use super::*;

fn v1(n: u8) -> String {
    format!("v1,{}", STANDARD.encode([n; 32]))
}

fn v1a(n: u8) -> String {
    format!("v1a,{}", STANDARD.encode([n; 64]))
}

#[test]
fn whole_signatures_are_found_among_others() {
    let header = format!("{}  v9,whatever {} v1,%% \t{} v1a, nonsense", v1(1), v1a(2), v1(3));
    let found = signatures(&header).unwrap();
    assert_eq!((found.v1, found.v1a), (vec![[1; 32], [3; 32]], vec![[2; 64]]));
    let hex = "0a".repeat(32);
    assert_eq!(hook_signatures(&format!("{hex}, x,{}", hex.to_uppercase())).unwrap(), [[10; 32]; 2]);
}

#[test]
fn says_what_is_wrong() {
    let place = |place, problem| Broken::Signature { place, problem };
    let short = format!("v1,{}", STANDARD.encode([0; 31]));
    let swapped = v1a(1).replace("v1a", "v1");
    let all = vec![v1(1); MAX_SIGNATURES].join(" ");
    signatures(&all).unwrap();
    for (header, broken) in [
        ("", Broken::Empty),
        (" \t ", Broken::Empty),
        ("v2,abc  v3,", Broken::UnknownVersions),
        ("abc", place(1, "has no version and comma in front")),
        ("v2,x v1,", place(2, "is not of the 32 bytes that v1 has")),
        ("v1,a b", place(1, "is not base64")),
        (&short, place(1, "is not of the 32 bytes that v1 has")),
        (&swapped, place(1, "is not of the 32 bytes that v1 has")),
        (&v1(1).replace("v1", "v1a"), place(1, "is not of the 64 bytes that v1a has")),
        (&v1(1).replace('=', ""), place(1, "is not base64")),
        (&"x".repeat(MAX_HEADER_BYTES + 1), Broken::TooLong),
        (&format!("{all} v2,"), Broken::TooMany),
    ] {
        assert_eq!(signatures(header), Err(broken), "{header}");
    }
    let hex = "00".repeat(32);
    for (header, broken) in [
        ("", Broken::Empty),
        (&hex[1..], place(1, "is not 64 hex digits")),
        (&format!("{hex}0"), place(1, "is not 64 hex digits")),
        (&format!("é{}", &hex[2..]), place(1, "is not 64 hex digits")),
        (&[&hex[..]; MAX_SIGNATURES + 1].join(","), Broken::TooMany),
    ] {
        assert_eq!(hook_signatures(header), Err(broken), "{header}");
    }
}

/// A word as a header may hold: whole, nearly whole, of another version, or anything.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u8>().prop_map(v1),
        any::<u8>().prop_map(v1a),
        ("v1a?|v[0-9]{1,3}|[a-z]{0,4}", "[A-Za-z0-9+/]{0,90}={0,2}")
            .prop_map(|(v, text)| format!("{v},{text}")),
        "[ -~]{0,20}",
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(header in any::<String>()) {
        let _ = signatures(&header);
        let _ = hook_signatures(&header);
    }

    #[test]
    fn whatever_stands_beside_them_whole_signatures_are_found(
        before in prop::collection::vec(word(), 0..5), after in prop::collection::vec(word(), 0..5), n in any::<u8>()
    ) {
        let header = [before.join(" "), v1(n), v1a(n), after.join(" ")].join(" ");
        match signatures(&header) {
            Ok(found) => prop_assert!(found.v1.contains(&[n; 32]) && found.v1a.contains(&[n; 64])),
            Err(Broken::TooLong) => prop_assert!(header.len() > MAX_HEADER_BYTES),
            Err(Broken::TooMany) => {
                prop_assert!(header.split_ascii_whitespace().count() > MAX_SIGNATURES);
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn what_is_found_was_there(words in prop::collection::vec(word(), 0..12)) {
        let header = words.join(" ");
        if let Ok(found) = signatures(&header) {
            let spelled = found.v1.iter().map(|one| format!("v1,{}", STANDARD.encode(one)));
            let spelled = spelled.chain(found.v1a.iter().map(|one| format!("v1a,{}", STANDARD.encode(one))));
            for one in spelled {
                prop_assert!(header.split_ascii_whitespace().any(|word| word == one), "{one}");
            }
        }
    }

    #[test]
    fn hex_comes_back(signature in any::<[u8; 32]>(), upper in any::<bool>()) {
        let mut hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        if upper {
            hex = hex.to_uppercase();
        }
        prop_assert_eq!(hook_signatures(&hex).unwrap(), vec![signature]);
    }
}
