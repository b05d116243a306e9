//! Where everything is kept, who may manage it, and how secrets in it are sealed.

use std::path::PathBuf;

use super::{Kind, Setting};
use crate::settings::parse::{lease, name, one, secret_keys, switch, visible_ascii};
use crate::settings::store::{StoreAt, masked, schema};
use crate::settings::{DEV_ADMIN_KEY, Hidden};

/// The rows, in the order in which they are shown.
pub(super) static ROWS: &[Setting] = &[
    Setting::new(
        "store",
        Kind::Text,
        "URL",
        &["sqlite:resthooks.db"],
        "Where everything is kept: sqlite: and a file, which is created at the first start, or postgres://… for a database \
         that any number of nodes may share",
        |s, v| {
            s.store = StoreAt::parse(one(v)?)?;
            Ok(())
        },
    )
    .masked_by(masked),
    Setting::new(
        "schema",
        Kind::Text,
        "NAME",
        &["resthooks"],
        "The schema in a PostgreSQL database that everything is in; made when it is not there",
        |s, v| {
            s.schema = schema(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "no-migrate",
        Kind::Switch,
        "BOOL",
        &["false"],
        "Refuse to start on a PostgreSQL schema of another version, instead of bringing it to this one; \
         `resthooks migrate` does that apart",
        |s, v| {
            s.migrate = !switch(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "node-name",
        Kind::Text,
        "NAME",
        &[],
        "What this node is called among those that share a database; without it, the host's name and the process's number",
        |s, v| {
            s.engine.node_name = v.first().map(|given| name(given)).transpose()?.unwrap_or_default();
            Ok(())
        },
    ),
    Setting::new(
        "node-lease",
        Kind::Text,
        "DURATION",
        &["10s"],
        "How long this node may be silent before others that share its database take over what it has in hand",
        |s, v| {
            s.engine.lease = lease(one(v)?)?;
            Ok(())
        },
    ),
    Setting::new(
        "admin-key",
        Kind::Text,
        "KEY",
        &[],
        "The provider's API key; without it one is made at the first start and printed once",
        |s, v| {
            s.admin_key = v.first().map(|key| visible_ascii(key)).transpose()?.map(Hidden::from);
            Ok(())
        },
    )
    .in_dev(&[DEV_ADMIN_KEY])
    .secret(),
    Setting::new(
        "secret-key",
        Kind::List,
        "KEY",
        &[],
        "What secrets in the store are sealed with, instead of a file: 32 bytes as 64 hex digits or base64. Of several the \
         first one seals and all of them open",
        |s, v| {
            s.secret_keys = secret_keys(v)?;
            Ok(())
        },
    )
    .secret(),
    Setting::new(
        "secret-key-file",
        Kind::Text,
        "FILE",
        &[],
        "The file with the keys that secrets in the store are sealed with, one a line; made at the first start. Without \
         it, the SQLite file's name and .key, or resthooks.key in the working directory for PostgreSQL, whose nodes all \
         need a copy",
        |s, v| {
            s.secret_key_file = v.first().map(PathBuf::from);
            Ok(())
        },
    ),
    Setting::new(
        "dev",
        Kind::Switch,
        "BOOL",
        &["false"],
        "Development mode, on loopback only: http and private targets are allowed, event types register themselves, \
         and the admin key is `dev`",
        |s, v| {
            s.dev = switch(one(v)?)?;
            s.engine.targets.allow_private = s.dev;
            Ok(())
        },
    ),
];
