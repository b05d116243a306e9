//! What the disk itself takes: appending a page and `fdatasync`, as a store must at least do before it says yes.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::samples::Samples;

/// Bytes per append.
const PAGE: usize = 4096;
/// Appends.
const TIMES: usize = 200;

/// Milliseconds of each append with its `fdatasync`, in this folder.
pub(crate) fn sync_ms(folder: &Path) -> anyhow::Result<Samples> {
    let path = folder.join("fdatasync.probe");
    let mut file = File::create(&path)?;
    let mut samples = Samples::default();
    for _ in 0..TIMES {
        let begun = Instant::now();
        file.write_all(&[7; PAGE])?;
        file.sync_data()?;
        samples.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    std::fs::remove_file(path)?;
    Ok(samples)
}
