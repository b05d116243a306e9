//! Schemas as rows of a table: what a body holds, by name.

use std::collections::BTreeMap;

use utoipa::openapi::schema::{ArrayItems, Object, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

/// The named schemas of a document.
pub(super) type Named = BTreeMap<String, RefOr<Schema>>;

/// One member of an object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Its name.
    pub name: String,
    /// Its type in words: `string (date-time) or null`.
    pub kind: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it means.
    pub text: String,
}

/// The members of a schema, those of what it is composed of included; none for what is no object. For an array
/// those of its items.
pub(super) fn rows(schema: &RefOr<Schema>, named: &Named) -> Vec<Row> {
    match resolve(schema, named) {
        Some(Schema::Object(object)) => {
            object.properties.iter().map(|(name, s)| row(name, s, object, named)).collect()
        }
        Some(Schema::AllOf(all)) => all.items.iter().flat_map(|item| rows(item, named)).collect(),
        Some(Schema::OneOf(one)) => one.items.iter().flat_map(|item| rows(item, named)).collect(),
        Some(Schema::Array(array)) => match &array.items {
            ArrayItems::RefOrSchema(items) => rows(items, named),
            ArrayItems::False => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// For a part of a list the members of its items.
pub(super) fn item_rows(schema: &RefOr<Schema>, named: &Named) -> Vec<Row> {
    match resolve(schema, named) {
        Some(Schema::Object(object)) if object.properties.contains_key("next_cursor") => {
            object.properties.get("data").map(|data| rows(data, named)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn row(name: &str, schema: &RefOr<Schema>, parent: &Object, named: &Named) -> Row {
    let text = match schema {
        RefOr::Ref(reference) => reference.description.clone(),
        RefOr::T(schema) => description(schema).unwrap_or_default().to_owned(),
    };
    let required = parent.required.iter().any(|other| other == name);
    Row { name: name.to_owned(), kind: kind(schema, named), required, text }
}

fn resolve<'a>(schema: &'a RefOr<Schema>, named: &'a Named) -> Option<&'a Schema> {
    match schema {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(reference) => match named.get(reference_name(&reference.ref_location))? {
            RefOr::T(schema) => Some(schema),
            // Names that stand for names: none of ours do, and following them could go in circles.
            RefOr::Ref(_) => None,
        },
    }
}

fn reference_name(location: &str) -> &str {
    location.rsplit('/').next().unwrap_or(location)
}

fn description(schema: &Schema) -> Option<&str> {
    match schema {
        Schema::Array(array) => array.description.as_deref(),
        Schema::Object(object) => object.description.as_deref(),
        Schema::OneOf(one) => one.description.as_deref(),
        Schema::AllOf(all) => all.description.as_deref(),
        Schema::AnyOf(any) => any.description.as_deref(),
        _ => None,
    }
}

/// A type in words.
pub(super) fn kind(schema: &RefOr<Schema>, named: &Named) -> String {
    match schema {
        RefOr::Ref(reference) => match resolve(schema, named) {
            Some(Schema::Object(object)) if !object.properties.is_empty() => {
                reference_name(&reference.ref_location).to_owned()
            }
            Some(Schema::Object(object)) => object_kind(object, named),
            _ => reference_name(&reference.ref_location).to_owned(),
        },
        RefOr::T(Schema::Object(object)) => object_kind(object, named),
        RefOr::T(Schema::Array(array)) => {
            let items = match &array.items {
                ArrayItems::RefOrSchema(items) => kind(items, named),
                ArrayItems::False => "any value".to_owned(),
            };
            format!("list of {items}{}", or_null(&array.schema_type))
        }
        RefOr::T(Schema::OneOf(one)) => {
            let kinds: Vec<_> = one.items.iter().map(|item| kind(item, named)).collect();
            kinds.join(" or ")
        }
        RefOr::T(_) => "object".to_owned(),
    }
}

fn object_kind(object: &Object, named: &Named) -> String {
    if let Some(values) = &object.enum_values {
        let values: Vec<_> = values.iter().map(|value| value.as_str().unwrap_or("null")).collect();
        return values.join(" or ");
    }
    let mut text = match &object.schema_type {
        SchemaType::Type(one) => type_name(one).to_owned(),
        SchemaType::Array(several) => {
            several.iter().filter(|one| **one != Type::Null).map(type_name).collect::<Vec<_>>().join(" or ")
        }
        SchemaType::AnyValue => "any value".to_owned(),
    };
    if let Some(format) = object.format.as_ref().and_then(|format| serde_json::to_value(format).ok())
        && let Some(format) = format.as_str().filter(|format| !format.starts_with("int"))
    {
        text = format!("{text} ({format})");
    }
    if let Some(bounds) = bounds(object) {
        text = format!("{text}, {bounds}");
    }
    if let Some(properties) = &object.additional_properties
        && let utoipa::openapi::schema::AdditionalProperties::RefOr(value) = properties.as_ref()
    {
        text = format!("{text} of {}", kind(value, named));
    }
    text + or_null(&object.schema_type)
}

/// The bounds of a number in words; a lower bound of zero goes without saying.
fn bounds(object: &Object) -> Option<String> {
    let number = |limit: &utoipa::Number| match limit {
        utoipa::Number::Int(number) => number.to_string(),
        utoipa::Number::UInt(number) => number.to_string(),
        utoipa::Number::Float(number) => number.to_string(),
    };
    let minimum = object.minimum.as_ref().map(number);
    match (minimum, object.maximum.as_ref().map(number)) {
        (Some(low), Some(high)) => Some(format!("{low} to {high}")),
        (None, Some(high)) => Some(format!("at most {high}")),
        (Some(_) | None, None) => None,
    }
}

fn or_null(schema_type: &SchemaType) -> &'static str {
    match schema_type {
        SchemaType::Array(several) if several.contains(&Type::Null) && several.len() > 1 => " or null",
        _ => "",
    }
}

const fn type_name(one: &Type) -> &'static str {
    match one {
        Type::Object => "object",
        Type::String => "string",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::Boolean => "true or false",
        Type::Array => "list",
        Type::Null => "null",
    }
}
