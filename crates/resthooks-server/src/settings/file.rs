//! The settings that a TOML file gives, each with the line it stands on.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::{Error, Kind, Setting, table};

/// One setting in the file.
#[derive(Debug)]
pub(super) struct Entry {
    /// Which.
    pub setting: &'static Setting,
    /// Its values.
    pub values: Vec<String>,
    /// The line of its key, from 1.
    pub line: usize,
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, Error> {
    let text = std::fs::read_to_string(path).map_err(|e| Error {
        setting: "--config".to_owned(),
        message: format!("can't be read: {e}"),
        source_text: path.display().to_string(),
    })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Vec<Entry>, Error> {
    let error_at = |setting: String, offset: usize, message: String| Error {
        setting,
        message,
        source_text: format!("{} line {}", path.display(), line_of(text, offset)),
    };
    let document = DeTable::parse(text).map_err(|e| {
        let offset = e.span().map_or(0, |span| span.start);
        error_at("--config".to_owned(), offset, format!("is not TOML: {}", e.message()))
    })?;
    let mut entries = Vec::new();
    for (key, value) in document.into_inner() {
        let offset = key.span().start;
        let Some(setting) = table().find(|setting| setting.key() == key.get_ref().as_ref()) else {
            return Err(error_at(key.get_ref().to_string(), offset, "is not a setting".to_owned()));
        };
        let values = values_of(setting.kind, value.get_ref())
            .map_err(|message| error_at(setting.key(), value.span().start, message))?;
        entries.push(Entry { setting, values, line: line_of(text, offset) });
    }
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

/// The values as text, when they have the form that the setting's kind has in TOML.
fn values_of(kind: Kind, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    match (kind, value) {
        (Kind::Text, DeValue::String(text)) => Ok(vec![text.to_string()]),
        (Kind::Switch, DeValue::Boolean(on)) => Ok(vec![on.to_string()]),
        (Kind::Count, DeValue::Integer(number)) => {
            let parsed = u64::from_str_radix(number.as_str(), number.radix());
            Ok(vec![parsed.map_err(|_| "must be a whole number from 1 to 1000000")?.to_string()])
        }
        (Kind::List, DeValue::Array(items)) => {
            let text = |item: &DeValue<'_>| match item {
                DeValue::String(text) => Ok(text.to_string()),
                other => Err(format!("must be an array of strings, not of {}", other.type_str())),
            };
            items.iter().map(|item| text(item.get_ref())).collect()
        }
        (Kind::Text, other) => Err(format!("must be a string, not {}", other.type_str())),
        (Kind::Switch, other) => Err(format!("must be true or false, not {}", other.type_str())),
        (Kind::Count, other) => Err(format!("must be a number, not {}", other.type_str())),
        (Kind::List, other) => Err(format!("must be an array of strings, not {}", other.type_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Entry>, Error> {
        parse(text, Path::new("x.toml"))
    }

    #[test]
    fn values_of_every_kind() {
        let text = "listen = \"127.0.0.1:1\"\n\nmax_in_flight = 1_000\ndev = true\nallow_target = [\"a.b\", \"10.0.0.0/8\"]\n";
        let entries = parsed(text).unwrap();
        let shown: Vec<_> = entries.iter().map(|e| (e.line, e.setting.name, e.values.join("|"))).collect();
        assert_eq!(
            shown,
            [
                (1, "listen", "127.0.0.1:1".to_owned()),
                (3, "max-in-flight", "1000".to_owned()),
                (4, "dev", "true".to_owned()),
                (5, "allow-target", "a.b|10.0.0.0/8".to_owned()),
            ]
        );
    }

    #[test]
    fn refusals_name_the_key_and_its_line() {
        for (text, error) in [
            ("\nlissen = 1", "lissen: is not a setting (x.toml line 2)"),
            ("[server]\nlisten = \"x\"", "server: is not a setting (x.toml line 1)"),
            ("# x\nlisten = 8080", "listen: must be a string, not integer (x.toml line 2)"),
            ("dev = \"yes\"", "dev: must be true or false, not string (x.toml line 1)"),
            ("max_in_flight = -1", "max_in_flight: must be a whole number from 1 to 1000000 (x.toml line 1)"),
            (
                "allow_target = [1]",
                "allow_target: must be an array of strings, not of integer (x.toml line 1)",
            ),
        ] {
            assert_eq!(parsed(text).unwrap_err().to_string(), error);
        }
        assert!(parsed("a = \n").unwrap_err().to_string().starts_with("--config: is not TOML"));
        assert!(parsed("listen = \"a\"\nlisten = \"b\"").unwrap_err().to_string().contains("line 2"));
    }
}
