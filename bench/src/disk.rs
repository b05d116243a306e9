//! What the disk itself takes: appending a page and `fdatasync`, as a store must at least do before it says yes.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::samples::Samples;

/// Bytes per append.
const PAGE: usize = 4096;
/// Appends.
const TIMES: usize = 200;

/// Between two appends beside something else.
const PAUSE: Duration = Duration::from_millis(40);
/// Of these, so many at most.
const MOST_BESIDE: usize = 20_000;

/// Milliseconds of each append with its `fdatasync`, in this folder.
pub(crate) fn sync_ms(folder: &Path) -> anyhow::Result<Samples> {
    appends(folder, TIMES, Duration::ZERO, &AtomicBool::new(false))
}

/// The same beside something else, a few times a second for as long as it takes: whether a slow moment was the disk's.
pub(crate) fn beside<T>(
    folder: &Path,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Samples)> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let probe = scope.spawn(|| appends(folder, MOST_BESIDE, PAUSE, &is_over));
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        let samples = probe.join().map_err(|_| anyhow::anyhow!("the probe of the disk failed"))?;
        Ok((done?, samples?))
    })
}

fn appends(folder: &Path, times: usize, pause: Duration, is_over: &AtomicBool) -> anyhow::Result<Samples> {
    let path = folder.join("fdatasync.probe");
    let mut file = File::create(&path)?;
    let mut samples = Samples::default();
    while samples.len() < times && !is_over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        file.write_all(&[7; PAGE])?;
        file.sync_data()?;
        samples.push(begun.elapsed().as_secs_f64() * 1000.0);
        std::thread::sleep(pause);
    }
    std::fs::remove_file(path)?;
    Ok(samples)
}
