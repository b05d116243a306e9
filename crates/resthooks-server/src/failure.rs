//! How a command ends when it doesn't succeed, and with which exit code.

use std::process::ExitCode;

use crate::settings;

/// Why a command ended before it was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Bad usage or configuration; nothing was begun.
    #[error("{0}")]
    Usage(String),
    /// It failed while it ran.
    #[error("{}", chain(.0))]
    Running(anyhow::Error),
}

impl Failure {
    /// 2 for bad usage or configuration, 1 for what failed while running.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Running(_) => ExitCode::from(1),
        }
    }
}

impl From<settings::Error> for Failure {
    fn from(error: settings::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Running(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Running(error.into())
    }
}

/// An error and its causes in one line. A cause that its error repeats already is left out.
fn chain(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |mut line, cause| {
        let cause = cause.to_string();
        if !line.contains(&cause) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause);
        }
        line
    })
}
