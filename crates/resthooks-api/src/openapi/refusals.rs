//! Which requests are refused how: most of it follows from what an operation takes.

use std::collections::BTreeMap;

use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, Header, Ref, RefOr};
use utoipa::{IntoResponses, ToSchema as _};

use crate::problem::Document;

fn refusal(description: &str) -> ResponseBuilder {
    let schema = Ref::from_schema_name(Document::name());
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build())
}

/// The operation is for the provider alone.
pub(crate) struct ForProvider;

impl IntoResponses for ForProvider {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let detail = "For the provider alone (`forbidden`), or the key lacks a scope (`insufficient_scope`).";
        let response = refusal(detail).build();
        BTreeMap::from([("403".to_owned(), response.into())])
    }
}

/// The operation may contradict what is there.
pub(crate) struct Conflict;

impl IntoResponses for Conflict {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let response = refusal("It contradicts what is there; see `code`.").build();
        BTreeMap::from([("409".to_owned(), response.into())])
    }
}

/// The operation may be asked for too often.
pub(crate) struct TooSoon;

impl IntoResponses for TooSoon {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let response = refusal("Not so soon again, or too many requests (`rate_limited`); see `code`.")
            .header("Retry-After", Header::default())
            .build();
        BTreeMap::from([("429".to_owned(), response.into())])
    }
}

/// Whether an operation has said that it is for the provider alone. What is added here comes after that was asked.
pub(super) fn is_for_provider(operation: &Operation) -> bool {
    operation.responses.responses.contains_key("403")
}

/// Adds the refusals that follow from what the operation takes.
pub(super) fn add(operation: &mut Operation) {
    let mut add = |status: &str, response: ResponseBuilder| {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| response.build().into());
    };
    let challenge = refusal("No credentials, or unknown ones (`unauthorized`).")
        .header("WWW-Authenticate", Header::default());
    add("401", challenge);
    add("422", refusal("Understood but invalid: `errors` names each field or query parameter."));
    let too_many = "Too many requests of this caller, or too many with unknown credentials from its address \
                    (`rate_limited`), as the server is set up.";
    add("429", refusal(too_many).header("Retry-After", Header::default()));
    let late = refusal("The store can't take more just now (`unavailable`); nothing was changed.")
        .header("Retry-After", Header::default());
    add("503", late);
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let for_provider = is_for_provider(operation);
    let may_be_absent = parameters.iter().any(|parameter| match parameter {
        RefOr::T(parameter) if parameter.name == "account" => !for_provider,
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Path,
        RefOr::Ref(_) => false,
    });
    let has_body = operation.request_body.is_some();
    let mut add = |status: &str, response: ResponseBuilder| {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| response.build().into());
    };
    add(
        "403",
        refusal(
            "The key lacks a scope for this (`insufficient_scope`); or a page of another origin asks for a change by what a \
         browser adds by itself (`cross_origin`).",
        ),
    );
    if may_be_absent {
        add("404", refusal("Absent, or another account's (`not_found`)."));
    }
    if has_body {
        add("400", refusal("The body is not JSON (`malformed_json`) or broke off (`incomplete_body`)."));
        add("408", refusal("The body did not arrive in time (`request_timeout`)."));
        add("413", refusal("The body, or a field of it, is too large (`too_large`)."));
        add("415", refusal("The body is not `application/json` (`unsupported_media_type`)."));
    }
}
