//! Which headers carry credentials.
//!
//! Asked wherever headers are shown, kept or sent. When in doubt it is one: a mask too many costs a look at the
//! sender's configuration, one too few costs the credential.

/// What a header's name has in it when its value is for the receiver's eyes alone. In lower case.
const TELLING_NAMES: [&str; 22] = [
    "access",
    "auth",
    "bearer",
    "cert",
    "cookie",
    "credential",
    "csrf",
    "hmac",
    "jwt",
    "key",
    "licen",
    "login",
    "otp",
    "pass",
    "private",
    "pwd",
    "secret",
    "session",
    "signature",
    "token",
    "username",
    "xsrf",
];
/// What a value begins with when it is a credential, whatever its header is called: schemes of HTTP authentication,
/// tokens and keys that tell what they are. In lower case.
const TELLING_VALUES: [&str; 17] = [
    "api-key ",
    "apikey ",
    "aws4-hmac-sha256 ",
    "basic ",
    "bearer ",
    "digest ",
    "dpop ",
    "eyj",
    "github_pat_",
    "hawk ",
    "hmac ",
    "negotiate ",
    "oauth ",
    "sk_",
    "token ",
    "whsec_",
    "whsk_",
];
/// Headers of answers that are called like credentials and are none: what is asked for, allowed, cached or left.
const HARMLESS_ANSWERS: [&str; 7] = [
    "access-control-",
    "www-authenticate",
    "proxy-authenticate",
    "surrogate-key",
    "cache-key",
    "ratelimit",
    "rate-limit",
];

/// Whether a request header's value is a credential, as its name or the value itself tells.
#[must_use]
pub fn is_credential(name: &str, value: &str) -> bool {
    let starts = |start: &str| value.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    is_telling(name) || TELLING_VALUES.into_iter().any(starts)
}

/// Whether what a target answers in this header is a credential: what it sets, or what it was shown and shows again.
#[must_use]
pub fn is_answered_credential(name: &str, value: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !HARMLESS_ANSWERS.iter().any(|part| lower.contains(part)) && is_credential(name, value)
}

fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING_NAMES.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        for name in [
            "Authorization",
            "X-Authorization",
            "x-auth",
            "cookie",
            "Cookie2",
            "x-api-key",
            "APIKEY",
            "api_key",
            "x-functions-key",
            "Ocp-Apim-Subscription-Key",
            "x-access-code",
            "x-gitlab-token",
            "private-token",
            "x-vault-token",
            "x-csrf",
            "x-xsrf",
            "x-password",
            "x-passphrase",
            "x-pwd",
            "x-shared-secret",
            "x-session-id",
            "x-jwt-assertion",
            "x-amz-security-token",
            "x-hub-signature-256",
            "x-client-cert",
            "x-otp",
            "x-license",
            "x-username",
            "CF-Access-Client-Id",
        ] {
            assert!(is_credential(name, "v"), "{name}");
        }
        for name in ["x-team", "accept", "x-request-id", "traceparent", "x-tenant", "x-user-id", "from"] {
            assert!(!is_credential(name, "v"), "{name}");
        }
    }

    #[test]
    fn values_tell_whatever_they_are_called() {
        for value in [
            "Bearer abc",
            "BASIC dXNlcjpwYXNz",
            "token x",
            "eyJhbGciOiJIUzI1NiJ9.e30.x",
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "sk_live_x",
        ] {
            assert!(is_credential("x-team", value), "{value}");
        }
        for value in ["", "b", "Bearer", "basically", "tokens", "rød", "red"] {
            assert!(!is_credential("x-team", value), "{value}");
        }
    }

    #[test]
    fn answers_say_what_they_want_in_clear() {
        for name in [
            "Set-Cookie",
            "set-cookie2",
            "authorization",
            "proxy-authorization",
            "x-hook-secret",
            "x-api-key",
        ] {
            assert!(is_answered_credential(name, "v"), "{name}");
        }
        for name in [
            "WWW-Authenticate",
            "proxy-authenticate",
            "Access-Control-Allow-Credentials",
            "x-ratelimit-remaining-tokens",
            "content-type",
            "date",
        ] {
            assert!(!is_answered_credential(name, "v"), "{name}");
        }
    }
}
