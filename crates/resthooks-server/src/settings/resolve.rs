//! Flags over variables over the file over the defaults.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use resthooks::deliver::http::{Identity, IdentityError};

use super::{Error, Given, Kind, MASK, Setting, Settings, file, parse, table};

/// Who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody.
    Default,
    /// Nobody, in development mode.
    Dev,
    /// The file, at this line.
    File(PathBuf, usize),
    /// The setting's environment variable.
    Variable,
    /// The setting's flag.
    Flag,
}

/// One setting's values before they are read.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// Which setting.
    pub setting: &'static Setting,
    /// Its values; empty when it has none.
    pub values: Vec<String>,
    /// Who said so.
    pub source: Source,
}

impl Value {
    /// Where it was given, in words.
    fn source_text(&self) -> String {
        match &self.source {
            Source::Default => "default".to_owned(),
            Source::Dev => "default with --dev".to_owned(),
            Source::File(path, line) => format!("{} line {line}", path.display()),
            Source::Variable => self.setting.variable(),
            Source::Flag => format!("--{}", self.setting.name),
        }
    }

    /// What was shown masked is not given back.
    fn check_mask(&self) -> Result<(), Error> {
        if self.setting.masked.is_some() && self.values.iter().any(|value| value.contains(MASK)) {
            return Err(
                self.error("has the mask that `resthooks config` prints, not what it stands for".to_owned())
            );
        }
        Ok(())
    }

    fn error(&self, message: String) -> Error {
        Error { setting: format!("--{}", self.setting.name), message, source_text: self.source_text() }
    }

    fn toml(&self) -> String {
        let quote = |text: &String| toml::Value::String(text.clone()).to_string();
        match self.setting.kind {
            Kind::List if self.setting.secret && self.values.is_empty() => "[]".to_owned(),
            Kind::List if self.setting.secret => format!("[{}]", quote(&MASK.to_owned())),
            _ if self.setting.secret => quote(&MASK.to_owned()),
            Kind::List => format!("[{}]", self.values.iter().map(quote).collect::<Vec<_>>().join(", ")),
            Kind::Text => match self.setting.masked {
                Some(masked) => self.values.iter().map(|url| quote(&masked(url))).collect(),
                None => self.values.iter().map(quote).collect(),
            },
            // As they are read, not as they were spelled: `yes` and `007` are no TOML.
            Kind::Switch => parse::switch(&self.values.concat()).unwrap_or_default().to_string(),
            Kind::Count => parse::count(&self.values.concat()).unwrap_or_default().to_string(),
        }
    }
}

/// All settings, as values and as they were given.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// The values.
    pub settings: Settings,
    /// Each setting of [`table()`], in its order.
    pub values: Vec<Value>,
}

impl Resolved {
    /// Reads the file that is named, lays one source over the other and reads every value.
    ///
    /// # Errors
    /// The first setting that makes no sense, by name.
    pub(crate) fn load(given: &Given) -> Result<Self, Error> {
        let mut values: Vec<Value> = table()
            .map(|setting| Value {
                setting,
                values: setting.default.iter().map(ToString::to_string).collect(),
                source: Source::Default,
            })
            .collect();
        if let Some(path) = &given.config {
            for entry in file::read(path)? {
                put(&mut values, entry.setting, entry.values, Source::File(path.clone(), entry.line));
            }
        }
        for entry in &given.entries {
            put(&mut values, entry.setting, entry.values.clone(), entry.source.clone());
        }
        Self::read(values)
    }

    /// The settings when nobody says anything.
    #[cfg(test)]
    pub(crate) fn defaults() -> Result<Self, Error> {
        Self::load(&Given::default())
    }

