//! What the demo shows: each arrival as it happens, and keeps for the judgement.

use std::pin::pin;
use std::time::Duration;

use resthooks::env::{Clock as _, SystemClock};
use tokio::sync::mpsc;

use super::targets::Arrival;
use crate::terminal::{self, Colour, Screen};

/// Prints a headline.
pub(super) fn headline(screen: Screen, text: &str) {
    terminal::line(format_args!("\n{}", screen.paint(Colour::Bold, text)));
}

/// Prints something that the API was asked for, and its answer.
pub(super) fn step(screen: Screen, request: &str, answer: &str) {
    terminal::line(format_args!("  {request:<32}  {}", screen.paint(Colour::Dim, answer)));
}

/// Shows arrivals, and keeps them.
#[derive(Debug)]
pub(super) struct Watched {
    screen: Screen,
    clock: SystemClock,
    incoming: mpsc::UnboundedReceiver<Arrival>,
    begun: Duration,
    /// All that have arrived.
    pub seen: Vec<Arrival>,
}

impl Watched {
    pub(super) fn new(
        screen: Screen,
        clock: SystemClock,
        incoming: mpsc::UnboundedReceiver<Arrival>,
    ) -> Self {
        Self { screen, clock, incoming, begun: clock.monotonic(), seen: Vec::new() }
    }

    /// From now on times are shown since now.
    pub(super) fn begin(&mut self) {
        self.begun = self.clock.monotonic();
    }

    /// Shows what arrives until `done`.
    pub(super) async fn until(
        &mut self,
        done: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let mut done = pin!(done);
        let result = loop {
            tokio::select! {
                Some(arrival) = self.incoming.recv() => self.take(arrival),
                result = &mut done => break result,
            }
        };
        while let Ok(arrival) = self.incoming.try_recv() {
            self.take(arrival);
        }
        result
    }

    fn take(&mut self, arrival: Arrival) {
        show(self.screen, arrival.after.saturating_sub(self.begun), &arrival);
        self.seen.push(arrival);
    }
}

fn show(screen: Screen, after: Duration, arrival: &Arrival) {
    let Arrival { at, event, attempt, answered, verified, .. } = arrival;
    let verdict = match verified {
        Ok(()) => screen.paint(Colour::Green, "signature verified"),
        Err(why) => screen.paint(Colour::Red, format_args!("signature wrong: it {why}")),
    };
    let colour = match answered.as_u16() {
        200..=299 => Colour::Green,
        410 => Colour::Yellow,
        _ => Colour::Red,
    };
    let answered = screen.paint(colour, format_args!("answered {}", answered.as_u16()));
    let after = after.as_millis();
    terminal::line(format_args!(
        "  +{after:>4} ms  {:<5}  {event:<14}  attempt {attempt}  {verdict}  {answered}",
        at.name()
    ));
}
