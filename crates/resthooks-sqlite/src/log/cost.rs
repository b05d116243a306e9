//! That what is asked all the time costs by what is asked for, not by what waits.

use resthooks::model::{DeliveryStatus, EventSeq, NodeNo, SubscriptionNo, Timestamp};
use resthooks::seal::Vault;
use resthooks::store::{LeaseDue, Settle};
use rusqlite::{Connection, StatementStatus};

use super::due::DUE;
use super::settle::WAITING;
use super::{lease_due, settle};
use crate::memory::Memory;
use crate::schema::in_memory;
use crate::writer::Work;

const BACKLOG: i64 = 20_000;

/// A subscription with a long backlog, due one after the other.
fn backlog() -> Connection {
    let connection = in_memory();
    connection
        .execute_batch(&format!(
            "INSERT INTO account (no, id, created_at) VALUES (1, 'a', 0); INSERT INTO event_name VALUES (1, 'a.b');
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {BACKLOG})
             INSERT INTO event (seq, uid, account, name, created_at, matched, data)
             SELECT n, CAST(printf('%016d', n) AS BLOB), 1, 1, 0, x'010101', x'30' FROM n;
             INSERT INTO delivery (event_seq, subscription, account, status, sequence, attempts, automatic,
             next_attempt_at, updated_at) SELECT seq, 1, 1, 1, seq, 0, 0, seq, 0 FROM event;"
        ))
        .unwrap();
    connection
}

/// The steps that SQLite's machine made for a statement since the last time.
fn steps(connection: &Connection, sql: &str) -> i32 {
    connection.prepare_cached(sql).unwrap().reset_status(StatementStatus::VmStep)
}

#[test]
fn leasing_costs_by_what_is_leased() {
    let connection = backlog();
    let now = Timestamp::from_millis(BACKLOG);
    let except = (1..=100).map(EventSeq).collect();
    let ask = LeaseDue { node: NodeNo(1), subscription: SubscriptionNo(1), now, limit: 50, except };
    let leased = lease_due(&connection, &ask).unwrap();
    assert_eq!(leased.deliveries.first().unwrap().event.seq, EventSeq(101));
    assert_eq!((leased.deliveries.len(), leased.next_due), (50, Some(Timestamp::from_millis(151))));
    let steps = steps(&connection, DUE);
    assert!(steps > 0 && steps < 5_000, "{steps} steps for 151 rows of {BACKLOG}");
}

#[test]
fn settling_costs_by_what_is_moved() {
    let connection = backlog();
    let mut memory = Memory::default();
    memory.reload(&connection).unwrap();
    let vault = Vault::ephemeral();
    let mut work = Work { connection: &connection, memory: &mut memory, vault: &vault };
    let ask = Settle {
        node: NodeNo(1),
        subscription: SubscriptionNo(1),
        from: DeliveryStatus::Scheduled,
        to: DeliveryStatus::Cancelled,
        reason: None,
        now: Timestamp::EPOCH,
        limit: 100,
        except: (1..=50).map(EventSeq).collect(),
    };
    assert_eq!(settle(&mut work, &ask).unwrap(), 100);
    let steps = steps(&connection, WAITING);
    assert!(steps > 0 && steps < 5_000, "{steps} steps for 150 rows of {BACKLOG}");
}
