//! A long backlog: what is asked all the time costs by what is asked for, not by what waits.

use std::time::Duration;

use resthooks::model::{DeliveryStatus, NodeNo, SubscriptionNo};
use resthooks::store::{LeaseDue, Settle};
use resthooks_store_test::lab::at;
use resthooks_store_test::run;
use tokio_postgres::Client;

use crate::place::Schema;

const ROWS: i64 = 100_000;

/// Scheduled deliveries of a node, due one millisecond after the other, with their events.
async fn fill(client: &Client, node: NodeNo, to: SubscriptionNo) {
    let first = at(0).as_millis() << 21;
    client
        .batch_execute(&format!(
            "INSERT INTO event (seq, created_at, uid, account, name, matched, data)
             SELECT {first} + n * 2048, {start}, gen_random_uuid(), 'a', 'a.b', '\\x010101', '7'
             FROM generate_series(1, {ROWS}) n;
             INSERT INTO delivery (event_seq, subscription, sequence, updated_at, attempts, automatic, status, account,
                 next_attempt_at, node)
             SELECT seq, {to}, 1, 0, 0, 0, 1, 'a', {start} + row_number() OVER (ORDER BY seq), {node} FROM event;",
            start = at(0).as_millis(),
            to = to.0,
            node = node.0
        ))
        .await
        .unwrap();
}

/// The rows that this transaction has read, from tables and by indexes.
async fn read(client: &Client) -> i64 {
    let ask = "SELECT (sum(seq_tup_read) + sum(coalesce(idx_tup_fetch, 0)))::bigint FROM pg_stat_xact_user_tables \
               WHERE schemaname = current_schema()";
    client.query_one(ask, &[]).await.unwrap().get(0)
}

/// All of it goes over in steps; leasing and settling read what they take.
#[test]
fn it_is_taken_over_in_steps_and_used_in_parts() {
    let schema = Schema::new();
    let name = schema.name.clone();
    run(schema, async |lab| {
        let client = Schema::client_of(&name).await;
        let to = lab.subscribe("a").await;
        let gone = lab.another_for(Duration::from_millis(1)).await;
        // Its partitions are there with the first of them.
        gone.schedule(&to, at(500_000)).await;
        client.batch_execute("DELETE FROM delivery; DELETE FROM event").await.unwrap();
        fill(&client, gone.node(), to.no).await;
        while !lab.store().take_over(lab.node(), true).await.unwrap().contains(&gone.node()) {}

        let (mut moved, mut steps) = (0, 0);
        loop {
            let step = lab.store().inherit(lab.node(), gone.node(), 20_000).await.unwrap();
            moved += step.backlog.iter().map(|one| one.scheduled).sum::<u64>();
            steps += 1;
            if step.done {
                break;
            }
        }
        assert_eq!(moved, ROWS.unsigned_abs());
        assert!(steps >= 5, "{steps} steps");

        let mut except = Vec::new();
        for _ in 0..2 {
            let ask = LeaseDue {
                node: lab.node(),
                subscription: to.no,
                now: at(ROWS),
                limit: 50,
                except: except.clone(),
            };
            let leased = lab.store().lease_due(ask).await.unwrap();
            assert_eq!(leased.deliveries.len(), 50);
            except.extend(leased.deliveries.iter().map(|one| one.event.seq));
            assert_eq!(leased.next_due, Some(at(i64::try_from(except.len()).unwrap() + 1)));
        }
        let hold = Settle {
            node: lab.node(),
            subscription: to.no,
            from: DeliveryStatus::Scheduled,
            to: DeliveryStatus::Held,
            reason: None,
            now: at(5),
            limit: 500,
            except,
        };
        assert_eq!(lab.store().settle(hold).await.unwrap(), 500);
        costs(&client, lab.node(), to.no).await;
    });
}

/// The same by hand, so that what it reads can be asked in its own transaction.
async fn costs(client: &Client, node: NodeNo, to: SubscriptionNo) {
    let slot: i32 = client.query_one("SELECT slot FROM node WHERE no = $1", &[&node.0]).await.unwrap().get(0);
    let due = at(ROWS).as_millis();
    for (what, call) in [
        (
            "lease",
            format!("SELECT FROM lease_due({}, {slot}, {}, {due}, 100, 1000000, '{{}}')", node.0, to.0),
        ),
        (
            "settle",
            format!(
                "SELECT settle({}, {slot}, {}, 1::smallint, 2::smallint, NULL, NULL, 0, 100, '{{}}')",
                node.0, to.0
            ),
        ),
    ] {
        client.batch_execute("BEGIN").await.unwrap();
        let before = read(client).await;
        client.batch_execute(&call).await.unwrap();
        let rows = read(client).await - before;
        client.batch_execute("COMMIT").await.unwrap();
        assert!(rows < 3_000, "{what} of 100 among {ROWS} reads {rows} rows");
    }
}
