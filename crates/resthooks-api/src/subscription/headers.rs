//! Headers that carry credentials are shown masked, and a mask that comes back stands for what is stored.

use std::collections::BTreeMap;

use resthooks::FieldError;

/// What is shown in place of a credential.
const MASK: &str = "***";
const TELLING: [&str; 8] =
    ["auth", "token", "secret", "key", "password", "cookie", "credential", "signature"];

fn carries_credentials(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|part| name.contains(part))
}

/// Headers as they are shown.
pub(super) fn masked(headers: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let show = |name: &str, value| if carries_credentials(name) { MASK } else { value };
    headers.iter().map(|(name, value)| (name.as_str(), show(name, value.as_str()))).collect()
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
    for (name, value) in given.iter_mut().filter(|(name, value)| *value == MASK && carries_credentials(name))
    {
        match stored.and_then(|stored| stored.get(name)) {
            Some(kept) => kept.clone_into(value),
            None => errors.push(FieldError::new(
                format!("headers.{name}"),
                "is *** but there is no stored value that this could stand for",
            )),
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
        let stored = headers(&[("authorization", "Bearer x"), ("x-api-key", "k"), ("x-team", "red")]);
        let shown = masked(&stored);
        assert_eq!(shown["authorization"], "***");
        assert_eq!(shown["x-api-key"], "***");
        assert_eq!(shown["x-team"], "red");
        let sent = headers(&[("authorization", "***"), ("x-api-key", "new"), ("x-team", "***")]);
        let mut errors = Vec::new();
        let kept = unmasked(sent.clone(), Some(&stored), &mut errors);
        assert_eq!(kept, headers(&[("authorization", "Bearer x"), ("x-api-key", "new"), ("x-team", "***")]));
        assert!(errors.is_empty());
        unmasked(sent, None, &mut errors);
        assert_eq!(errors[0].field, "headers.authorization");
    }
}
