-- One row: how far the log is recorded, and the number below which no event may ever be numbered again.
CREATE TABLE position (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    watermark INTEGER NOT NULL,
    floor INTEGER NOT NULL
) STRICT;
INSERT INTO position (one, watermark, floor) VALUES (1, 0, 0);

-- Numbers are never given twice (AUTOINCREMENT): rows of a deleted account may outlive its own row for a moment.
CREATE TABLE account (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE account_deletion (
    account INTEGER PRIMARY KEY,
    through INTEGER NOT NULL
) STRICT;

CREATE TABLE event_type (
    name TEXT PRIMARY KEY,
    document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    id BLOB PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    account INTEGER,
    name TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_by_account ON api_key (account) WHERE account IS NOT NULL;

-- status: 0 pending, 1 active, 2 paused, 3 disabled, 4 gone, 5 deleted.
-- patterns: the event patterns, each between spaces. document: the whole subscription as JSON.
CREATE TABLE subscription (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    uid BLOB NOT NULL UNIQUE,
    account INTEGER NOT NULL,
    status INTEGER NOT NULL,
    target_url TEXT NOT NULL,
    patterns TEXT NOT NULL,
    document TEXT NOT NULL
) STRICT;
CREATE INDEX subscription_live ON subscription (no) WHERE status < 4;
CREATE INDEX subscription_live_by_account ON subscription (account, no) WHERE status < 4;
CREATE INDEX subscription_by_account ON subscription (account, status, no);
CREATE INDEX subscription_by_status ON subscription (status, no);
CREATE INDEX subscription_by_target ON subscription (target_url, account, no) WHERE status < 5;

CREATE TABLE progress (
    subscription INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    last_success_at INTEGER,
    last_failure_at INTEGER,
    failing_since INTEGER,
    consecutive_failures INTEGER NOT NULL
) STRICT;

-- The names of event types, as numbers.
CREATE TABLE event_name (
    no INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- id: NULL when it was made of uid. matched: (subscription, sequence) pairs in a compact coding.
-- What lists filter by comes first, so that the long columns are not read for it.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    uid BLOB NOT NULL,
    account INTEGER NOT NULL,
    name INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    id TEXT,
    digest BLOB,
    resource_url TEXT,
    order_key TEXT,
    debounce_key TEXT,
    matched BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_by_uid ON event (uid);
CREATE INDEX event_by_account ON event (account, seq, name);
CREATE INDEX event_by_name ON event (name, seq);

-- Producers' own ids.
CREATE TABLE event_id (
    id TEXT NOT NULL,
    account INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (id, account)
) STRICT, WITHOUT ROWID;

-- For every run of some thousand events the times within which they happened: an index over time that costs
-- nothing per event.
CREATE TABLE period (
    last_seq INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    earliest INTEGER NOT NULL,
    latest INTEGER NOT NULL
) STRICT;

-- status: 0 delivered, 1 scheduled, 2 held, 3 dead, 4 cancelled. first_attempt: the attempt made before the row was.
CREATE TABLE delivery (
    event_seq INTEGER NOT NULL,
    subscription INTEGER NOT NULL,
    account INTEGER NOT NULL,
    status INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    automatic INTEGER NOT NULL,
    next_attempt_at INTEGER,
    updated_at INTEGER NOT NULL,
    reason TEXT,
    first_attempt BLOB,
    PRIMARY KEY (event_seq, subscription)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_by_subscription ON delivery (subscription, event_seq);
CREATE INDEX delivery_due ON delivery (subscription, next_attempt_at) WHERE status = 1;
CREATE INDEX delivery_by_subscription_status ON delivery (subscription, status, event_seq) WHERE status <> 0;
CREATE INDEX delivery_by_account_status ON delivery (account, status, event_seq) WHERE status <> 0;
CREATE INDEX delivery_by_status ON delivery (status, event_seq) WHERE status <> 0;

-- Attempts made once the row was there. place: their order.
CREATE TABLE attempt (
    event_seq INTEGER NOT NULL,
    subscription INTEGER NOT NULL,
    place INTEGER NOT NULL,
    attempt BLOB NOT NULL,
    PRIMARY KEY (event_seq, subscription, place)
) STRICT, WITHOUT ROWID;
