-- access: how much of what its role could do a key may do, as the library's coding has it; 0 is all.
ALTER TABLE api_key
    ADD COLUMN access smallint NOT NULL DEFAULT 0,
    ADD COLUMN expires_at bigint,
    ADD COLUMN last_used_at bigint;

-- settings: as JSON; NULL when they say nothing. Their change is one of kind 4.
ALTER TABLE account ADD COLUMN settings text;
CREATE INDEX account_with_settings ON account (id) WHERE settings IS NOT NULL;

-- sealed_with: the id of the key that the document's secrets are sealed with; NULL when they are in clear, as nodes of the
-- version before write them.
ALTER TABLE subscription ADD COLUMN sealed_with text COLLATE "C";
CREATE INDEX subscription_by_sealing_key ON subscription (sealed_with, no);

-- The ids of the keys without which a node must not work here: what is sealed with them could not be read.
-- known_at: the highest node when the key became one of these: one above has it, since it would have been refused without.
-- brought_at: the highest node that may seal with it: one above seals with another.
CREATE TABLE sealing_key (
    id text COLLATE "C" PRIMARY KEY,
    known_at bigint NOT NULL,
    brought_at bigint NOT NULL
);

-- Who changed what. id begins with the time. account: without a table behind it, since the trail outlives it.
CREATE TABLE audit (
    id uuid PRIMARY KEY,
    at bigint NOT NULL,
    actor text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    object text COLLATE "C" NOT NULL,
    account text COLLATE "C",
    changed text NOT NULL,
    reason text
);
CREATE INDEX audit_by_account ON audit (account, id) WHERE account IS NOT NULL;
CREATE INDEX audit_by_object ON audit (object, id);
