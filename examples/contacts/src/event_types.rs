//! What the application emits: registered at every start, so that the catalogue is as new as the code.

use resthooks::{Error, EventTypeInput, Hooks};
use serde_json::json;

/// The usual three of a resource.
pub(crate) async fn register(hooks: &Hooks, base: &str) -> Result<(), Error> {
    let sample = json!({ "id": 1, "name": "Grace Hopper", "email": "grace@example.com" });
    for (name, description) in [
        ("contact.create", "A contact was created"),
        ("contact.update", "A contact was changed"),
        ("contact.delete", "A contact was deleted; the data is what it was"),
    ] {
        let name = name.parse().map_err(|e: resthooks::model::Invalid| Error::field("name", e.0))?;
        let input = EventTypeInput {
            description: Some(description.to_owned()),
            sample: Some(sample.clone()),
            resource_url: Some(format!("{base}/contacts/{{id}}")),
            ..EventTypeInput::default()
        };
        hooks.put_event_type(name, input).await?;
    }
    Ok(())
}
