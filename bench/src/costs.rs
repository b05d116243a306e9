//! Processor time of all that take part, each apart.

use crate::outside::{cpu_seconds, family_cpu_seconds, machine_cpu_seconds};
use crate::receiver::Receiver;
use crate::server::Nodes;

/// Seconds, or whatever they were divided into.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Costs {
    /// All nodes together.
    pub nodes: f64,
    /// PostgreSQL with all of its processes.
    pub database: f64,
    /// The bench itself: its load generator, or the bare client.
    pub load: f64,
    pub receiver: f64,
    /// All of the machine: what of it is nobody's of the above is the kernel's own, and that of others who disturb.
    pub machine: f64,
}

impl Costs {
    /// Up to now, of those that there are.
    pub(crate) fn now(nodes: Option<&Nodes<'_>>, receiver: Option<&Receiver>) -> anyhow::Result<Self> {
        let (load, machine) = (cpu_seconds(std::process::id())?, machine_cpu_seconds()?);
        let mut costs = Self { load, machine, ..Self::default() };
        if let Some(nodes) = nodes {
            for pid in nodes.pids() {
                costs.nodes += cpu_seconds(pid)?;
            }
            if let Some(database) = nodes.database() {
                costs.database = family_cpu_seconds(database.pid()?)?;
            }
        }
        if let Some(receiver) = receiver {
            costs.receiver = cpu_seconds(receiver.pid())?;
        }
        Ok(costs)
    }

    /// Microseconds since then for each of so many things.
    pub(crate) fn micros_since(self, before: Self, things: u64) -> Self {
        let micros = |now: f64, then: f64| (now - then) * 1e6 / things as f64;
        Self {
            nodes: micros(self.nodes, before.nodes),
            database: micros(self.database, before.database),
            load: micros(self.load, before.load),
            receiver: micros(self.receiver, before.receiver),
            machine: micros(self.machine, before.machine),
        }
    }

    /// The share of what the machine did that was not for this, in percent.
    pub(crate) fn others(self) -> f64 {
        (100.0 - self.sum() / self.machine * 100.0).max(0.0)
    }

    /// All that take part together.
    pub(crate) fn sum(self) -> f64 {
        self.nodes + self.database + self.load + self.receiver
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_of_each_thing() {
        let before = Costs { nodes: 1.0, database: 2.0, machine: 7.0, ..Costs::default() };
        let after = Costs { nodes: 1.5, database: 2.25, load: 0.125, receiver: 0.125, machine: 9.0 };
        let each = after.micros_since(before, 1_000_000);
        assert_eq!((each.nodes, each.database, each.sum(), each.others()), (0.5, 0.25, 1.0, 50.0));
    }
}
