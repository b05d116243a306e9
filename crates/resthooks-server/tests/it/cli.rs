//! The command line: help, where settings come from, what is refused, exit codes.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program with this command line, in a directory of its own and with nothing from the outside's environment.
pub(crate) fn resthooks(dir: &Path, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resthooks"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RESTHOOKS_") {
            command.env_remove(name);
        }
    }
    command.args(words).envs(variables.iter().copied()).current_dir(dir).stdin(Stdio::null());
    command.output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What it printed when it ended with success.
#[track_caller]
pub(crate) fn printed(dir: &Path, words: &[&str], variables: &[(&str, &str)]) -> String {
    let output = resthooks(dir, words, variables);
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What it complained of when it ended with this code.
#[track_caller]
fn refused(dir: &Path, code: i32, words: &[&str], variables: &[(&str, &str)]) -> String {
    let output = resthooks(dir, words, variables);
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {complaint}");
    assert!(output.stdout.is_empty(), "{words:?} printed {}", text(&output.stdout));
    complaint
}

#[test]
fn help_is_everywhere() {
    let dir = tempfile::tempdir().unwrap();
    let all = printed(dir.path(), &["--help"], &[]);
    for command in
        ["serve", "config", "demo", "key", "nodes", "migrate", "listen", "rotate-secret-key", "completions"]
    {
        assert!(all.contains(&format!("\n  {command} ")), "{all}");
        let help = printed(dir.path(), &[command, "--help"], &[]);
        assert!(help.contains("Usage: resthooks"), "{help}");
    }
    for command in ["create", "list", "revoke"] {
        let help = printed(dir.path(), &["key", command, "--help"], &[]);
        assert!(help.contains("--url") && help.contains("--store"), "{help}");
        assert!(!help.contains("--max-in-flight"), "key needs no settings of a server: {help}");
    }
    let serve = printed(dir.path(), &["serve", "--help"], &[]);
    assert!(serve.contains("--max-in-flight-per-target <COUNT>") && serve.contains("RESTHOOKS_LISTEN"));
    assert_eq!(
        printed(dir.path(), &["--version"], &[]),
        format!("resthooks {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_for_every_shell() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(dir.path(), &["completions", shell], &[]);
        assert!(script.contains("shutdown-grace"), "{shell}");
    }
    refused(dir.path(), 2, &["completions", "abacus"], &[]);
}

/// A setting's line in what `config` prints.
fn line<'a>(config: &'a str, key: &str) -> (&'a str, &'a str) {
    let line = config.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
    let (assignment, source) = line.rsplit_once("  # ").unwrap();
    (assignment.split_once(" = ").unwrap().1.trim(), source)
}

#[test]
fn flag_over_variable_over_file_over_default() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("x.toml"),
        "max_in_flight = 7\n\nmax_in_flight_per_target = 3\nallow_target = ['a.example', 'b.example']\nshutdown_grace = '1m'\n",
    )
    .unwrap();
    let variables = [
        ("RESTHOOKS_MAX_IN_FLIGHT", "8"),
        ("RESTHOOKS_SHUTDOWN_GRACE", "2m"),
        ("RESTHOOKS_ALLOW_TARGET", "c.example,d.example"),
        ("RESTHOOKS_LOG_LEVEL", ""),
        ("RESTHOOKS_CONFIG", "x.toml"),
    ];
    let config = printed(dir.path(), &["config", "--max-in-flight", "9"], &variables);
    assert_eq!(line(&config, "max_in_flight"), ("9", "--max-in-flight"));
    assert_eq!(line(&config, "shutdown_grace"), ("\"2m\"", "RESTHOOKS_SHUTDOWN_GRACE"));
    assert_eq!(line(&config, "max_in_flight_per_target"), ("3", "x.toml line 3"));
    assert_eq!(line(&config, "allow_target"), ("[\"c.example\", \"d.example\"]", "RESTHOOKS_ALLOW_TARGET"));
    assert_eq!(line(&config, "log_level"), ("\"info\"", "default"), "an empty variable is none");
    assert_eq!(line(&config, "attempt_timeout"), ("\"15s\"", "default"));
}

#[test]
fn what_config_prints_can_be_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let words = [
        "config",
        "--allow-http",
        "--allow-target=10.1.0.0/16",
        "--retry-schedule=1s,2s",
        "--queue-bytes=2GiB",
    ];
    let first = printed(dir.path(), &words, &[("RESTHOOKS_MAX_IN_FLIGHT", "007")]);
    std::fs::write(dir.path().join("printed.toml"), &first).unwrap();
    let second = printed(dir.path(), &["config", "--config", "printed.toml"], &[]);
    let values = |config: &str| -> Vec<String> {
        let lines = config.lines().map(|line| line.rsplit_once('#').map_or(line, |(value, _)| value));
        lines.map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(values(&first), values(&second));
    let place = first.lines().position(|line| line.starts_with("max_in_flight ")).unwrap() + 1;
    assert_eq!(line(&second, "max_in_flight"), ("7", format!("printed.toml line {place}").as_str()));
}

