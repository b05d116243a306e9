//! One server, what is done to it, and the judgement.

use serde_json::Value;

use crate::support::{Answer, Api, Server, Setup, eventually};

use super::LIST;
use super::evidence::{Evidence, Secrets};
use super::planted::{ADMIN_KEY, plant};

/// One server, all that is done to it, and what comes of that.
pub(super) struct Trial {
    pub(super) setup: Setup,
    pub(super) server: Server,
    pub(super) api: Api,
    pub(super) evidence: Evidence,
    pub(super) secrets: Secrets,
}

impl Trial {
    pub(super) fn start(setup: Setup) -> Self {
        let server = setup.start();
        let api = Api::with_key(server.address(), ADMIN_KEY);
        let (evidence, mut secrets) = (Evidence::default(), Secrets::default());
        plant(&mut secrets);
        // A database's URL has a password.
        let store = setup.store_flags()[0].split_once("--store=").unwrap().1.to_owned();
        if let Some(password) = url::Url::parse(&store).ok().and_then(|url| url.password().map(str::to_owned))
        {
            secrets.add("the database's password", password);
        }
        Self { setup, server, api, evidence, secrets }
    }

    pub(super) fn with_key(&self, key: &str) -> Api {
        Api::with_key(self.server.address(), key)
    }

    /// Keeps an answer.
    #[track_caller]
    pub(super) fn keep(&mut self, place: &str, answer: &Answer) {
        self.evidence.add(place, format!("{:?} {}", answer.headers(), answer.text()));
    }

    /// Something is asked, answered with this status, and the answer kept.
    #[track_caller]
    pub(super) fn asked(&mut self, method: &str, path: &str, body: &Value, status: u16) -> Answer {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let answer = self.api.ask(method, path, &[], Some(&body)).unwrap().expect(status);
        if answer.status != 204 {
            self.keep(&format!("{method} {path}"), &answer);
        }
        answer
    }

    /// A new secret, which its answer alone shows, and no cache may keep.
    #[track_caller]
    pub(super) fn shown_once(&mut self, name: &str, path: &str, body: &Value, status: u16) -> Answer {
        let answer = self.api.post(path, body).expect(status);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        for member in ["secret", "key"] {
            if let Some(secret) = answer.json[member].as_str() {
                self.secrets.add_key(name, secret);
            }
        }
        answer
    }

    #[track_caller]
    pub(super) fn subscribe(&mut self, name: &str, body: &Value) -> String {
        self.shown_once(name, LIST, body, 201).str("id")
    }

    #[track_caller]
    pub(super) fn active(&mut self, id: &str) {
        let path = format!("{LIST}{id}/");
        eventually(|| match self.api.get(&path).expect(200).str("status").as_str() {
            "active" => Ok(()),
            other => Err(format!("{id} is {other}")),
        });
    }

    /// Everything has been said: nothing of it told a secret.
    #[track_caller]
    pub(super) fn judge(self) {
        let found = self.secrets.found_in(&self.evidence);
        assert!(found.is_empty(), "{} times a secret is told:\n{}", found.len(), found.join("\n"));
    }
}
