//! Headers that carry credentials are shown masked, and a mask that comes back stands for what is stored.

use std::collections::BTreeMap;

use resthooks::FieldError;
use resthooks::model::is_credential;

/// What is shown in place of a credential.
const MASK: &str = "***";

/// Headers as they are shown.
pub(super) fn masked(headers: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let show = |name, value| if is_credential(name, value) { MASK } else { value };
    headers.iter().map(|(name, value)| (name.as_str(), show(name.as_str(), value.as_str()))).collect()
}

/// Whether any of these headers is masked.
pub(super) fn carries_mask(headers: &BTreeMap<String, String>) -> bool {
    headers.values().any(|value| value == MASK)
}

/// Puts what is stored in the place of masks that were sent back.
pub(super) fn unmasked(
    mut given: BTreeMap<String, String>,
    stored: Option<&BTreeMap<String, String>>,
    errors: &mut Vec<FieldError>,
) -> BTreeMap<String, String> {
    for (name, value) in given.iter_mut().filter(|(_, value)| *value == MASK) {
        match stored.and_then(|stored| stored.get(name)) {
            Some(kept) if is_credential(name, kept) => kept.clone_into(value),
            None if is_credential(name, MASK) => errors.push(FieldError::new(
                format!("headers.{name}"),
                "is *** but there is no stored value that this could stand for",
            )),
            // Three asterisks, and meant.
            _ => {}
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn credentials_are_masked_and_come_back() {
        let stored = headers(&[
            ("authorization", "Bearer x"),
            ("x-api-key", "k"),
            ("x-team", "red"),
            ("x-upstream", "Basic dTpw"),
        ]);
        let shown = masked(&stored);
        assert_eq!(shown["authorization"], "***");
        assert_eq!(shown["x-api-key"], "***");
        assert_eq!(shown["x-team"], "red");
        assert_eq!(shown["x-upstream"], "***", "its value tells");
        let sent = headers(&[
            ("authorization", "***"),
            ("x-api-key", "new"),
            ("x-team", "***"),
            ("x-upstream", "***"),
            ("x-other", "***"),
        ]);
        let mut errors = Vec::new();
        let kept = unmasked(sent.clone(), Some(&stored), &mut errors);
        let expected = [
            ("authorization", "Bearer x"),
            ("x-api-key", "new"),
            ("x-team", "***"),
            ("x-upstream", "Basic dTpw"),
            ("x-other", "***"),
        ];
        assert_eq!(kept, headers(&expected));
        assert!(errors.is_empty());
        unmasked(sent, None, &mut errors);
        assert_eq!(errors[0].field, "headers.authorization");
    }
}
