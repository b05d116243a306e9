//! A subscription as a document: what is secret of it in one sealed text.

use serde_json::{Map, Value};

use crate::model::Subscription;
use crate::seal::{SealError, Vault};

/// What is sealed: secrets, and what may hold some.
const SECRET: [&str; 5] = ["secret", "previous_secret", "signing_key", "headers", "handshake"];
/// Where the sealed text stands.
const SEALED: &str = "sealed";

/// Why a document can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not a subscription's.
    #[error("a subscription can't be read: {0}")]
    Broken(#[from] serde_json::Error),
    /// Its secrets can't be opened.
    #[error("a subscription's secrets can't be opened: {0}")]
    Sealed(#[from] SealError),
}

/// A subscription's document, with its secrets sealed.
///
/// # Panics
/// Never: a subscription can be written as JSON.
#[must_use]
pub fn seal_subscription(subscription: &Subscription, vault: &Vault) -> String {
    let value = serde_json::to_value(subscription).expect("a subscription is an object of plain values");
    let Value::Object(mut document) = value else { unreachable!("a struct is an object") };
    let secret: Map<String, Value> =
        SECRET.into_iter().filter_map(|name| Some((name.to_owned(), document.remove(name)?))).collect();
    let plain = Value::Object(secret).to_string();
    document.insert(SEALED.to_owned(), vault.seal(&subscription.id.to_string(), plain.as_bytes()).into());
    Value::Object(document).to_string()
}

/// The subscription in a document; its number and version are the store's to add. Also reads what an earlier version
/// wrote, in which nothing was sealed.
///
/// # Errors
/// When it is not one, or its secrets can't be opened.
pub fn open_subscription(document: &str, vault: &Vault) -> Result<Subscription, DocumentError> {
    let mut document: Map<String, Value> = serde_json::from_str(document)?;
    if let Some(Value::String(sealed)) = document.remove(SEALED) {
        let id = document.get("id").and_then(Value::as_str).unwrap_or_default();
        let plain = vault.open(id, &sealed)?;
        document.append(&mut serde_json::from_slice(&plain)?);
    }
    Ok(serde_json::from_value(Value::Object(document))?)
}

/// Whether a document's secrets are sealed with the key that seals now.
#[must_use]
pub fn is_sealed_now(document: &str, vault: &Vault) -> bool {
    #[derive(serde::Deserialize)]
    struct Sealed {
        sealed: Option<String>,
    }
    let sealed = serde_json::from_str::<Sealed>(document).ok().and_then(|document| document.sealed);
    sealed.is_some_and(|sealed| vault.is_current(&sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"{"id":"sub_01h00000000000000000000000","account":"a","events":["a.b"],
        "target_url":"https://example.com/","status":"active","headers":{"authorization":"Basic planted"},
        "secret":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD","created_at":"2026-01-01T00:00:00.000Z",
        "updated_at":"2026-01-01T00:00:00.000Z"}"#;

    #[test]
    fn nothing_secret_is_in_a_document_and_all_comes_back() {
        let vault = Vault::ephemeral();
        let subscription = open_subscription(OLD, &vault).unwrap();
        assert!(!is_sealed_now(OLD, &vault));
        let document = seal_subscription(&subscription, &vault);
        assert!(!document.contains("planted") && !document.contains("C2FVsBQI"), "{document}");
        assert!(is_sealed_now(&document, &vault));
        assert_eq!(open_subscription(&document, &vault).unwrap(), subscription);
        let other = Vault::ephemeral();
        assert!(matches!(
            open_subscription(&document, &other),
            Err(DocumentError::Sealed(SealError::UnknownKey(_)))
        ));
        let moved = document.replace("sub_01h0", "sub_01h1");
        assert!(matches!(open_subscription(&moved, &vault), Err(DocumentError::Sealed(SealError::Broken))));
    }
}
