//! The operating system's wishes: that the program ends, or that it reads its files again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C and SIGTERM. From when this is made, neither ends the process by itself.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Option<Signal>,
}

/// What is wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// To end, and the signal's name.
    Stop(&'static str),
    /// To read files again.
    Reload,
}

impl Signals {
    /// Begins to catch them. Must be called within a tokio runtime.
    pub(crate) fn catch() -> io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, hang_up: None })
    }

    /// Catches SIGHUP as well, where there are files to read again. Elsewhere it ends the process, as it always does
    /// when a terminal goes away.
    pub(crate) fn catch_hang_up(&mut self) -> io::Result<()> {
        self.hang_up = Some(signal(SignalKind::hangup())?);
        Ok(())
    }

    /// The next one that ends the program: its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// The next wish.
    pub(crate) async fn wish(&mut self) -> Wish {
        let hung_up = async {
            match &mut self.hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop("SIGINT"),
            _ = self.terminate.recv() => Wish::Stop("SIGTERM"),
            _ = hung_up => Wish::Reload,
        }
    }
}
