//! Tables that change while they are watched: the application's statements never fail for it.

use serde_json::json;

use crate::app::App;

#[tokio::test(flavor = "multi_thread")]
async fn columns_may_come_go_and_get_other_names() {
    let app = App::with_contacts().await;
    app.run("INSERT INTO contact VALUES (1, 'a', 'x')").await;
    app.told().await;
    app.run("ALTER TABLE contact ADD COLUMN city text DEFAULT 'Rome'").await;
    // The first statement after a change is told of by another way than the next.
    for (city, rows) in [("Oslo", 1), ("Bern", 300)] {
        app.run(&format!("INSERT INTO contact SELECT i, 'a' FROM generate_series(2, {rows}) AS i")).await;
        app.run(&format!("UPDATE contact SET city = '{city}'")).await;
        let told = app.told().await;
        let last = told.last().unwrap();
        assert_eq!((&last.data["changed"], &last.data["city"]), (&json!(["city"]), &json!(city)), "{rows}");
        assert_eq!(told.iter().filter(|t| t.event == "contact.update").count(), rows);
    }
    app.run("ALTER TABLE contact DROP COLUMN name; ALTER TABLE contact RENAME score TO points").await;
    for points in [8, 9] {
        app.run(&format!("UPDATE contact SET points = {points} WHERE id = 1")).await;
        let told = app.told().await;
        let data = json!({"id": 1, "owner_id": "a", "points": points, "city": "Bern", "changed": ["points"]});
        assert_eq!(told[0].data, data);
    }
    app.run("ALTER TABLE contact ALTER COLUMN points TYPE text; ALTER TABLE contact RENAME TO person").await;
    for points in ["8", "9"] {
        app.run(&format!("UPDATE person SET points = '{points}' WHERE id = 1")).await;
        assert_eq!(app.told().await.len(), usize::from(points == "8") + usize::from(points == "9"));
    }
    app.run("TRUNCATE person").await;
    assert_eq!(app.told().await.len(), 300);
    assert!(app.refused().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_right_in_its_own_transaction_and_when_that_is_undone() {
    let app = App::with_contacts().await;
    app.run("INSERT INTO contact VALUES (1, 'a', 'x')").await;
    app.run("BEGIN; ALTER TABLE contact ADD COLUMN city text; UPDATE contact SET city = 'Rome'; UPDATE contact SET city = 'Bern'; ROLLBACK")
        .await;
    app.run("UPDATE contact SET name = 'y'").await;
    let told = app.told().await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].data, json!({"id": 1, "owner_id": "a", "name": "y", "score": 0, "changed": ["name"]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_transactions_may_meet_a_changed_table_at_once() {
    let app = App::with_contacts().await;
    app.run(
        "INSERT INTO contact VALUES (1, 'a', 'x'), (2, 'a', 'x'); ALTER TABLE contact ADD COLUMN city text",
    )
    .await;
    app.told().await;
    let other = app.own.client().await;
    app.run("BEGIN; UPDATE contact SET city = 'Rome' WHERE id = 1").await;
    // Does not wait for the other, who is at putting the functions right.
    other
        .batch_execute("SET statement_timeout = '10s'; UPDATE contact SET city = 'Bern' WHERE id = 2")
        .await
        .unwrap();
    app.run("COMMIT").await;
    other.batch_execute("UPDATE contact SET city = 'Oslo'").await.unwrap();
    assert_eq!(app.told().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_account_column_the_loss_is_noted_and_nothing_fails() {
    let app = App::with_contacts().await;
    app.run("INSERT INTO contact VALUES (1, 'a', 'x'); ALTER TABLE contact RENAME owner_id TO tenant").await;
    app.told().await;
    app.run("INSERT INTO contact VALUES (2, 'a'); UPDATE contact SET name = 'z'; TRUNCATE contact").await;
    assert!(app.told().await.is_empty());
    let refused = app.refused().await;
    let events: Vec<_> = refused.iter().map(|(event, _)| event.as_str()).collect();
    assert_eq!(events, ["contact.create", "contact.update", "contact.delete"]);
    assert!(refused[0].1.contains("has lost the columns"), "{refused:?}");
    assert_eq!(app.store.watched().await.unwrap()[0].trouble.as_deref(), Some("column \"owner_id\" is gone"));
    let mut words = app.words("contact", "contact");
    words.account_column = "tenant".to_owned();
    assert!(app.store.watch(&words).await.unwrap());
    app.run("INSERT INTO contact VALUES (3, 'a')").await;
    assert_eq!(app.told().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_the_table_needs_no_right_on_the_hooks() {
    let app = App::with_contacts().await;
    let (own, role) = (&app.own.name, format!("{} writer", app.own.name));
    app.run(&format!(
        "CREATE ROLE \"{role}\"; GRANT USAGE ON SCHEMA \"{own}\" TO \"{role}\"; \
         GRANT INSERT, UPDATE, SELECT, DELETE, TRUNCATE ON contact TO \"{role}\"; SET ROLE \"{role}\""
    ))
    .await;
    app.run(
        "INSERT INTO contact SELECT i, 'a' FROM generate_series(1, 200) AS i; UPDATE contact SET score = 1",
    )
    .await;
    app.run("DELETE FROM contact WHERE id = 1; RESET ROLE; ALTER TABLE contact ADD COLUMN city text").await;
    app.run(&format!("SET ROLE \"{role}\"; UPDATE contact SET city = 'Rome'; TRUNCATE contact; RESET ROLE"))
        .await;
    assert_eq!(app.told().await.len(), 200 + 200 + 1 + 199 + 199);
    app.run(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"")).await;
}
