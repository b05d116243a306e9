//! `resthooks export`: writes everything that a store holds into a file.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use resthooks::store::transfer::{Cursor, Transfer};

use super::Place;
use super::file::{Counts, FORM, Line, Progress, say};
use crate::command::wait_for;
use crate::failure::Failure;
use crate::settings::{GivenStore, Resolved};

/// Things that are read at once.
const PAGE: usize = 500;

/// The command's words.
#[derive(Debug, Args)]
#[command(after_help = "\
Signing secrets and the headers of subscriptions are sealed in the file, as they are in the store: whoever imports it needs \
this store's secret key. The hashes of API keys and every event's data are in clear. It is made readable for its owner \
alone; keep it so. It is made of lines of JSON; `resthooks import` reads it.

Stop the servers first: a SQLite store that is in use is refused, and what nodes on PostgreSQL change meanwhile may be \
missing. An export that was cut is gone on with by --after and the last cursor that was printed, into another file; both \
are imported, one after the other.")]
pub(crate) struct Export {
    /// Where to: a file that is not there yet, or - for standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Go on from here
    #[arg(long, value_name = "CURSOR", default_value = "start", value_parser = parse_cursor)]
    after: Cursor,
    #[command(flatten)]
    given: GivenStore,
}

fn parse_cursor(text: &str) -> Result<Cursor, String> {
    text.parse().map_err(|invalid: resthooks::model::Invalid| invalid.0)
}

impl Export {
    pub(in crate::command) fn run(self) -> Result<(), Failure> {
        let settings = Resolved::load(&self.given.0)?.settings;
        wait_for(async {
            let place = Place::open(&settings, true).await?;
            let mut at = self.after.clone();
            let done = self.write(&*place.transfer(), &mut at).await;
            let done = done.with_context(|| format!("the export was cut at {at}: go on with --after {at}"));
            let counts = place.close_after(done).await?;
            say(format_args!("exported {counts}"));
            Ok(())
        })
    }

    async fn write(&self, store: &dyn Transfer, at: &mut Cursor) -> anyhow::Result<Counts> {
        for hindrance in store.hindrances().await? {
            say(format_args!("warning: {hindrance}"));
        }
        let mut output = self.open()?;
        line(&mut output, &Line::ResthooksExport { form: FORM, after: at.to_string() })?;
        let (mut counts, mut progress) = (Counts::default(), Progress::default());
        loop {
            let page = store.export(at, PAGE).await?;
            let Some((_, last)) = page.last() else { break };
            let last = last.clone();
            for (item, _) in page {
                counts.add(&item);
                line(&mut output, &Line::Item(item))?;
            }
            line(&mut output, &Line::At(last.to_string()))?;
            // What is said to be exported is in the file.
            output.flush()?;
            *at = last;
            progress.at(&counts, at);
        }
        line(&mut output, &Line::End(counts))?;
        output.flush()?;
        Ok(counts)
    }

    fn open(&self) -> anyhow::Result<Box<dyn Write + Send>> {
        if self.output.as_os_str() == "-" {
            return Ok(Box::new(BufWriter::new(std::io::stdout())));
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file =
            options.open(&self.output).with_context(|| format!("--output: {}", self.output.display()))?;
        Ok(Box::new(BufWriter::with_capacity(1 << 20, file)))
    }
}

fn line(output: &mut impl Write, line: &Line) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    output.write_all(b"\n")?;
    Ok(())
}