#[test]
fn secrets_are_masked_and_a_mask_is_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let variables = [("RESTHOOKS_ADMIN_KEY", "very-secret-key")];
    let config = printed(dir.path(), &["config"], &variables);
    assert!(!config.contains("very-secret"), "{config}");
    assert_eq!(line(&config, "admin_key"), ("\"********\"", "RESTHOOKS_ADMIN_KEY"));
    let help = printed(dir.path(), &["serve", "--help"], &variables);
    assert!(!help.contains("very-secret"), "{help}");
    std::fs::write(dir.path().join("printed.toml"), &config).unwrap();
    let complaint = refused(dir.path(), 2, &["config", "--config=printed.toml"], &[]);
    assert!(complaint.starts_with("error: --admin-key: is the mask"), "{complaint}");
}

#[test]
fn a_databases_password_is_masked_and_a_mask_is_no_password() {
    let dir = tempfile::tempdir().unwrap();
    let variables = [("RESTHOOKS_STORE", "postgres://hooks:very-secret@db.example/x?sslmode=require")];
    let config = printed(dir.path(), &["config"], &variables);
    assert!(!config.contains("very-secret"), "{config}");
    let shown = "\"postgres://hooks:********@db.example/x?sslmode=require\"";
    assert_eq!(line(&config, "store"), (shown, "RESTHOOKS_STORE"));
    for command in [&["serve", "--help"][..], &["key", "list", "--help"], &["migrate", "--help"]] {
        let help = printed(dir.path(), command, &variables);
        assert!(!help.contains("very-secret"), "{help}");
    }
    std::fs::write(dir.path().join("printed.toml"), &config).unwrap();
    let complaint = refused(dir.path(), 2, &["config", "--config=printed.toml"], &[]);
    assert!(complaint.starts_with("error: --store: has the mask"), "{complaint}");
}

#[test]
fn development_mode_changes_defaults_and_nothing_that_was_said() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        printed(dir.path(), &["config", "--dev", "--event-types=strict"], &[("RESTHOOKS_ALLOW_HTTP", "no")]);
    assert_eq!(line(&config, "dev"), ("true", "--dev"));
    assert_eq!(line(&config, "admin_key"), ("\"********\"", "default with --dev"));
    assert_eq!(line(&config, "event_types"), ("\"strict\"", "--event-types"));
    assert_eq!(line(&config, "allow_http"), ("false", "RESTHOOKS_ALLOW_HTTP"));
    let config = printed(dir.path(), &["config"], &[("RESTHOOKS_DEV", "1")]);
    assert_eq!(line(&config, "event_types"), ("\"auto\"", "default with --dev"));
}

#[test]
fn bad_settings_are_refused_by_name_with_exit_code_2() {
    let dir = tempfile::tempdir().unwrap();
    let cases: &[(&[&str], &str)] = &[
        (&["--listen=8080"], "--listen: must be an address and a port"),
        (
            &["--dev", "--listen=0.0.0.0:8080"],
            "--listen: must be a loopback address with --dev, not 0.0.0.0:8080",
        ),
        (&["--dev", "--listen=[::]:8080"], "--listen: must be a loopback address"),
        (&["--store=postgres:hooks"], "--store: must be sqlite: and a file"),
        (&["--schema=Hooks"], "--schema: must be 1 to 63 of a-z, 0-9 and _"),
        (&["--node-lease=100ms"], "--node-lease: must be from 500ms to 1d"),
        (&["--node-name=a\nb"], "--node-name: must be at most 255 bytes"),
        (&["--store=hooks.db"], "--store: must be sqlite: and a file"),
        (&["--admin-key=two words"], "--admin-key: must be"),
        (&["--allow-target=10.0.0.0/99"], "--allow-target: must be a network"),
        (&["--allow-http=maybe"], "--allow-http: must be true or false"),
        (&["--trust-root=nowhere.pem"], "--trust-root: nowhere.pem can't be read"),
        (&["--intent=sometimes"], "--intent: must be one of none, echo, challenge, options"),
        (&["--intent-timeout=0s"], "--intent-timeout: must be longer than 0s"),
        (&["--intent-timeout=31d"], "--intent-timeout: must be at most 30d"),
        (&["--event-types=lax"], "--event-types: must be strict or auto"),
        (&["--retry-schedule=5s,soon"], "--retry-schedule: must be a duration with a unit"),
        (&["--disable-after=0s"], "--disable-after: must be longer than 0s"),
        (&["--connect-timeout=20s"], "--connect-timeout: must not be longer than --attempt-timeout"),
        (&["--max-in-flight=0"], "--max-in-flight: must be a whole number from 1"),
        (&["--queue-bytes=1"], "--queue-bytes: must be a size with a unit"),
        (&["--shutdown-grace=30"], "--shutdown-grace: must be a duration with a unit"),
        (&["--log-format=xml"], "--log-format: must be auto, text or json"),
        (&["--log-level=info,=,"], "--log-level: must be a level"),
        (&["--public-url=hooks.example.com"], "--public-url: must be an http or https URL"),
        (&["--config=nowhere.toml"], "--config: can't be read"),
        (&["--no-such-setting"], "unexpected argument '--no-such-setting'"),
    ];
    for command in ["serve", "config"] {
        for (flags, expected) in cases {
            let words: Vec<&str> = [command].iter().chain(*flags).copied().collect();
            let complaint = refused(dir.path(), 2, &words, &[]);
            assert!(complaint.starts_with(&format!("error: {expected}")), "{words:?}: {complaint}");
        }
    }
    let complaint = refused(dir.path(), 2, &["serve"], &[("RESTHOOKS_MAX_IN_FLIGHT", "many")]);
    assert!(
        complaint.contains("--max-in-flight: ") && complaint.contains("(RESTHOOKS_MAX_IN_FLIGHT)"),
        "{complaint}"
    );
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing was begun");
}

