-- access: how much of what its role could do a key may do, as the library's coding has it; 0 is all.
ALTER TABLE api_key ADD COLUMN access INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN expires_at INTEGER;
ALTER TABLE api_key ADD COLUMN last_used_at INTEGER;

-- settings: as JSON; NULL when they say nothing.
ALTER TABLE account ADD COLUMN settings TEXT;
CREATE INDEX account_with_settings ON account (id) WHERE settings IS NOT NULL;

-- sealed_with: the id of the key that the document's secrets are sealed with; NULL when they are in clear.
ALTER TABLE subscription ADD COLUMN sealed_with TEXT;
CREATE INDEX subscription_by_sealing_key ON subscription (sealed_with, no);

-- The ids of the keys without which this store must not be opened: what is sealed with them could not be read.
CREATE TABLE sealing_key (
    id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- A row: secrets that an earlier version wrote in clear lie in the file, maybe where nothing is stored any more.
CREATE TABLE clear_text (
    one INTEGER PRIMARY KEY CHECK (one = 1)
) STRICT;
INSERT INTO clear_text (one) SELECT 1 FROM sqlite_sequence WHERE name = 'subscription';

-- Who changed what. uid begins with the time. account: by its public id, which outlives it. changed: names of settings,
-- as JSON.
CREATE TABLE audit (
    uid BLOB PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    account TEXT,
    changed TEXT NOT NULL,
    reason TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_account ON audit (account, uid) WHERE account IS NOT NULL;
CREATE INDEX audit_by_object ON audit (object, uid);
