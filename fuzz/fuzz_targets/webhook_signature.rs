//! Signature headers as receivers hand them to us.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use resthooks::verify::{MAX_HEADER_BYTES, MAX_SIGNATURES, hook_signatures, signatures};

fuzz_target!(|header: &str| {
    let standard = signatures(header);
    let hook = hook_signatures(header);
    if header.len() > MAX_HEADER_BYTES {
        assert!(standard.is_err() && hook.is_err());
    }
    if let Ok(found) = standard {
        let count = found.v1.len() + found.v1a.len();
        assert!((1..=MAX_SIGNATURES).contains(&count));
        // What was found stands there.
        for signature in &found.v1 {
            assert!(header.contains(&STANDARD.encode(signature)), "{header}");
        }
        for signature in &found.v1a {
            assert!(header.contains(&STANDARD.encode(signature)), "{header}");
        }
    }
    if let Ok(found) = hook {
        assert!((1..=MAX_SIGNATURES).contains(&found.len()));
        for signature in found {
            let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(header.to_ascii_lowercase().contains(&hex), "{header}");
        }
    }
});
