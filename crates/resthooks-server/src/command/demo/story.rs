//! The demo's course: register, subscribe, emit, watch, judge.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http::Method;
use resthooks::env::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::show;
use super::targets::{Arrival, Manner, Targets};
use crate::client::{Client, list, text};
use crate::settings::DEV_ADMIN_KEY;
use crate::terminal::{self, Colour, Screen};

const ACCOUNT: &str = "acme";
/// How often the API is asked whether deliveries have ended.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// The account's deliveries, by the target that they went to.
#[derive(Debug)]
struct Ended {
    at: Manner,
    status: String,
    attempts: u64,
}

/// Tells it all.
pub(super) async fn tell(url: &str, store: &str, screen: Screen, clock: SystemClock) -> anyhow::Result<()> {
    let (sender, incoming) = mpsc::unbounded_channel();
    let targets = Targets::start(clock, &sender).await?;
    introduce(url, store, screen, &targets);
    let provider = Client::new(url, DEV_ADMIN_KEY)?;

    show::headline(screen, "The provider registers what it emits, and gives the account a key");
    let consumer = prepare(&provider, url, screen).await?;
    show::headline(screen, "The account subscribes, with its own key");
    let subscriptions = subscribe(&consumer, screen, &targets).await?;

    let mut watched = show::Watched::new(screen, clock, incoming);
    show::headline(screen, "The first event goes to all three");
    let first = vec![("contact.create", json!({ "id": 1, "name": "Ada Lovelace" }))];
    watched.begin();
    let first = emit(&provider, screen, first, 3).await?;
    let ended = until_ended(&consumer, &first, clock);
    watched.until(ended).await?;

    show::headline(screen, "The next ones find one subscription gone");
    let more = vec![
        ("contact.update", json!({ "id": 1, "name": "Ada King" })),
        ("contact.delete", json!({ "id": 1 })),
    ];
    watched.begin();
    let more = emit(&provider, screen, more, 2).await?;
    let ended = until_ended(&consumer, &more, clock);
    watched.until(ended).await?;

    let mut deliveries = Vec::new();
    let events: Vec<String> = first.into_iter().chain(more).collect();
    for event in &events {
        deliveries.extend(deliveries_of(&consumer, event, &subscriptions).await?);
    }
    let gone = gone_subscription(&consumer, &subscriptions).await?;
    summarise(screen, &events, &deliveries, &watched.seen, &gone);
    judge(&deliveries, &watched.seen, &gone)
}

fn introduce(url: &str, store: &str, screen: Screen, targets: &Targets) {
    terminal::line(format_args!("{}", screen.paint(Colour::Bold, "resthooks demo")));
    terminal::line(format_args!("  server  {url}, on the temporary store {store}"));
    for manner in Manner::ALL {
        let (name, url) = (manner.name(), targets.url(manner));
        terminal::line(format_args!(
            "  target  {name:<5}  {url}  {}",
            screen.paint(Colour::Dim, manner.description())
        ));
    }
}

/// Registers the event types and makes a key; a client with that key.
async fn prepare(provider: &Client, url: &str, screen: Screen) -> anyhow::Result<Client> {
    for (name, sample) in [
        ("contact.create", json!({ "id": 1, "name": "Grace Hopper" })),
        ("contact.update", json!({ "id": 1, "name": "Grace Hopper" })),
        ("contact.delete", json!({ "id": 1 })),
    ] {
        let body = json!({
            "name": name,
            "sample": sample,
            "schema": { "type": "object", "required": ["id"] },
            "resource_url": "https://api.example.com/contacts/{id}",
        });
        provider.ask(Method::POST, "/event-type/", Some(&body)).await?;
        show::step(screen, "POST /api/v1/event-type/", name);
    }
    let body = json!({ "account": ACCOUNT, "name": "demo" });
    let made = provider.ask(Method::POST, "/api-key/", Some(&body)).await?;
    show::step(screen, "POST /api/v1/api-key/", &format!("{} for account {ACCOUNT}", text(&made, "id")?));
    Client::new(url, text(&made, "key")?)
}

/// Subscribes every target; the subscriptions' ids.
async fn subscribe(
    consumer: &Client,
    screen: Screen,
    targets: &Targets,
) -> anyhow::Result<HashMap<String, Manner>> {
    let mut subscriptions = HashMap::new();
    for manner in Manner::ALL {
        let body =
            json!({ "event": "contact.*", "target_url": targets.url(manner), "description": manner.name() });
        let made = consumer.ask(Method::POST, "/subscription/", Some(&body)).await?;
        targets.tell_secret(manner, text(&made, "secret")?);
        let id = text(&made, "id")?.to_owned();
        show::step(screen, "POST /api/v1/subscription/", &format!("{id} to {}", manner.name()));
        subscriptions.insert(id, manner);
    }
    Ok(subscriptions)
}

/// Emits events, one alone or several as a batch; their ids.
async fn emit(
    provider: &Client,
    screen: Screen,
    events: Vec<(&str, Value)>,
    expected: u64,
) -> anyhow::Result<Vec<String>> {
    let mut bodies: Vec<Value> = events
        .into_iter()
        .map(|(event, data)| json!({ "event": event, "account": ACCOUNT, "data": data }))
        .collect();
    let (path, answers) = match bodies.as_mut_slice() {
        [body] => ("/event/", vec![provider.ask(Method::POST, "/event/", Some(body)).await?]),
        _ => {
            let answer = provider.ask(Method::POST, "/event/batch/", Some(&Value::from(bodies))).await?;
            ("/event/batch/", list(&answer, "data")?.to_vec())
        }
    };
    let mut ids = Vec::new();
    for answer in &answers {
        let (id, event) = (text(answer, "id")?, text(answer, "event")?);
        let matched = answer["matched"].as_u64().context("the answer has no matched")?;
        ensure!(matched == expected, "{event} goes to {matched} subscriptions instead of {expected}");
        show::step(screen, &format!("POST /api/v1{path}"), &format!("{event}: durable, goes to {matched}"));
        ids.push(id.to_owned());
    }
    Ok(ids)
}

