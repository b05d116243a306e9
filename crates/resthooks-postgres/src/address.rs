//! Where the database is: a URL, as PostgreSQL's own programs read it.
//!
//! Never shows a password: what can't be read is described, not repeated.

use std::path::PathBuf;

use resthooks::store::Error;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// A URL that was read.
#[derive(Clone)]
pub(crate) struct Address {
    /// Everything but how certificates are judged.
    pub(crate) config: Config,
    /// How certificates are judged.
    pub(crate) trust: Trust,
    /// The file with trusted roots.
    pub(crate) roots: Option<PathBuf>,
}

/// How the server's certificate is judged, when there is TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It is not (`sslmode` prefer and require, without roots).
    Anything,
    /// By a trusted root (`verify-ca`, or require with roots).
    Chain,
    /// By a trusted root, for the host that was asked (`verify-full`).
    ChainAndName,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address")
            .field("hosts", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}

impl Address {
    /// Reads `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(unusable("must begin with postgres:// or postgresql://"));
        }
        let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
        let mut mode = None;
        let mut roots = None;
        let mut rest = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", given)) => mode = Some(given.to_owned()),
                Some(("sslrootcert", given)) => roots = Some(decoded(given)),
                _ => rest.push(parameter),
            }
        }
        let plain = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
        // The reason may repeat a part of the URL, and that part may be the password.
        let mut config: Config = plain.parse().map_err(|error: tokio_postgres::Error| {
            let secret = url.contains('@') && !error.to_string().contains("unknown option");
            unusable(&if secret { "can't be read".to_owned() } else { error.to_string() })
        })?;
        let roots = roots.filter(|path| path != "system").map(PathBuf::from);
        let (ssl, trust) = judge(mode.as_deref(), roots.is_some())?;
        config.ssl_mode(ssl);
        if config.get_application_name().is_none() {
            config.application_name("resthooks");
        }
        Ok(Self { config, trust, roots })
    }
}

fn judge(mode: Option<&str>, has_roots: bool) -> Result<(SslMode, Trust), Error> {
    let unless_roots = if has_roots { Trust::Chain } else { Trust::Anything };
    Ok(match mode {
        Some("disable") => (SslMode::Disable, Trust::Anything),
        None | Some("prefer") => (SslMode::Prefer, Trust::Anything),
        Some("require") => (SslMode::Require, unless_roots),
        Some("verify-ca") => (SslMode::Require, Trust::Chain),
        Some("verify-full") => (SslMode::Require, Trust::ChainAndName),
        Some(_) => {
            return Err(unusable(
                "has an unknown sslmode: disable, prefer, require, verify-ca and verify-full are known",
            ));
        }
    })
}

fn decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("x={text}").as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

fn unusable(why: &str) -> Error {
    Error::Unusable(format!("the database's URL {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read() {
        for (parameters, ssl, trust, roots) in [
            ("", SslMode::Prefer, Trust::Anything, None),
            ("?sslmode=disable", SslMode::Disable, Trust::Anything, None),
            ("?sslmode=require&connect_timeout=3", SslMode::Require, Trust::Anything, None),
            ("?sslrootcert=/a%20b.pem&sslmode=require", SslMode::Require, Trust::Chain, Some("/a b.pem")),
            ("?sslmode=verify-ca", SslMode::Require, Trust::Chain, None),
            ("?sslmode=verify-full&sslrootcert=system", SslMode::Require, Trust::ChainAndName, None),
        ] {
            let address = Address::parse(&format!("postgres://u:secret@h1,h2:5433/d{parameters}")).unwrap();
            assert_eq!(address.config.get_ssl_mode(), ssl, "{parameters}");
            assert_eq!((address.trust, address.roots), (trust, roots.map(PathBuf::from)), "{parameters}");
            assert_eq!(address.config.get_dbname(), Some("d"));
            assert_eq!(address.config.get_hosts().len(), 2);
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        for url in [
            "mysql://u:secret@h/d",
            "postgres://u:secret@h:port/d",
            "postgres://u:secret@h/d?sslmode=allow",
            "postgres://u:secret@h/d?nothing=1",
        ] {
            let told = format!("{:?}", Address::parse(url).map(|_| "read").unwrap_err());
            assert!(!told.contains("secr"), "{told}");
        }
        let address = Address::parse("postgres://u:secret@h/d?password=secret").unwrap();
        assert!(!format!("{address:?}").contains("secret"));
    }
}
