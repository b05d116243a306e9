//! The page: a table of contents, then each operation with its parameters, its body, its answers and a call to copy.

use std::fmt::{self, Write as _};

use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::{Content, OpenApi, RefOr, Required, Schema, Tag};

use super::markup::{Prose, Text};
use super::schema::{Named, Row, item_rows, kind, rows};
use crate::openapi::{operations, scopes};

pub(super) const STYLE: &str = include_str!("style.css");

/// Renders a document. `server` is where the example calls go.
pub(super) fn render(document: &OpenApi, server: &str) -> String {
    let empty = Named::new();
    let named = document.components.as_ref().map_or(&empty, |components| &components.schemas);
    let mut page = Page { out: String::with_capacity(256 * 1024), named, server };
    let version = &document.info.version;
    page.put(format_args!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>resthooks API</title><style>{STYLE}</style></head><body>"
    ));
    let tags = document.tags.as_deref().unwrap_or_default();
    page.contents(document, tags);
    page.put(format_args!("<main><header><h1>resthooks API <small>{}</small></h1>", Text(version)));
    page.put(format_args!("<p>{}</p>", Prose(document.info.description.as_deref().unwrap_or_default())));
    page.introduction();
    page.put(format_args!("</header>"));
    for tag in tags {
        page.put(format_args!("<section><h2 id=\"{0}\">{0}</h2>", Text(&tag.name)));
        page.put(format_args!("<p>{}</p>", Prose(tag.description.as_deref().unwrap_or_default())));
        for (method, path, operation) in tagged(document, tag) {
            page.operation(&method, path, operation);
        }
        page.put(format_args!("</section>"));
    }
    page.put(format_args!("</main></body></html>"));
    page.out
}

fn tagged<'a>(
    document: &'a OpenApi,
    tag: &'a Tag,
) -> impl Iterator<Item = (HttpMethod, &'a str, &'a Operation)> {
    operations(&document.paths)
        .filter(|(_, _, operation)| operation.tags.iter().flatten().any(|t| *t == tag.name))
}

struct Page<'a> {
    out: String,
    named: &'a Named,
    server: &'a str,
}

