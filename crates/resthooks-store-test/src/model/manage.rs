//! What callers manage besides subscriptions: event types, keys, accounts, each change with an entry of the audit trail or
//! without one.

use resthooks::model::{
    Access, AccountSettings, Actor, ApiKey, AuditAction, AuditEntry, EventType, Intent, KeyHash, KeyId,
    KeyRole,
};
use resthooks::store::Error;

use super::work::{ACCOUNTS, NAMES, Trial};
use crate::lab::{Lab, account, at, name};

impl Trial {
    /// An entry for a change to this object, or none; in the model it is written already.
    pub(super) fn audit(
        &mut self,
        lab: &Lab,
        action: AuditAction,
        object: impl ToString,
        of: Option<&str>,
    ) -> Option<AuditEntry> {
        if self.dice.once_in(3) {
            return None;
        }
        let actor = if self.dice.once_in(2) { Actor::system() } else { Actor::application() };
        let entry = AuditEntry { actor, account: of.map(account), ..lab.entry(action, object) };
        self.plain.audit.push(entry.clone());
        Some(entry)
    }

    pub(super) async fn event_type(&mut self, lab: &Lab) {
        let name = name(self.dice.pick(&NAMES).unwrap());
        if self.dice.once_in(3) {
            let was = self.plain.event_types.remove(name.as_str()).is_some();
            let audit = if was { self.audit(lab, AuditAction::EventTypeDeleted, &name, None) } else { None };
            let unwritten = lab.entry(AuditAction::EventTypeDeleted, &name);
            let given = if was { audit.as_ref() } else { Some(&unwritten) };
            assert_eq!(lab.store().delete_event_type(&name, given).await.unwrap(), was);
            return;
        }
        let one = EventType {
            name,
            description: self.dice.once_in(2).then(|| "what it is".to_owned()),
            schema: None,
            sample: Some(serde_json::json!({"id": self.dice.below(9)})),
            resource_url: None,
            archived: self.dice.once_in(2),
            created_at: at(0),
            updated_at: self.now,
        };
        let audit = self.audit(lab, AuditAction::EventTypeUpdated, &one.name, None);
        lab.store().put_event_type(&one, audit.as_ref()).await.unwrap();
        self.plain.event_types.insert(one.name.as_str().to_owned(), one);
    }

    pub(super) async fn key(&mut self, lab: &Lab) {
        if let Some(key) = self.dice.pick(&self.plain.keys).cloned() {
            let again = ApiKey { id: KeyId(lab.uid()), ..key.clone() };
            let unwritten = lab.entry(AuditAction::ApiKeyCreated, again.id);
            let refused = lab.store().insert_key(&again, Some(&unwritten)).await;
            assert!(matches!(refused, Err(Error::Exists)), "{refused:?}");
            if self.dice.once_in(2) {
                let audit = self.audit(lab, AuditAction::ApiKeyRevoked, key.id, None);
                assert!(lab.store().delete_key(key.id, audit.as_ref()).await.unwrap());
                self.plain.keys.retain(|one| one.id != key.id);
                return;
            }
            let used = at(self.dice.millis(2_000));
            lab.store().touch_keys(&[(key.id, used)]).await.unwrap();
            for one in self.plain.keys.iter_mut().filter(|one| one.id == key.id) {
                one.last_used_at = one.last_used_at.max(Some(used));
            }
        }
        let id = KeyId(lab.uid());
        let role = match self.dice.below(3) {
            0 => KeyRole::Provider,
            n => KeyRole::Consumer(account(ACCOUNTS[n])),
        };
        let key = ApiKey {
            id,
            role,
            name: None,
            hash: KeyHash::of(&id.to_string()),
            created_at: self.now,
            access: if self.dice.once_in(2) {
                Access::Full
            } else {
                Access::Limited { emit: self.dice.once_in(2), read: self.dice.once_in(2) }
            },
            expires_at: self.dice.once_in(2).then(|| at(99)),
            last_used_at: None,
        };
        let audit = self.audit(lab, AuditAction::ApiKeyCreated, id, None);
        lab.store().insert_key(&key, audit.as_ref()).await.unwrap();
        self.plain.keys.push(key);
    }

    pub(super) async fn settings(&mut self, lab: &Lab) {
        let of = *self.dice.pick(&ACCOUNTS).unwrap();
        let intents = [None, Some(Intent::None), Some(Intent::Echo)];
        let settings = AccountSettings { intent: self.dice.pick(&intents).copied().flatten() };
        let was = self.plain.settings.get(&account(of)).cloned().unwrap_or_default();
        let unwritten = Some(lab.entry(AuditAction::AccountUpdated, of));
        let audit = if was == settings {
            unwritten
        } else {
            self.audit(lab, AuditAction::AccountUpdated, of, Some(of))
        };
        lab.store().put_account(&account(of), &settings, self.now, audit.as_ref()).await.unwrap();
        if settings.is_empty() {
            self.plain.settings.remove(&account(of));
        } else {
            self.plain.settings.insert(account(of), settings);
        }
    }

    pub(super) async fn delete_account(&mut self, lab: &mut Lab) {
        let id = self.dice.pick(&ACCOUNTS).unwrap();
        self.delete(lab, id).await;
    }

    /// To the end: between its steps it is left open what of it can still be read.
    pub(super) async fn delete(&mut self, lab: &mut Lab, id: &str) {
        let id = account(id);
        let is_there = self.plain.accounts().iter().any(|one| one.id == id);
        let unwritten = Some(lab.entry(AuditAction::AccountDeleted, &id));
        let audit = if is_there {
            self.audit(lab, AuditAction::AccountDeleted, &id, Some(id.as_str()))
        } else {
            unwritten
        };
        let begun = lab.store().begin_delete_account(&id, self.now, audit.as_ref()).await.unwrap();
        assert_eq!(begun.is_some(), is_there);
        let Some(deleted) = begun else { return };
        if self.dice.once_in(2) {
            lab.reopen().await;
            self.begin_log_if_new(lab).await;
        }
        while !lab.store().delete_account_step(&deleted, 3).await.unwrap() {}
        self.plain.delete_account(&id);
    }
}
