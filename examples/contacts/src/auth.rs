//! The application's own authentication: bearer tokens of its users. Each user is an account of the hooks.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use resthooks::model::AccountId;
use resthooks_api::Caller;

/// Who has which token.
#[derive(Debug)]
pub(crate) struct Users(HashMap<&'static str, &'static str>);

impl Default for Users {
    /// A real application asks its own database.
    fn default() -> Self {
        Self(HashMap::from([("ada-token", "ada"), ("grace-token", "grace")]))
    }
}

/// The user that a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct User(pub(crate) AccountId);

/// Lets in who has a token, and tells both sides who it is: our own handlers, and those of the hooks.
pub(crate) async fn authenticate(
    State(users): State<Arc<Users>>,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let token = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let user = token.and_then(|token| users.0.get(token)).ok_or(StatusCode::UNAUTHORIZED)?;
    let account: AccountId = user.parse().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    request.extensions_mut().insert(User(account.clone()));
    request.extensions_mut().insert(Caller::Consumer(account));
    Ok(next.run(request).await)
}
