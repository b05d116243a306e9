//! Putting the document together.

use utoipa::openapi::path::{HttpMethod, Operation, PathItem, Paths};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathsBuilder,
    SecurityRequirement, ServerBuilder,
};
use utoipa::{PartialSchema as _, ToSchema};

use super::{refusals, scopes};
use crate::problem::Document as ProblemDocument;
use crate::router::{Mounted, everything};

const DESCRIPTION: &str = "Webhook subscriptions through the API itself, with signed, retried, never-lost \
delivery. Every route answers with and without its trailing slash. Errors are `application/problem+json` with a \
stable `code`; unknown fields and parameters are refused by name.";

const TAGS: [(&str, &str); 10] = [
    ("subscription", "What is delivered where. A consumer manages its own, the provider any account's."),
    ("event-type", "What can be subscribed to. Read by all, written by the provider."),
    ("event", "What happened. Emitted by the provider, read by all."),
    ("verify", "Why a receiver does not accept a hook."),
    ("delivery", "One event for one subscription, with every attempt that was made."),
    ("api-key", "What callers prove themselves with. For the provider alone."),
    ("account", "Whose things there are. For the provider alone."),
    ("audit", "Who changed what. For the provider alone."),
    ("node", "The processes that work on the store. For the provider alone."),
    (
        "operation",
        "Health, metrics, and this document. Open to all who reach the server: none of it is secret.",
    ),
];

/// Makes the document.
pub(crate) fn document(public_url: Option<&str>) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new();
    for Mounted { prefix, routes, open } in everything() {
        for (schemas, described, _) in routes {
            components = components.schemas_from_iter(schemas);
            for (path, item) in described.paths {
                paths = paths.path(format!("{prefix}{path}"), finish(item, open));
            }
        }
    }
    let mut schemas = Vec::new();
    ProblemDocument::schemas(&mut schemas);
    schemas.push((ProblemDocument::name().into_owned(), ProblemDocument::schema()));
    let components = components
        .schemas_from_iter(schemas)
        .security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
        .security_scheme("basic", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
    let info = InfoBuilder::new()
        .title("resthooks")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").build()));
    let tags = TAGS.map(|(name, text)| TagBuilder::new().name(name).description(Some(text)).build());
    OpenApiBuilder::new()
        .info(info.build())
        .servers(public_url.map(|url| vec![ServerBuilder::new().url(url.trim_end_matches('/')).build()]))
        .paths(paths.build())
        .components(Some(components.build()))
        .tags(Some(tags))
        .build()
}

/// Every operation of a document, in its order.
pub(crate) fn operations(paths: &Paths) -> impl Iterator<Item = (HttpMethod, &str, &Operation)> {
    paths.paths.iter().flat_map(|(path, item)| {
        let all = [
            (HttpMethod::Get, &item.get),
            (HttpMethod::Post, &item.post),
            (HttpMethod::Put, &item.put),
            (HttpMethod::Patch, &item.patch),
            (HttpMethod::Delete, &item.delete),
        ];
        all.into_iter()
            .filter_map(move |(method, operation)| Some((method, path.as_str(), operation.as_ref()?)))
    })
}

/// Adds what follows from where an operation is mounted.
fn finish(mut item: PathItem, open: bool) -> PathItem {
    let reading = [(true, &mut item.get)];
    let others = [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    let all = reading.into_iter().chain(others.map(|other| (false, other)));
    for (is_read, operation) in all.filter_map(|(is_read, operation)| Some((is_read, operation.as_mut()?))) {
        if open {
            operation.security = Some(Vec::new());
        } else {
            let scheme = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
            operation.security = Some(vec![scheme("key"), scheme("basic")]);
            scopes::add(operation, is_read);
            refusals::add(operation);
        }
    }
    item
}
