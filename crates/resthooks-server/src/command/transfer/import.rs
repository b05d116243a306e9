//! `resthooks import`: adds what is in an export to a store.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use resthooks::store::transfer::{Cursor, Item, Transfer};

use super::Place;
use super::file::{Counts, FORM, Line, Progress, say};
use crate::command::wait_for;
use crate::failure::Failure;
use crate::lifecycle::named;
use crate::settings::{GivenStore, Resolved};

/// Things that are added at once, unless they are large.
const STEP: usize = 500;
/// Bytes of lines that are added at once.
const STEP_BYTES: usize = 8 * 1024 * 1024;

/// The command's words.
#[derive(Debug, Args)]
#[command(after_help = "\
What is there already, by its id, is left as it is, so that an import that was cut is simply begun again. Deliveries that \
were not made yet are made by the next server that runs on the store, or at once by one that runs already on PostgreSQL. \
A SQLite store that is not there is made; one that is in use is refused. What is sealed in the file is opened with any of \
the secret keys that are given, and sealed with the first one: give the key of the store that it comes from behind this \
store's own.")]
pub(crate) struct Import {
    /// What `resthooks export` has written: a file, or - for standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    input: PathBuf,
    #[command(flatten)]
    given: GivenStore,
}

/// How far it is.
#[derive(Debug, Default)]
struct State {
    read: Counts,
    added: usize,
    at: Cursor,
    step: Vec<Item>,
    bytes: usize,
}

impl Import {
    pub(in crate::command) fn run(self) -> Result<(), Failure> {
        let settings = Resolved::load(&self.given.0)?.settings;
        wait_for(async {
            let mut input = self.open()?;
            let first = begin(&mut *input)?;
            let place = Place::open(&settings, false).await?;
            let store = place.transfer();
            let mut state = State { at: first, ..State::default() };
            let done = read(&mut *input, &*store, &mut state).await;
            // Also what was added before it was cut is to be delivered.
            let ended = store.end_import().await;
            let State { read, added, .. } = state;
            let done = done.with_context(|| {
                format!(
                    "after {} things of which {added} were not there before; import it again to go on",
                    read.items()
                )
            });
            place.close_after(done.and_then(|()| Ok(ended?))).await?;
            say(format_args!("imported {read}; {} of them were there already", read.items() - added as u64));
            Ok(())
        })
    }

    fn open(&self) -> anyhow::Result<Box<dyn BufRead + Send>> {
        if self.input.as_os_str() == "-" {
            return Ok(Box::new(BufReader::new(std::io::stdin())));
        }
        let file = File::open(&self.input).with_context(|| format!("--input: {}", self.input.display()))?;
        Ok(Box::new(BufReader::with_capacity(1 << 20, file)))
    }
}

/// The first line; where the export began.
fn begin(input: &mut dyn BufRead) -> anyhow::Result<Cursor> {
    let mut line = String::new();
    // Something else may have no lines at all.
    std::io::Read::take(&mut *input, 4096).read_line(&mut line)?;
    match serde_json::from_str(&line) {
        Ok(Line::ResthooksExport { form, after }) if form <= FORM => {
            Ok(after.parse().map_err(|_| anyhow::anyhow!("--input: the first line names no cursor"))?)
        }
        Ok(Line::ResthooksExport { form, .. }) => {
            bail!("--input: the file has form {form}, of a newer version; this one reads up to {FORM}")
        }
        _ => bail!("--input: this is not what `resthooks export` writes"),
    }
}

async fn read(input: &mut dyn BufRead, store: &dyn Transfer, state: &mut State) -> anyhow::Result<()> {
    let (mut line, mut progress) = (String::new(), Progress::default());
    loop {
        line.clear();
        input.read_line(&mut line).context("--input")?;
        // A line without its end is one that was cut.
        let parsed = if line.ends_with('\n') { Some(serde_json::from_str(&line)) } else { None };
        match parsed {
            Some(Ok(Line::Item(item))) => {
                state.bytes += line.len();
                state.step.push(item);
                if state.step.len() >= STEP || state.bytes >= STEP_BYTES {
                    add(store, state).await?;
                }
            }
            Some(Ok(Line::At(at))) => {
                state.at = at.parse().map_err(|_| anyhow::anyhow!("{at} is no cursor"))?;
                progress.at(&state.read, &state.at);
            }
            Some(Ok(Line::End(counts))) => {
                add(store, state).await?;
                if counts != state.read {
                    bail!("lines are missing: the file should hold {counts}, and holds {}", state.read);
                }
                return Ok(());
            }
            Some(Ok(Line::ResthooksExport { .. })) => {
                bail!("another export begins in the middle of this one")
            }
            Some(Err(error)) => bail!("a line can't be read: {error}"),
            None => {
                add(store, state).await?;
                bail!(
                    "the file was cut: what comes after {at} is missing; export it with --after {at}",
                    at = state.at
                );
            }
        }
    }
}

async fn add(store: &dyn Transfer, state: &mut State) -> anyhow::Result<()> {
    state.bytes = 0;
    let step = std::mem::take(&mut state.step);
    let mut read = state.read;
    step.iter().for_each(|item| read.add(item));
    state.added += store.import(step).await.map_err(named)?;
    state.read = read;
    Ok(())
}
