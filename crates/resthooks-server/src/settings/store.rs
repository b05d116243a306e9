//! Where the store is: a file, or a PostgreSQL database. What is shown of it never holds a password.

use std::fmt;
use std::path::PathBuf;

use super::MASK;

/// What makes a URL one of PostgreSQL's.
const POSTGRES: [&str; 2] = ["postgres://", "postgresql://"];
/// PostgreSQL cuts longer names off.
const LONGEST_SCHEMA: usize = 63;

/// Where the store is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum StoreAt {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL database, by its URL.
    Postgres(String),
}

impl StoreAt {
    /// Reads `sqlite:FILE` or a URL of PostgreSQL's.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        if POSTGRES.iter().any(|scheme| url.starts_with(scheme)) {
            if url.contains(MASK) {
                return Err("has the mask that `resthooks config` prints, not a password".to_owned());
            }
            return Ok(Self::Postgres(url.to_owned()));
        }
        let Some(rest) = url.strip_prefix("sqlite:") else {
            return Err("must be sqlite: and a file, such as sqlite:resthooks.db, or postgres://…".to_owned());
        };
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() || path.ends_with('/') {
            return Err("must name a file, such as sqlite:resthooks.db".to_owned());
        }
        if path.contains('?') || path == ":memory:" {
            return Err("must be a file: options and :memory: are not supported".to_owned());
        }
        Ok(Self::File(PathBuf::from(path)))
    }
}

impl fmt::Display for StoreAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&masked(url)),
        }
    }
}

impl fmt::Debug for StoreAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreAt({self})")
    }
}

/// A store's URL with its password masked: the one before the host, and the one among the parameters.
pub(super) fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, parameters) = match rest.split_once('?') {
        // A password may hold a question mark that its author did not escape: what stands before the last @ is no
        // parameter.
        Some(_) if rest.rfind('@') > rest.find('?') => {
            rest.rsplit_once('@').map_or((rest, None), |(user, host)| {
                let (host, parameters) = host.split_once('?').map_or((host, None), |(h, p)| (h, Some(p)));
                (rest.get(..user.len() + 1 + host.len()).unwrap_or(rest), parameters)
            })
        }
        Some((place, parameters)) => (place, Some(parameters)),
        None => (rest, None),
    };
    let place = match place.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:{MASK}@{host}"),
            None => format!("{user}@{host}"),
        },
        None => place.to_owned(),
    };
    let parameters = parameters.map(|all| {
        let shown = all.split('&').map(|one| match one.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}={MASK}"),
            _ => one.to_owned(),
        });
        format!("?{}", shown.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{place}{}", parameters.unwrap_or_default())
}

/// A schema's name that needs no quotes anywhere.
pub(super) fn schema(name: &str) -> Result<String, String> {
    let is_plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.starts_with(|first: char| !first.is_ascii_digit());
    if !is_plain || name.len() > LONGEST_SCHEMA || name.starts_with("pg_") {
        return Err(format!(
            "must be 1 to {LONGEST_SCHEMA} of a-z, 0-9 and _, and begin neither with a digit nor with pg_"
        ));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores() {
        for (url, path) in [
            ("sqlite:resthooks.db", "resthooks.db"),
            ("sqlite:/var/lib/x.db", "/var/lib/x.db"),
            ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
            ("sqlite://x.db", "x.db"),
        ] {
            assert_eq!(StoreAt::parse(url).unwrap(), StoreAt::File(PathBuf::from(path)));
        }
        for url in ["postgres://localhost/x", "postgresql://u:p@a:1,b:2/x?sslmode=require"] {
            assert_eq!(StoreAt::parse(url).unwrap(), StoreAt::Postgres(url.to_owned()));
        }
        let bad = [
            "",
            "x.db",
            "mysql:x",
            "postgres:x",
            "sqlite:",
            "sqlite:dir/",
            "sqlite::memory:",
            "sqlite:x?mode=ro",
        ];
        for bad in bad {
            assert!(StoreAt::parse(bad).is_err(), "{bad}");
        }
        assert!(StoreAt::parse(&masked("postgres://u:p@h/x")).unwrap_err().contains("mask"));
    }

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("postgres://h/x", "postgres://h/x"),
            ("postgres://u@h:1/x?sslmode=require", "postgres://u@h:1/x?sslmode=require"),
            ("postgres://u:secret@h:1/x", "postgres://u:********@h:1/x"),
            ("postgresql://u:sec:ret@a,b/x", "postgresql://u:********@a,b/x"),
            ("postgres://u:secret@secret@h/x?a=1", "postgres://u:********@h/x?a=1"),
            ("postgres://u:sec?ret@h/x?a=1", "postgres://u:********@h/x?a=1"),
            ("postgres://h/x?user=u&password=secret", "postgres://h/x?user=u&password=********"),
            ("postgres://h/x?sslpassword=secret&a", "postgres://h/x?sslpassword=********&a"),
        ] {
            let store = StoreAt::parse(url).unwrap();
            assert_eq!(store.to_string(), shown);
            assert!(!format!("{store:?}").contains("sec"), "{store:?}");
        }
    }

    #[test]
    fn schemas() {
        for good in ["resthooks", "_x1", &"x".repeat(63)] {
            assert_eq!(schema(good).unwrap(), good);
        }
        for bad in ["", "1x", "Hooks", "a-b", "a b", "a\"b", "pg_x", &"x".repeat(64)] {
            assert!(schema(bad).is_err(), "{bad}");
        }
    }
}
