//! The one table of settings: the rows of the files beside this one.

mod credentials;
mod delivery;
mod server;
mod store;
mod targets;

use super::Settings;

/// What form a setting's value has in the file; flags and variables are text in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// An integer.
    Count,
    /// `true` or `false`; the flag alone means `true`.
    Switch,
    /// An array of strings; elsewhere separated by commas, and the flag may be repeated.
    List,
}

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its flag without the dashes in front.
    pub name: &'static str,
    /// The form of its value.
    pub kind: Kind,
    /// What its value is called in help.
    pub value: &'static str,
    /// What holds when nobody says anything; empty for nothing.
    pub default: &'static [&'static str],
    /// What holds instead in development mode.
    pub dev_default: Option<&'static [&'static str]>,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// Shows its value without what must not be shown of it: a URL with a password in it, for instance.
    pub masked: Option<fn(&str) -> String>,
    /// What it is for.
    pub help: &'static str,
    /// Reads its values into the settings, or says what was expected.
    pub set: fn(&mut Settings, &[String]) -> Result<(), String>,
}

impl Setting {
    /// Its key in the file.
    pub(crate) fn key(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Its environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("RESTHOOKS_{}", self.key().to_ascii_uppercase())
    }

    const fn new(
        name: &'static str,
        kind: Kind,
        value: &'static str,
        default: &'static [&'static str],
        help: &'static str,
        set: fn(&mut Settings, &[String]) -> Result<(), String>,
    ) -> Self {
        Self { name, kind, value, default, dev_default: None, secret: false, masked: None, help, set }
    }

    const fn in_dev(mut self, values: &'static [&'static str]) -> Self {
        self.dev_default = Some(values);
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn masked_by(mut self, masked: fn(&str) -> String) -> Self {
        self.masked = Some(masked);
        self
    }
}

/// Every setting, in the order in which they are shown.
pub(crate) fn table() -> impl Iterator<Item = &'static Setting> {
    [server::ROWS, store::ROWS, credentials::ROWS, targets::ROWS, delivery::ROWS].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Resolved, Source};

    #[test]
    fn the_defaults_are_the_engines_own() {
        let resolved = Resolved::defaults().unwrap();
        let ours = resolved.settings.engine;
        let engine = resthooks::Options::default();
        assert_eq!(ours.event_types, engine.event_types);
        assert_eq!(ours.targets, engine.targets);
        assert_eq!(ours.retry, engine.retry);
        assert_eq!(ours.connect_timeout, engine.connect_timeout);
        assert_eq!(ours.attempt_timeout, engine.attempt_timeout);
        assert_eq!(ours.max_in_flight, engine.max_in_flight);
        assert_eq!(ours.max_in_flight_per_target, engine.max_in_flight_per_target);
        assert_eq!(ours.queue_per_target, engine.queue_per_target);
        assert_eq!(ours.queue_bytes, engine.queue_bytes);
        assert_eq!(ours.disable_after, engine.disable_after);
        assert_eq!(ours.retention, engine.retention);
        assert_eq!((ours.intent, ours.intent_timeout), (engine.intent, engine.intent_timeout));
        assert_eq!((ours.lease, &ours.node_name), (engine.lease, &engine.node_name));
        assert!(resolved.values.iter().all(|value| value.source == Source::Default));
    }

    /// Settings that hold a secret, whatever they are going to be called.
    #[test]
    fn what_sounds_secret_is_secret() {
        for setting in table() {
            let sounds_secret =
                ["key", "secret", "password", "token"].iter().any(|word| setting.name.contains(word));
            let is_named_in_a_file = setting.value == "FILE";
            if sounds_secret && !is_named_in_a_file {
                assert!(setting.secret, "--{} is shown", setting.name);
            }
        }
    }

    #[test]
    fn secrets_are_shown_nowhere() {
        let planted = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let secrets: Vec<_> = table().filter(|setting| setting.secret).collect();
        assert!(secrets.len() >= 3);
        for setting in secrets {
            // What one of them needs beside it.
            let beside = (setting.name == "jwt-secret").then_some(("jwt-any-audience", "true"));
            let given: Vec<_> = [(setting.name, planted)].into_iter().chain(beside).collect();
            let resolved = Resolved::of(&given).unwrap();
            let shown = resolved.to_toml();
            let line = shown.lines().find(|line| line.starts_with(&format!("{} = ", setting.key())));
            assert!(line.unwrap().contains(crate::settings::MASK), "{shown}");
            assert!(!shown.contains(&planted[..16]), "{shown}");
            assert!(!format!("{:?}", resolved.settings).contains(&planted[..16]), "--{}", setting.name);
            // Nor where it was not understood.
            for wrong in [format!("{planted}: ü"), format!("{planted}\n"), planted.repeat(9)] {
                let error = Resolved::of(&[(setting.name, &wrong)]).unwrap_err().to_string();
                assert!(!error.contains(&planted[..16]), "{error}");
            }
            // What is printed in its place is not taken for it.
            assert!(Resolved::of(&[(setting.name, crate::settings::MASK)]).is_err(), "--{}", setting.name);
        }
    }

    #[test]
    fn the_readme_shows_every_setting_with_its_default() {
        let readme = include_str!("../../../../../README.md");
        for setting in table() {
            let default = match setting.kind {
                _ if setting.default.is_empty() => "–".to_owned(),
                Kind::Switch => "off".to_owned(),
                _ => format!("`{}`", setting.default.join(",")),
            };
            let row = format!("| `--{} {}` | {default} |", setting.name, setting.value.replace('|', "\\|"));
            let row = if setting.kind == Kind::Switch { row.replace(" BOOL", "") } else { row };
            assert!(readme.contains(&row), "README.md lacks the row {row}");
        }
    }
}
