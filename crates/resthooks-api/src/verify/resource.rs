//! What is found, as it is answered.

use resthooks::verify::{Code, Matched, Scheme, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

/// What is found about a hook.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdict)]
pub(crate) struct Resource {
    /// Whether a receiver is right to accept it: whether `code` is `good`.
    #[schema(example = false)]
    valid: bool,
    /// What is found, in a stable word.
    #[schema(value_type = String, example = "body_reserialized")]
    code: Code,
    /// The same in words, with what to do about it.
    detail: String,
    /// What it was signed by, or would be if its body were as it was sent; `null` when that can't be told.
    #[schema(required = true)]
    matched: Option<Signer>,
}

/// What a hook was signed by.
#[derive(Serialize, ToSchema)]
#[schema(as = VerdictMatched)]
struct Signer {
    /// `v1` (HMAC-SHA256) or `v1a` (Ed25519) of `webhook-signature`, or `hook_signature`, the one of `x-hook-signature`.
    #[schema(value_type = String, example = "v1")]
    scheme: Scheme,
    /// `current`, or `previous`: the one before the last rotation.
    #[schema(value_type = String, example = "current")]
    secret: &'static str,
}

impl From<Verdict> for Resource {
    fn from(verdict: Verdict) -> Self {
        let signer = |Matched { scheme, is_previous }| Signer {
            scheme,
            secret: if is_previous { "previous" } else { "current" },
        };
        Self {
            valid: verdict.is_valid(),
            code: verdict.code,
            matched: verdict.matched.map(signer),
            detail: verdict.detail,
        }
    }
}
