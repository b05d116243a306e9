//! A subscription as a document: what is secret of it in one sealed text.

use serde_json::{Map, Value};

use crate::model::Subscription;
use crate::seal::{SealError, Vault};

/// What is sealed: secrets, and what may hold some.
const SECRET: [&str; 5] = ["secret", "previous_secret", "signing_key", "headers", "handshake"];
/// Where the sealed text stands.
const SEALED: &str = "sealed";

/// Why a document can't be read. Says nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not a subscription's.
    #[error("a subscription can't be read")]
    Broken,
    /// Its secrets can't be opened.
    #[error("a subscription's secrets can't be opened: {0}")]
    Sealed(#[from] SealError),
}

impl From<serde_json::Error> for DocumentError {
    fn from(_: serde_json::Error) -> Self {
        // Such an error may quote a value.
        Self::Broken
    }
}

/// A subscription's document, with its secrets sealed.
///
/// # Panics
/// Never: a subscription can be written as JSON.
#[must_use]
pub fn seal_subscription(subscription: &Subscription, vault: &Vault) -> String {
    let value = serde_json::to_value(subscription).expect("a subscription is an object of plain values");
    let Value::Object(mut document) = value else { unreachable!("a struct is an object") };
    let plain = take_secrets(&mut document);
    sealed(document, &plain, vault)
}

/// The subscription in a document; its number and version are the store's to add. Also reads what an earlier version
/// wrote, in which nothing was sealed.
///
/// # Errors
/// When it is not one, or its secrets can't be opened.
pub fn open_subscription(document: &str, vault: &Vault) -> Result<Subscription, DocumentError> {
    let mut document: Map<String, Value> = serde_json::from_str(document)?;
    if let Some(plain) = opened(&mut document, vault)? {
        document.append(&mut serde_json::from_slice(&plain)?);
    }
    Ok(serde_json::from_value(Value::Object(document))?)
}

/// The same document, sealed with the key that seals now, whoever sealed it before or nobody. What else is in it stays,
/// also what a later version wrote.
///
/// # Errors
/// When it is no subscription's, or its secrets can't be opened.
pub fn reseal_document(document: &str, vault: &Vault) -> Result<String, DocumentError> {
    let mut document: Map<String, Value> = serde_json::from_str(document)?;
    if !document.get("id").is_some_and(Value::is_string) {
        return Err(DocumentError::Broken);
    }
    let plain = match opened(&mut document, vault)? {
        Some(plain) => plain,
        None => take_secrets(&mut document),
    };
    Ok(sealed(document, &plain, vault))
}

/// Takes what is to be sealed out of a document.
fn take_secrets(document: &mut Map<String, Value>) -> Vec<u8> {
    let secret: Map<String, Value> =
        SECRET.into_iter().filter_map(|name| Some((name.to_owned(), document.remove(name)?))).collect();
    Value::Object(secret).to_string().into_bytes()
}

/// Takes the sealed text out of a document and opens it; `None` when nothing is sealed.
fn opened(document: &mut Map<String, Value>, vault: &Vault) -> Result<Option<Vec<u8>>, DocumentError> {
    match document.remove(SEALED) {
        None => Ok(None),
        Some(Value::String(text)) => {
            let of = document.get("id").and_then(Value::as_str).unwrap_or_default();
            Ok(Some(vault.open(of, &text)?))
        }
        Some(_) => Err(DocumentError::Broken),
    }
}

fn sealed(mut document: Map<String, Value>, plain: &[u8], vault: &Vault) -> String {
    let of = document.get("id").and_then(Value::as_str).unwrap_or_default();
    let text = vault.seal(of, plain);
    document.insert(SEALED.to_owned(), text.into());
    Value::Object(document).to_string()
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
        let unsealed = document.replace("\"sealed\":\"v1", "\"sealed\":7,\"x\":\"v1");
        for broken in ["", "[]", "{}", "{\"sealed\":\"v1.a.b\"}", &unsealed] {
            assert!(open_subscription(broken, &vault).is_err() && reseal_document(broken, &vault).is_err());
        }
    }

    #[test]
    fn a_document_is_sealed_again_with_all_that_is_in_it() {
        let (former, vault) = (Vault::ephemeral(), Vault::ephemeral());
        let later = OLD.replacen('{', "{\"colour\":{\"sealed\":\"v1.a.b\"},", 1);
        let document = reseal_document(&later, &former).unwrap();
        assert!(is_sealed_now(&document, &former) && !document.contains("planted"), "{document}");
        assert!(reseal_document(&document, &vault).is_err());
        let subscription = open_subscription(&document, &former).unwrap();
        assert_eq!(subscription, open_subscription(OLD, &former).unwrap());
        let again = reseal_document(&document, &former).unwrap();
        assert!(again.contains("\"colour\":{\"sealed\":\"v1.a.b\"}") && again != document);
        assert_eq!(open_subscription(&again, &former).unwrap(), subscription);
    }
}
