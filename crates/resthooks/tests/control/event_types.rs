//! The catalogue, and what it means for events.

use resthooks::store::Page;
use resthooks::{Error, EventTypeInput, NewEvent, Scope};
use serde_json::{Value, json};

use crate::app::{App, account, code, event, fields, own, page, subscribe};

fn with_schema() -> EventTypeInput {
    EventTypeInput {
        description: Some("A contact was created.".to_owned()),
        schema: Some(
            json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}),
        ),
        sample: Some(json!({"id": 1})),
        resource_url: Some("https://api.example.com/contacts/{id}".to_owned()),
        archived: false,
    }
}

#[tokio::test]
async fn created_replaced_read_and_deleted() {
    let app = App::with(|_| ()).await;
    let name = event("contact.create");
    let created = app.hooks.create_event_type(name.clone(), with_schema()).await.unwrap();
    assert_eq!(code(app.hooks.create_event_type(name.clone(), with_schema()).await), "already_exists");
    let app = app.restart().await;
    assert_eq!(app.hooks.event_type(&name).unwrap(), created);

    app.tick();
    let input = EventTypeInput { archived: true, ..EventTypeInput::default() };
    let (replaced, new) = app.hooks.put_event_type(name.clone(), input.clone()).await.unwrap();
    assert!(!new && replaced.archived && replaced.schema.is_none());
    assert_eq!((replaced.created_at, replaced.updated_at), (created.created_at, app.now()));
    assert!(app.hooks.put_event_type(event("deal.create"), input).await.unwrap().1);

    app.hooks.delete_event_type(&name).await.unwrap();
    assert_eq!(code(app.hooks.delete_event_type(&name).await), "not_found");
    assert_eq!(code(app.hooks.event_type(&name)), "not_found");
    let app = app.restart().await;
    assert_eq!(code(app.hooks.event_type(&name)), "not_found");
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let app = App::with(|_| ()).await;
    let put = async |input| fields(app.hooks.put_event_type(event("a.b"), input).await);
    let wrong = EventTypeInput {
        description: Some("x".repeat(1025)),
        schema: Some(json!({"type": "strange"})),
        resource_url: Some("https://{host}/".to_owned()),
        ..with_schema()
    };
    assert_eq!(put(wrong).await, ["description", "schema", "resource_url"]);
    let unfit = EventTypeInput { sample: Some(json!({"id": "x"})), ..with_schema() };
    assert_eq!(put(unfit).await, ["sample"]);
    let remote =
        EventTypeInput { schema: Some(json!({"$ref": "https://example.com/s.json"})), ..with_schema() };
    assert_eq!(put(remote).await, ["schema"]);
    let big = EventTypeInput {
        schema: Some(json!({"description": "x".repeat(256 * 1024)})),
        sample: Some(json!("x".repeat(256 * 1024))),
        resource_url: Some("x".to_owned()),
        ..with_schema()
    };
    assert_eq!(put(big).await, ["schema", "sample", "resource_url"]);
    assert!(app.hooks.event_types(page(9)).items.is_empty());
}

#[tokio::test]
async fn listed_by_name_in_pages() {
    let app = App::with(|_| ()).await;
    for name in ["deal.create", "contact.create", "contact.delete"] {
        app.register(name).await;
    }
    let first = app.hooks.event_types(page(2));
    let names: Vec<&str> = first.items.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["contact.create", "contact.delete"]);
    let rest = app.hooks.event_types(Page { after: first.next, limit: 2 });
    assert_eq!((rest.items.len(), rest.items[0].name.as_str(), rest.next), (1, "deal.create", None));
}

#[tokio::test]
async fn events_are_judged_by_their_type() {
    let app = App::with(|_| ()).await;
    app.hooks.create_event_type(event("contact.create"), with_schema()).await.unwrap();
    let emit = async |name: &str, data: &'static str| {
        app.hooks.emit_event(NewEvent::new(account("acme"), event(name), data.into())).await
    };
    assert!(emit("contact.create", r#"{"id": 1}"#).await.is_ok());
    let Err(Error::Invalid(wrong)) = emit("contact.create", r#"{"id": "secret"}"#).await else { panic!() };
    assert_eq!((wrong[0].field.as_str(), wrong.len()), ("data", 1));
    assert!(wrong[0].message.contains("/id") && !wrong[0].message.contains("secret"), "{}", wrong[0].message);
    assert!(
        matches!(emit("contact.delete", "1").await, Err(Error::UnknownEventType { name, .. }) if name == "contact.delete")
    );

    let archived = EventTypeInput { archived: true, ..with_schema() };
    app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap();
    app.hooks.put_event_type(event("contact.create"), archived).await.unwrap();
    assert!(matches!(emit("contact.create", r#"{"id": 1}"#).await, Err(Error::UnknownEventType { .. })));
    assert_eq!(fields(app.hooks.create_subscription(&account("acme"), subscribe()).await), ["events[0]"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_register_themselves_once_however_many_come_first() {
    let app = App::start().await;
    let emit = |_| {
        let hooks = app.hooks.clone();
        let event = NewEvent::new(account("acme"), event("new.thing"), "1".into());
        tokio::spawn(async move { hooks.emit_event(event).await })
    };
    let tasks: Vec<_> = (0..32).map(emit).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let app = app.restart().await;
    assert_eq!(app.hooks.event_types(page(9)).items.len(), 1);
}

#[tokio::test]
async fn samples_have_the_shape_of_deliveries() {
    let app = App::with(|_| ()).await;
    let name = event("contact.create");
    let samples = async |scope: &Scope| -> Vec<(String, Value)> {
        let bodies = app.hooks.event_type_samples(scope, &name).await.unwrap();
        bodies.into_iter().map(|body| (body.clone(), serde_json::from_str(&body).unwrap())).collect()
    };
    assert_eq!(code(app.hooks.event_type_samples(&Scope::All, &name).await), "not_found");
    app.register("contact.create").await;
    assert!(samples(&own("acme")).await.is_empty());

    app.hooks.put_event_type(name.clone(), with_schema()).await.unwrap();
    let bodies = samples(&own("acme")).await;
    assert_eq!(bodies.len(), 1);
    let keys: Vec<&String> = bodies[0].1.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["data", "hook", "id", "timestamp", "type"]);
    assert_eq!((&bodies[0].1["data"], &bodies[0].1["type"]), (&json!({"id": 1}), &json!("contact.create")));
    assert_eq!(bodies[0].1["hook"]["event"], "contact.create");
    assert_eq!(samples(&own("acme")).await, bodies);

    let id = app.hooks.create_subscription(&account("acme"), subscribe()).await.unwrap().subscription.id;
    for n in 1..=4 {
        app.emit("acme", "contact.create", &format!("{{ \"id\" :{n} }}")).await;
    }
    app.emit("other", "contact.create", r#"{"id":9}"#).await;
    let bodies = samples(&own("acme")).await;
    assert_eq!(bodies.len(), 3);
    assert!(bodies[0].0.contains(r#""data":{ "id" :4 },"#), "{}", bodies[0].0);
    assert_eq!(bodies[2].1["data"], json!({"id": 2}));
    assert_eq!(bodies[0].1["hook"]["id"], id.to_string());
    assert_eq!(samples(&Scope::All).await[0].1["data"], json!({"id": 9}));
    assert_eq!(samples(&own("nobody")).await[0].1["data"], json!({"id": 1}));
}
