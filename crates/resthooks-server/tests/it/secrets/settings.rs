//! Complaints about settings, and how settings are shown.

use crate::cli::resthooks;

use super::evidence::{Evidence, Secrets};

const SECRET: &str = "planted-in-a-setting-9b1d3f5a7c";

/// Settings that can't be, each with a secret in it: what is complained of is told, and the secret is not.
#[test]
fn complaints_about_settings_tell_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let (mut evidence, mut secrets) = (Evidence::default(), Secrets::default());
    secrets.add("a setting", SECRET);
    let variables = [
        ("ADMIN_KEY", format!("{SECRET} with spaces")),
        ("METRICS_KEY", format!("{SECRET}\u{e9}")),
        ("SECRET_KEY", SECRET.to_owned()),
        ("JWT_SECRET", SECRET.to_owned()),
        ("STORE", format!("postgres://user:{SECRET}@")),
        ("STORE", format!("mysql://user:{SECRET}@localhost/")),
        ("STORE", format!("postgres://user:{SECRET}@127.0.0.1:1/x?connect_timeout=1&nonsense=1")),
        ("STORE", format!("postgres://user:{SECRET}@127.0.0.1:1/x?connect_timeout=1")),
        ("OUTBOUND_PROXY", format!("ftp://user:{SECRET}@localhost/")),
        ("OUTBOUND_PROXY", format!("http://user:{SECRET}@localhost:1/path")),
        ("PUBLIC_URL", format!("https://user:{SECRET}@hooks.example.com")),
        ("PUBLIC_URL", format!("https://:{SECRET}@hooks.example.com")),
        ("FORWARD_AUTH_URL", format!("https://user:{SECRET}@auth.example.com")),
        ("FORWARD_AUTH_URL", format!("http://auth.example.com/?key={SECRET}")),
        ("JWT_JWKS_URL", format!("http://keys.example.com/?key={SECRET}")),
    ];
    for (name, value) in variables {
        let variable = format!("RESTHOOKS_{name}");
        // What becomes of a database's URL, only a start finds out.
        let command = if name == "STORE" { "serve" } else { "config" };
        let said = resthooks(dir.path(), &[command], &[(&variable, &value)]);
        let complaint = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(matches!(said.status.code(), Some(1 | 2)), "{name}: {complaint}");
        evidence.add(format!("{name}'s complaint"), [said.stdout, said.stderr].concat());
    }
    for file in [
        format!("admin_key = \"{SECRET}"),
        format!("admin_key = [\"{SECRET}\"]"),
        format!("admin_key = \"{SECRET}\" \"{SECRET}\""),
        format!("admin_key = {SECRET}"),
        format!("admin_keys = \"{SECRET}\""),
    ] {
        std::fs::write(dir.path().join("wrong.toml"), &file).unwrap();
        let said = resthooks(dir.path(), &["config", "--config=wrong.toml"], &[]);
        assert_eq!(said.status.code(), Some(2));
        evidence.add(format!("the complaint about {}", &file[..12]), [said.stdout, said.stderr].concat());
    }
    for word in ["--admin-keys", "--secret-keys", "--jwt"] {
        let said = resthooks(dir.path(), &["config", &format!("{word}={SECRET}")], &[]);
        assert_eq!(said.status.code(), Some(2));
        evidence.add(format!("the complaint about {word}"), [said.stdout, said.stderr].concat());
    }
    let found = secrets.found_in(&evidence);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn settings_are_shown_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let (mut evidence, mut secrets) = (Evidence::default(), Secrets::default());
    secrets.add("a setting", SECRET);
    for good in [
        (
            "RESTHOOKS_STORE",
            format!("postgres://user:{SECRET}@localhost/x?sslmode=require&password={SECRET}"),
        ),
        ("RESTHOOKS_OUTBOUND_PROXY", format!("http://user:{SECRET}@localhost:3128")),
        ("RESTHOOKS_FORWARD_AUTH_URL", format!("https://auth.example.com/?key={SECRET}")),
        ("RESTHOOKS_JWT_JWKS_URL", format!("https://keys.example.com/?key={SECRET}")),
    ] {
        let words = ["config", "--forward-auth-account-header=x-account", "--jwt-audience=hooks"];
        let words = match good.0 {
            "RESTHOOKS_FORWARD_AUTH_URL" => &words[..2],
            "RESTHOOKS_JWT_JWKS_URL" => &[words[0], words[2]][..],
            _ => &words[..1],
        };
        let said = resthooks(dir.path(), words, &[(good.0, &good.1)]);
        assert!(said.status.success(), "{good:?}: {said:?}");
        evidence.add(format!("the configuration with {}", good.0), said.stdout);
    }
    let found = secrets.found_in(&evidence);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
