//! What is logged, where to and in which form. Logs go to stderr: stdout belongs to what a command answers.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::settings::LogFormat;

/// A filter that can be read, unchanged.
///
/// # Errors
/// Says what was expected.
pub(crate) fn check_filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(e) => Err(format!("must be a level, or levels per module, such as info,resthooks=debug: {e}")),
    }
}

/// What is logged: as the operator says, but for the database's notices, unless they are asked for by name.
fn filter(text: &str) -> EnvFilter {
    let filter = EnvFilter::new(text);
    match "tokio_postgres=warn".parse() {
        Ok(quiet) if !text.contains("tokio_postgres") => filter.add_directive(quiet),
        _ => filter,
    }
}

/// Begins to log. Only the first call in a process counts.
pub(crate) fn init(format: LogFormat, level: &str) {
    let is_terminal = std::io::stderr().is_terminal();
    let as_json = match format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .with_ansi(is_terminal && crate::terminal::wants_colour());
    // A second subscriber is refused; the first one goes on, which is what is wanted.
    let _ = if as_json {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        builder.try_init()
    };
}