/// Ends when every delivery of these events has ended.
async fn until_ended(consumer: &Client, events: &[String], clock: SystemClock) -> anyhow::Result<()> {
    for event in events {
        loop {
            let page = consumer.ask(Method::GET, &format!("/event/{event}/delivery/"), None).await?;
            let ended = |delivery: &Value| {
                matches!(delivery["status"].as_str(), Some("delivered" | "dead" | "cancelled"))
            };
            if list(&page, "data")?.iter().all(ended) {
                break;
            }
            clock.sleep(ASK_EVERY).await;
        }
    }
    Ok(())
}

async fn deliveries_of(
    consumer: &Client,
    event: &str,
    subscriptions: &HashMap<String, Manner>,
) -> anyhow::Result<Vec<Ended>> {
    let page = consumer.ask(Method::GET, &format!("/event/{event}/delivery/"), None).await?;
    let mut deliveries = Vec::new();
    for item in list(&page, "data")? {
        let id = text(item, "id")?;
        let delivery = consumer.ask(Method::GET, &format!("/delivery/{id}/"), None).await?;
        let at = subscriptions.get(text(&delivery, "subscription")?).context("a delivery to nobody")?;
        let attempts = list(&delivery, "attempts")?.len().try_into()?;
        deliveries.push(Ended { at: *at, status: text(&delivery, "status")?.to_owned(), attempts });
    }
    Ok(deliveries)
}

/// The subscription whose target said 410, as the list of gone ones shows it; by its id it is absent.
async fn gone_subscription(
    consumer: &Client,
    subscriptions: &HashMap<String, Manner>,
) -> anyhow::Result<Value> {
    let page = consumer.ask(Method::GET, "/subscription/?status=gone", None).await?;
    let [gone] = list(&page, "data")? else {
        bail!("exactly one subscription should be gone: {page}");
    };
    let id = text(gone, "id")?;
    ensure!(subscriptions.get(id) == Some(&Manner::Gone), "the wrong subscription is gone: {id}");
    let by_id = consumer.ask(Method::GET, &format!("/subscription/{id}/"), None).await;
    ensure!(by_id.is_err_and(|e| e.to_string().contains("404")), "{id} is gone and still there");
    Ok(gone.clone())
}

fn summarise(screen: Screen, events: &[String], deliveries: &[Ended], seen: &[Arrival], gone: &Value) {
    show::headline(screen, "Summary");
    let count = |status: &str| deliveries.iter().filter(|delivery| delivery.status == status).count();
    let parts: Vec<_> = ["delivered", "cancelled", "dead"]
        .into_iter()
        .filter(|status| count(status) > 0)
        .map(|status| format!("{} {status}", count(status)))
        .collect();
    let attempts: u64 = deliveries.iter().map(|delivery| delivery.attempts).sum();
    let verified = seen.iter().filter(|arrival| arrival.verified.is_ok()).count();
    terminal::line(format_args!(
        "  events         {}, each durable before it was answered 202",
        events.len()
    ));
    terminal::line(format_args!("  deliveries     {}: {}", deliveries.len(), parts.join(", ")));
    terminal::line(format_args!(
        "  attempts       {attempts}, of which {verified} arrived with the right signatures"
    ));
    terminal::line(format_args!(
        "  subscriptions  {} is {} ({})",
        gone["id"].as_str().unwrap_or_default(),
        gone["status"].as_str().unwrap_or_default(),
        gone["status_reason"].as_str().unwrap_or("no reason"),
    ));
}

/// Fails when anything isn't as the targets' manners ask for.
fn judge(deliveries: &[Ended], seen: &[Arrival], gone: &Value) -> anyhow::Result<()> {
    let at = |manner| deliveries.iter().filter(move |delivery| delivery.at == manner);
    ensure!(at(Manner::Good).count() == 3 && at(Manner::Flaky).count() == 3, "some deliveries are missing");
    for manner in [Manner::Good, Manner::Flaky] {
        ensure!(at(manner).all(|d| d.status == "delivered"), "not all was delivered to {}", manner.name());
    }
    ensure!(at(Manner::Good).all(|d| d.attempts == 1), "a good target was tried twice");
    ensure!(
        at(Manner::Flaky).map(|d| d.attempts).sum::<u64>() == 5,
        "the flaky target was not tried 5 times"
    );
    ensure!(at(Manner::Gone).all(|d| d.status != "delivered"), "the gone target was delivered to");
    ensure!(gone["status"] == "gone" && gone["active"] == false, "the gone subscription is not gone: {gone}");
    if let Some(wrong) = seen.iter().find(|arrival| arrival.verified.is_err()) {
        bail!("a signature was wrong at {}: {:?}", wrong.at.name(), wrong.verified);
    }
    let attempts: u64 = deliveries.iter().map(|delivery| delivery.attempts).sum();
    ensure!(seen.len() as u64 == attempts, "{} hooks arrived in {attempts} attempts", seen.len());
    let mut flaky: Vec<_> =
        seen.iter().filter(|arrival| arrival.at == Manner::Flaky).map(|a| &a.id).collect();
    flaky.sort_unstable();
    flaky.dedup();
    ensure!(flaky.len() == 3, "retries did not keep their webhook-id");
    Ok(())
}
