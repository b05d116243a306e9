//! `resthooks demo`: needs nothing, shows everything, leaves nothing.

use std::time::Duration;

use super::cli::{resthooks, text};
use super::support::now;

#[test]
fn the_demo_ends_well_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let begun = now();
    let output = resthooks(dir.path(), &["demo"], &[("TMPDIR", dir.path().to_str().unwrap())]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(begun.elapsed() < Duration::from_secs(15), "it took {:?}", begun.elapsed());
    assert_eq!(err, "");
    assert!(!out.contains('\x1b'), "no colours where there is no terminal");
    assert_eq!(out.matches("signature verified").count(), 9, "{out}");
    assert_eq!(out.matches("verified  answered 500").count(), 2, "{out}");
    assert_eq!(out.matches("verified  answered 410").count(), 1, "{out}");
    assert!(out.contains("events         3"), "{out}");
    assert!(out.contains("6 delivered"), "{out}");
    assert!(out.contains("is gone"), "{out}");
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "it left something behind");
}