    /// The settings when a command of ours says these, and nobody anything else.
    pub(crate) fn of(given: &[(&str, &str)]) -> Result<Self, Error> {
        let entry = |setting: &'static Setting| {
            let values: Vec<_> = given
                .iter()
                .filter(|(name, _)| *name == setting.name)
                .map(|(_, value)| (*value).to_owned())
                .collect();
            (!values.is_empty()).then_some(super::given::Entry { setting, values, source: Source::Flag })
        };
        Self::load(&Given { config: None, entries: table().filter_map(entry).collect() })
    }

    fn read(mut values: Vec<Value>) -> Result<Self, Error> {
        let is_dev = {
            let mut probe = Settings::default();
            for value in values.iter().filter(|value| value.setting.name == "dev") {
                (value.setting.set)(&mut probe, &value.values).map_err(|message| value.error(message))?;
            }
            probe.dev
        };
        for value in values.iter_mut().filter(|value| is_dev && value.source == Source::Default) {
            if let Some(dev_default) = value.setting.dev_default {
                value.values = dev_default.iter().map(ToString::to_string).collect();
                value.source = Source::Dev;
            }
        }
        let mut settings = Settings::default();
        for value in &values {
            value.check_mask()?;
            (value.setting.set)(&mut settings, &value.values).map_err(|message| value.error(message))?;
        }
        let resolved = Self { settings, values };
        resolved.check_together()?;
        Ok(resolved)
    }

    /// What no setting can judge by itself.
    fn check_together(&self) -> Result<(), Error> {
        let Settings { dev, listen, engine, tls_cert, tls_key, rate_limit, rate_limit_burst, .. } =
            &self.settings;
        if *dev && !listen.ip().is_loopback() {
            let message = format!("must be a loopback address with --dev, not {listen}");
            return Err(self.error("listen", message));
        }
        if engine.connect_timeout > engine.attempt_timeout {
            let message = "must not be longer than --attempt-timeout".to_owned();
            return Err(self.error("connect-timeout", message));
        }
        if !self.settings.secret_keys.is_empty() && self.settings.secret_key_file.is_some() {
            let message = "can't be given beside --secret-key: the keys come from one of the two".to_owned();
            return Err(self.error("secret-key-file", message));
        }
        if rate_limit.is_none() && rate_limit_burst.is_some() {
            return Err(self.error("rate-limit-burst", "needs --rate-limit beside it".to_owned()));
        }
        match (tls_cert, tls_key) {
            (Some(_), None) => return Err(self.error("tls-cert", "needs --tls-key beside it".to_owned())),
            (None, Some(_)) => return Err(self.error("tls-key", "needs --tls-cert beside it".to_owned())),
            _ => {}
        }
        match (&self.settings.client_cert, &self.settings.client_key) {
            (Some(_), None) => {
                return Err(self.error("client-cert", "needs --client-key beside it".to_owned()));
            }
            (None, Some(_)) => {
                return Err(self.error("client-key", "needs --client-cert beside it".to_owned()));
            }
            _ => {}
        }
        self.settings.credentials.check().map_err(|(name, message)| self.error(name, message))
    }

    /// The certificate that targets are shown, if one is set. Not a part of [`Resolved::load`], as with
    /// [`Resolved::check_tls`].
    ///
    /// # Errors
    /// The setting whose file can't be used, by name.
    pub(crate) fn client_identity(&self) -> Result<Option<Identity>, Error> {
        let (Some(certificate), Some(key)) = (&self.settings.client_cert, &self.settings.client_key) else {
            return Ok(None);
        };
        let read = |name: &str, path: &Path| {
            std::fs::read(path)
                .map_err(|e| self.error(name, format!("{} can't be read: {e}", path.display())))
        };
        let made = Identity::from_pem(&read("client-cert", certificate)?, &read("client-key", key)?);
        made.map(Some).map_err(|wrong| match wrong {
            IdentityError::Certificate(why) => {
                self.error("client-cert", format!("{} {why}", certificate.display()))
            }
            IdentityError::Key(why) => self.error("client-key", format!("{} {why}", key.display())),
            IdentityError::Mismatch => self.error("client-key", format!("{}: {wrong}", key.display())),
        })
    }

    /// Sees whether the certificate and the key that a server needs can be used. Not a part of [`Resolved::load`]: other
    /// commands may run where the key can't be read, and should not be.
    ///
    /// # Errors
    /// The setting whose file can't be used, by name.
    pub(crate) fn check_tls(&self) -> Result<(), Error> {
        let loaded = self.settings.tls().map(|files| files.load()).transpose();
        loaded.map(|_| ()).map_err(|e| self.error(e.setting, e.message))
    }

    fn error(&self, name: &str, message: String) -> Error {
        match self.values.iter().find(|value| value.setting.name == name) {
            Some(value) => value.error(message),
            None => Error { setting: format!("--{name}"), message, source_text: "default".to_owned() },
        }
    }

    /// As TOML that can be given back, with secrets masked and where each value came from behind it.
    pub(crate) fn to_toml(&self) -> String {
        let lines: Vec<(String, &Value)> = self
            .values
            .iter()
            .map(|value| match value.values.is_empty() && value.setting.kind != Kind::List {
                true => (format!("# {} is not set", value.setting.key()), value),
                false => (format!("{} = {}", value.setting.key(), value.toml()), value),
            })
            .collect();
        let width =
            lines.iter().map(|(line, _)| line.chars().count()).filter(|n| *n <= 60).max().unwrap_or(0);
        lines.iter().fold(String::new(), |mut text, (line, value)| {
            writeln!(text, "{line:width$}  # {}", value.source_text())
                .expect("a String takes all that is written");
            text
        })
    }
}

fn put(values: &mut [Value], setting: &'static Setting, given: Vec<String>, source: Source) {
    if let Some(value) = values.iter_mut().find(|value| std::ptr::eq(value.setting, setting)) {
        value.values = given;
        value.source = source;
    }
}