impl Page<'_> {
    fn put(&mut self, text: fmt::Arguments<'_>) {
        let written = self.out.write_fmt(text);
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }

    fn contents(&mut self, document: &OpenApi, tags: &[Tag]) {
        self.put(format_args!("<nav><a class=\"home\" href=\"#\">resthooks</a>"));
        for tag in tags {
            self.put(format_args!("<details open><summary>{}</summary><ul>", Text(&tag.name)));
            for (method, _, operation) in tagged(document, tag) {
                let id = operation.operation_id.as_deref().unwrap_or_default();
                let title = operation.summary.as_deref().unwrap_or(id);
                let word = word(&method);
                self.put(format_args!(
                    "<li><a href=\"#{}\"><b class=\"{word}\">{word}</b>{}</a></li>",
                    Text(id),
                    Text(title)
                ));
            }
            self.put(format_args!("</ul></details>"));
        }
        self.put(format_args!("<p><a href=\"/openapi.json\">openapi.json</a></p></nav>"));
    }

    fn introduction(&mut self) {
        let server = self.server;
        self.put(format_args!(
            "<p>Callers prove themselves with an API key: <code>Authorization: Bearer KEY</code>, or HTTP Basic with \
             the key as user name. The provider's keys admit to everything, a consumer's key to its own account. \
             Lists take <code>limit</code> and <code>cursor</code> and answer \
             <code>{{\"data\": […], \"next_cursor\": …}}</code>. The examples below read the key from \
             <code>$KEY</code>.</p><pre>{}</pre>",
            Text(&format!("curl -H \"Authorization: Bearer $KEY\" {server}/api/v1/event-type/"))
        ));
    }

    fn operation(&mut self, method: &HttpMethod, path: &str, operation: &Operation) {
        let id = operation.operation_id.as_deref().unwrap_or_default();
        let word = word(method);
        self.put(format_args!(
            "<article id=\"{0}\"><h3>{1} <a class=\"link\" href=\"#{0}\" aria-label=\"link to this\">#</a></h3>\
             <p class=\"route\"><b class=\"{word}\">{word}</b> <code>{2}</code></p>",
            Text(id),
            Text(operation.summary.as_deref().unwrap_or(id)),
            Text(path)
        ));
        if let Some(description) = &operation.description {
            self.put(format_args!("<p>{}</p>", Prose(description)));
        }
        let scopes = scopes(operation);
        if !scopes.is_empty() {
            let scopes = scopes.join("`, `");
            self.put(format_args!(
                "<p>{}</p>",
                Prose(&format!("For keys with one of the scopes `{scopes}`."))
            ));
        }
        self.parameters(operation);
        let body = match &operation.request_body {
            Some(RefOr::T(body)) => Some(body),
            _ => None,
        };
        if let Some(schema) = body.and_then(json_schema) {
            self.fields("Body", &rows(schema, self.named), true);
        }
        self.example(word, path, operation, body);
        self.answers(operation);
        self.put(format_args!("</article>"));
    }

    fn parameters(&mut self, operation: &Operation) {
        for (title, place) in
            [("Path", ParameterIn::Path), ("Query", ParameterIn::Query), ("Header", ParameterIn::Header)]
        {
            let found: Vec<Row> = parameters(operation)
                .filter(|parameter| parameter.parameter_in == place)
                .map(|parameter| Row {
                    name: parameter.name.clone(),
                    kind: parameter.schema.as_ref().map_or_else(String::new, |s| kind(s, self.named)),
                    required: parameter.required == Required::True,
                    text: parameter.description.clone().unwrap_or_default(),
                })
                .collect();
            self.fields(title, &found, true);
        }
    }

    fn fields(&mut self, title: &str, fields: &[Row], sent: bool) {
        if fields.is_empty() {
            return;
        }
        self.put(format_args!("<h4>{title}</h4><table><tbody>"));
        for Row { name, kind, required, text } in fields {
            let needed = if *required && sent { " <em>needed</em>" } else { "" };
            self.put(format_args!(
                "<tr><th><code>{}</code>{needed}</th><td class=\"kind\">{}</td><td>{}</td></tr>",
                Text(name),
                Text(kind),
                Prose(text)
            ));
        }
        self.put(format_args!("</tbody></table>"));
    }

    fn example(&mut self, method: &str, path: &str, operation: &Operation, body: Option<&RequestBody>) {
        let mut path = path.to_owned();
        for parameter in parameters(operation).filter(|p| p.parameter_in == ParameterIn::Path) {
            let value = if parameter.name == "name" { "contact.create" } else { "$ID" };
            path = path.replace(&format!("{{{}}}", parameter.name), value);
        }
        let mut call = String::from("curl");
        if method != "GET" {
            call.push_str(&format!(" -X {method}"));
        }
        if operation.security.as_ref().is_some_and(|security| !security.is_empty()) {
            call.push_str(" -H \"Authorization: Bearer $KEY\"");
        }
        if let Some(example) = body.and_then(json_example) {
            call.push_str(&format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{example}' \\\n "));
        }
        let needed = parameters(operation)
            .filter(|p| p.parameter_in == ParameterIn::Query && p.required == Required::True)
            .map(|p| format!("{}=…", p.name));
        let query = needed.collect::<Vec<_>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        call.push_str(&format!(" \"{}{path}{mark}{query}\"", self.server));
        self.put(format_args!("<h4>Example</h4><pre>{}</pre>", Text(&call)));
    }

    fn answers(&mut self, operation: &Operation) {
        self.put(format_args!("<h4>Answers</h4>"));
        let mut refusals = String::new();
        for (status, response) in &operation.responses.responses {
            let RefOr::T(response) = response else { continue };
            if !status.starts_with('2') {
                let written = write!(
                    refusals,
                    "<tr><th><code>{}</code></th><td>{}</td></tr>",
                    Text(status),
                    Prose(&response.description)
                );
                debug_assert!(written.is_ok(), "writing to a string does not fail");
                continue;
            }
            self.put(format_args!(
                "<p><b class=\"ok\">{}</b> {}</p>",
                Text(status),
                Prose(&response.description)
            ));
            let schema = response.content.get("application/json").and_then(content_schema);
            let fields = schema.map(|schema| rows(schema, self.named)).unwrap_or_default();
            if !fields.is_empty() {
                self.put(format_args!("<details><summary>Fields</summary>"));
                self.fields("", &fields, false);
                let items = schema.map(|schema| item_rows(schema, self.named)).unwrap_or_default();
                self.fields("Each of data", &items, false);
                self.put(format_args!("</details>"));
            }
        }
        if !refusals.is_empty() {
            self.put(format_args!(
                "<details><summary>Refusals</summary><table><tbody>{refusals}</tbody></table></details>"
            ));
        }
    }
}

fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    })
}

fn json_schema(body: &RequestBody) -> Option<&RefOr<Schema>> {
    body.content.get("application/json").and_then(content_schema)
}

fn json_example(body: &RequestBody) -> Option<String> {
    match body.content.get("application/json")? {
        RefOr::T(content) => content.example.as_ref().map(ToString::to_string),
        RefOr::Ref(_) => None,
    }
}

fn content_schema(content: &RefOr<Content>) -> Option<&RefOr<Schema>> {
    match content {
        RefOr::T(content) => content.schema.as_ref(),
        RefOr::Ref(_) => None,
    }
}

const fn word(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Delete => "DELETE",
        _ => "GET",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::document;

    #[test]
    fn every_operation_is_on_the_page_and_nothing_is_loaded() {
        let document = document(Some("https://hooks.example.com"));
        let page = render(&document, "https://hooks.example.com");
        for (_, path, operation) in operations(&document.paths) {
            let id = operation.operation_id.as_deref().unwrap();
            assert!(page.contains(&format!("<article id=\"{id}\">")), "{id}");
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        for shown in ["integer, 1 to 250", "string (date-time) or null", "Each of data", "<em>needed</em>"] {
            assert!(page.contains(shown), "{shown}");
        }
        for foreign in ["<script", "<img", "<link", "src=", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}
