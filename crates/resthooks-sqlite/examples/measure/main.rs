//! Measures the store by itself.
//!
//! - `cargo run --release -p resthooks-sqlite --example measure append [FOLDER] [ACCOUNTS] [EVENTS]`: for each batch
//!   size, one commit after the other, events per second with two deliveries each, CPU per event of the store's
//!   threads, how long commits took, how many bytes went into the write-ahead log per event, and how long that was.
//! - `… --example measure backlog [FOLDER] [ROWS]`: what a long backlog costs in memory and disk, and what asking
//!   for parts of it takes.

mod append;
mod backlog;
mod made;
mod process;

use std::path::PathBuf;

use resthooks::store::Error;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next();
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let mut number = |otherwise| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime needs only threads");
    match what.as_deref() {
        Some("append") => runtime.block_on(append::measure(&folder, number(100), number(200_000))),
        Some("backlog") => runtime.block_on(backlog::measure(&folder, number(1_000_000))),
        _ => {
            eprintln!("say append or backlog");
            Ok(())
        }
    }
}