#[test]
fn roots_are_read_before_anything_begins() {
    let dir = tempfile::tempdir().unwrap();
    let pem = rcgen::generate_simple_self_signed(["hooks.example".to_owned()]).unwrap().cert.pem();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("good.pem", &format!("{pem}{pem}"));
    write("empty.pem", "");
    write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let config = printed(dir.path(), &["config", "--trust-root=good.pem"], &[]);
    assert_eq!(line(&config, "trust_root"), ("[\"good.pem\"]", "--trust-root"));
    for (file, expected) in
        [("empty.pem", "holds no certificate"), ("broken.pem", "holds a certificate that can't be used")]
    {
        let complaint = refused(dir.path(), 2, &["serve", "--trust-root", file], &[]);
        assert!(complaint.contains(expected), "{complaint}");
    }
}

#[test]
fn a_file_is_refused_with_the_line() {
    let dir = tempfile::tempdir().unwrap();
    for (file, expected) in [
        (
            "listen = '127.0.0.1:1'\n\nmax_inflight = 3\n",
            "error: max_inflight: is not a setting (x.toml line 3)",
        ),
        ("[engine]\nmax_in_flight = 3\n", "error: engine: is not a setting (x.toml line 1)"),
        ("\nmax_in_flight = '3'\n", "error: max_in_flight: must be a number, not string (x.toml line 2)"),
        ("\n\nlisten = 'here'\n", "error: --listen: must be an address"),
        ("listen == 3\n", "error: --config: is not TOML"),
    ] {
        std::fs::write(dir.path().join("x.toml"), file).unwrap();
        let complaint = refused(dir.path(), 2, &["serve", "--config", "x.toml"], &[]);
        assert!(complaint.starts_with(expected), "{complaint}");
        assert!(complaint.contains("x.toml line"), "{complaint}");
    }
}

#[test]
fn bad_usage_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    refused(dir.path(), 2, &[], &[]);
    refused(dir.path(), 2, &["server"], &[]);
    refused(dir.path(), 2, &["key", "create"], &[]);
    refused(dir.path(), 2, &["key", "create", "--account=a", "--provider"], &[]);
    refused(dir.path(), 2, &["key", "revoke", "rhk_something"], &[]);
    refused(dir.path(), 2, &["listen", "--status=700"], &[]);
    let complaint = refused(dir.path(), 2, &["migrate", "--store=sqlite:x.db"], &[]);
    assert!(complaint.contains("--store: sqlite:x.db is a file"), "{complaint}");
    let complaint = refused(dir.path(), 2, &["nodes", "--url=http://127.0.0.1:1"], &[]);
    assert!(complaint.contains("--admin-key: must be given with --url"), "{complaint}");
    let complaint = refused(dir.path(), 2, &["key", "list", "--url=http://127.0.0.1:1"], &[]);
    assert!(complaint.contains("--admin-key: must be given with --url"), "{complaint}");
}

#[test]
fn keys_of_a_store_that_is_not_there_fail() {
    let dir = tempfile::tempdir().unwrap();
    let complaint = refused(dir.path(), 1, &["key", "list", "--store=sqlite:typo.db"], &[]);
    assert!(complaint.contains("there is no typo.db"), "{complaint}");
    assert!(!dir.path().join("typo.db").exists());
}
