//! The verifiers, and how they are run. Those in other languages are installed once for each set of versions, below the target
//! directory; a tool that is missing fails the test, and says what to do.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;

use super::Case;

/// What one says of a case; why it refuses, if it does.
#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    pub(super) name: String,
    pub(super) why: Option<String>,
}

/// Judges cases, in their order.
type Judge = fn(&[Case]) -> Vec<Verdict>;

/// All of them, by name.
pub(super) const JUDGES: [(Judge, &str); 3] =
    [(rust, "the one from crates.io"), (python, "the one from PyPI"), (node, "the one from npm")];

/// All that is installed, so that nothing is chosen by the day.
const FROM_PYPI: [&str; 4] =
    ["standardwebhooks==1.1.0", "cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.12"];
const FROM_NPM: &str = r#"{"private": true, "dependencies":
{"standardwebhooks": "1.1.1", "@stablelib/base64": "1.0.1", "fast-sha256": "1.3.0"}}"#;

fn rust(cases: &[Case]) -> Vec<Verdict> {
    let judge = |case: &Case| {
        let headers: HeaderMap = case
            .headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let verified = standardwebhooks::Webhook::new(&case.key).unwrap().verify(&case.body, &headers);
        Verdict { name: case.name.clone(), why: verified.err().map(|error| error.to_string()) }
    };
    cases.iter().map(judge).collect()
}

fn python(cases: &[Case]) -> Vec<Verdict> {
    let home = installed("python", &FROM_PYPI.join(" "), |home| {
        let apt = "python3 with its module venv (Debian: python3-venv)";
        run(Command::new("python3").args(["-m", "venv"]).arg(home), apt, None);
        let mut pip = Command::new(home.join("bin/python"));
        let install =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"];
        run(pip.args(install).args(FROM_PYPI), "pip, and a way to PyPI", None);
    });
    let mut command = Command::new(home.join("bin/python"));
    judged(command.arg("-c").arg(include_str!("verify.py")), "python3", cases)
}

fn node(cases: &[Case]) -> Vec<Verdict> {
    let home = installed("node", FROM_NPM, |home| {
        std::fs::write(home.join("package.json"), FROM_NPM).unwrap();
        let install =
            ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"];
        run(
            Command::new("npm").args(install).current_dir(home),
            "npm, and a way to its registry (Debian: npm)",
            None,
        );
    });
    let script = home.join("verify.mjs");
    std::fs::write(&script, include_str!("verify.mjs")).unwrap();
    judged(Command::new("node").arg(script).arg(&home), "node (Debian: nodejs)", cases)
}

/// Where these versions are installed, once for all runs. One that was broken off left nothing of that name.
fn installed(language: &str, versions: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let tag: String =
        hmac_sha256::Hash::hash(versions.as_bytes()).iter().take(6).map(|b| format!("{b:02x}")).collect();
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let home = all.join(format!("verifiers-{language}-{tag}"));
    if !home.exists() {
        let fresh = tempfile::Builder::new().prefix("verifiers-").tempdir_in(all).unwrap();
        install(fresh.path());
        // Another run may have been quicker; its is as good.
        if std::fs::rename(fresh.path(), &home).is_err() {
            assert!(home.exists(), "{} can't be made", home.display());
        }
    }
    home
}

fn judged(command: &mut Command, needs: &str, cases: &[Case]) -> Vec<Verdict> {
    let cases: Vec<Value> = cases.iter().map(Case::to_json).collect();
    let said = run(command, needs, Some(Value::from(cases).to_string()));
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a program prints; the test ends when it is not there, or fails.
fn run(command: &mut Command, needs: &str, input: Option<String>) -> String {
    let hint = format!("this test needs {needs}: ./test.sh installs it");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{hint}; {command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || {
        // One that does not read ends with an error, which is told below.
        let _ = input.map(|input| stdin.write_all(input.as_bytes()));
    });
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{hint}; {command:?} failed: {out}{err}");
    out.into_owned()
}
