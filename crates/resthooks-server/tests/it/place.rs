//! Where the store under test is: in a file of its own.

use std::path::Path;

use super::support::Setup;

/// One test's store, and the directory in which its program runs.
#[derive(Debug)]
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The flags by which a server finds it: none.
    #[expect(clippy::unused_self, reason = "another store needs some")]
    pub(crate) const fn flags(&self) -> [String; 0] {
        []
    }

    /// What a server that starts says of it.
    #[expect(clippy::unused_self, reason = "another store has a name of its own")]
    pub(crate) fn greeting(&self) -> String {
        "store: sqlite:resthooks.db".to_owned()
    }
}

impl Setup {
    /// Development mode, any free port, and a store in a directory that goes with the last copy of this.
    pub(crate) fn new() -> Self {
        Self::on("sqlite:hooks.db")
    }
}

/// All that is of the store, byte by byte, each part with its place.
pub(crate) fn store_as_it_lies(setup: &Setup) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(setup.dir()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        if name.starts_with("hooks.db") && !bytes.is_empty() {
            all.push((format!("the store's {name}"), bytes));
        }
    }
    assert!(all.iter().any(|(place, _)| place == "the store's hooks.db"), "{all:?}");
    all
}
