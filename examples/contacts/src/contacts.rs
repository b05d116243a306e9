//! The resource: contacts in memory, each user's own. Every change is emitted as an event.
//!
//! The event is emitted before the change is shown: it is durable by then, and where it can't be, the caller is told and
//! nothing has changed. An application with a database emits after its own commit, with an id made of the contact and its
//! version, so that emitting once more after a crash does no harm.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use resthooks::Hooks;
use resthooks::model::AccountId;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::auth::User;

/// A contact as callers see it, and as it is emitted.
#[derive(Debug, Clone, Serialize)]
struct Contact {
    id: u64,
    #[serde(flatten)]
    fields: Fields,
}

/// What callers say of a contact.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    name: String,
    email: String,
}

/// Every user's contacts, by id.
#[derive(Debug, Default)]
struct Contacts {
    last_id: u64,
    by_owner: BTreeMap<(AccountId, u64), Fields>,
}

/// What the handlers share.
#[derive(Debug, Clone)]
struct App {
    hooks: Hooks,
    // One change at a time: events are emitted in the order of the changes.
    contacts: Arc<Mutex<Contacts>>,
}

pub(crate) fn routes(hooks: Hooks) -> Router {
    Router::new()
        .route("/contacts", get(list).post(create))
        .route("/contacts/{id}", get(read).put(update).delete(delete))
        .with_state(App { hooks, contacts: Arc::default() })
}

/// An event that could not be made durable is the caller's to know: nothing has changed.
struct NotEmitted(resthooks::Error);

impl From<resthooks::Error> for NotEmitted {
    fn from(error: resthooks::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for NotEmitted {
    fn into_response(self) -> Response {
        let status = match self.0 {
            resthooks::Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            resthooks::Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, self.0.to_string()).into_response()
    }
}

async fn list(State(app): State<App>, Extension(User(owner)): Extension<User>) -> Json<Vec<Contact>> {
    let contacts = app.contacts.lock().await;
    let own = contacts.by_owner.range((owner.clone(), 0)..=(owner, u64::MAX));
    Json(own.map(|((_, id), fields)| Contact { id: *id, fields: fields.clone() }).collect())
}

async fn create(
    State(app): State<App>,
    Extension(User(owner)): Extension<User>,
    Json(fields): Json<Fields>,
) -> Result<Response, NotEmitted> {
    let mut contacts = app.contacts.lock().await;
    let contact = Contact { id: contacts.last_id + 1, fields };
    app.hooks.emit(owner.as_str(), "contact.create", &contact).await?;
    contacts.last_id = contact.id;
    contacts.by_owner.insert((owner, contact.id), contact.fields.clone());
    Ok((StatusCode::CREATED, Json(contact)).into_response())
}

async fn read(
    State(app): State<App>,
    Extension(User(owner)): Extension<User>,
    Path(id): Path<u64>,
) -> Response {
    match app.contacts.lock().await.by_owner.get(&(owner, id)) {
        Some(fields) => Json(Contact { id, fields: fields.clone() }).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn update(
    State(app): State<App>,
    Extension(User(owner)): Extension<User>,
    Path(id): Path<u64>,
    Json(fields): Json<Fields>,
) -> Result<Response, NotEmitted> {
    let mut contacts = app.contacts.lock().await;
    let key = (owner, id);
    if !contacts.by_owner.contains_key(&key) {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let contact = Contact { id, fields };
    app.hooks.emit(key.0.as_str(), "contact.update", &contact).await?;
    contacts.by_owner.insert(key, contact.fields.clone());
    Ok(Json(contact).into_response())
}

async fn delete(
    State(app): State<App>,
    Extension(User(owner)): Extension<User>,
    Path(id): Path<u64>,
) -> Result<StatusCode, NotEmitted> {
    let mut contacts = app.contacts.lock().await;
    let key = (owner, id);
    let Some(fields) = contacts.by_owner.get(&key).cloned() else { return Ok(StatusCode::NOT_FOUND) };
    app.hooks.emit(key.0.as_str(), "contact.delete", &Contact { id, fields }).await?;
    contacts.by_owner.remove(&key);
    Ok(StatusCode::NO_CONTENT)
}
