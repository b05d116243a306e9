-- Everything is in one schema; the program sets search_path to it while this runs. Times are milliseconds since 1970.
--
-- event_seq and seq are numbers made of time: milliseconds << 21 | slot of the node << 11 | counter. The tables that grow
-- with events are partitioned by them, a partition a day: the program makes those (see partitions.sql).

-- One row: below this number no event may ever be numbered again.
CREATE TABLE numbering (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    floor bigint NOT NULL
);
INSERT INTO numbering (floor) VALUES (0);

-- state: 0 works, 1 left, 2 taken over. slot: its part of the numbers, given again only when the row is gone.
-- last, floor: when the lease was last lengthened, the node had numbered no event between these two.
-- epoch: counts how often the node has looked what became of a batch; those that were sent before are refused from then on.
CREATE TABLE node (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slot integer NOT NULL UNIQUE CHECK (slot BETWEEN 1 AND 1023),
    state smallint NOT NULL DEFAULT 0,
    name text NOT NULL,
    version text NOT NULL,
    started_at bigint NOT NULL,
    renewed_at bigint NOT NULL,
    lease_until bigint NOT NULL,
    watermark bigint NOT NULL,
    last bigint NOT NULL,
    floor bigint NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    taken_by bigint
) WITH (fillfactor = 20);

-- What has changed in what every node keeps in memory. Numbers are in the order of commits, because whoever adds one
-- holds a lock until it commits. kind: 0 subscription, 1 event type, 2 key, 3 account.
CREATE TABLE change (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node bigint NOT NULL,
    kind smallint NOT NULL,
    key text NOT NULL,
    made_at bigint NOT NULL
);

CREATE TABLE account (
    id text COLLATE "C" PRIMARY KEY,
    created_at bigint NOT NULL
);

-- Kept for a while after it is done, for late records.
CREATE TABLE account_deletion (
    account text COLLATE "C" PRIMARY KEY,
    through bigint NOT NULL,
    done_at bigint
);

CREATE TABLE event_type (
    name text COLLATE "C" PRIMARY KEY,
    document text NOT NULL
);

-- name: as bytes, since it may hold what a text can't.
CREATE TABLE api_key (
    id uuid PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    account text COLLATE "C",
    name bytea,
    created_at bigint NOT NULL
);
CREATE INDEX api_key_by_account ON api_key (account) WHERE account IS NOT NULL;

-- status: 0 pending, 1 active, 2 paused, 3 disabled, 4 gone, 5 deleted.
-- patterns: the event patterns, each between spaces. document: the whole subscription as JSON.
CREATE TABLE subscription (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version bigint NOT NULL DEFAULT 0,
    uid uuid NOT NULL UNIQUE,
    account text COLLATE "C" NOT NULL,
    status smallint NOT NULL,
    target_url text COLLATE "C" NOT NULL,
    patterns text COLLATE "C" NOT NULL,
    document text NOT NULL
);
CREATE INDEX subscription_live ON subscription (no) WHERE status < 4;
CREATE INDEX subscription_live_by_account ON subscription (account, no) WHERE status < 4;
CREATE INDEX subscription_by_account ON subscription (account, status, no);
CREATE INDEX subscription_by_status ON subscription (status, no);
CREATE INDEX subscription_by_target ON subscription (target_url, account, no) WHERE status < 5;

-- Changed with every batch: room in each page keeps the new versions of rows beside the old ones.
CREATE TABLE progress (
    subscription bigint PRIMARY KEY,
    sequence bigint NOT NULL DEFAULT 0,
    last_success_at bigint,
    last_failure_at bigint,
    failing_since bigint,
    consecutive_failures bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 30);

-- id: NULL when it was made of uid. matched: (subscription, sequence) pairs in a compact coding. shifted: the row of shift
-- that says what is added to these sequences. Texts that are not names are bytes: they may hold what a text can't.
CREATE TABLE event (
    seq bigint NOT NULL,
    created_at bigint NOT NULL,
    uid uuid NOT NULL,
    account text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    matched bytea NOT NULL,
    data bytea NOT NULL,
    id text COLLATE "C",
    digest bytea,
    resource_url bytea,
    order_key bytea,
    debounce_key bytea,
    shifted bigint,
    PRIMARY KEY (account, seq)
) PARTITION BY RANGE (seq);
CREATE INDEX event_by_seq ON event (seq);
CREATE INDEX event_by_uid ON event (uid);
CREATE INDEX event_by_name ON event (name, seq);
-- Most events happened when they were numbered, give or take ten minutes: those are found by their numbers.
CREATE INDEX event_of_other_times ON event (created_at) WHERE created_at - (seq >> 21) NOT BETWEEN -600000 AND 600000;

-- What a node that wrote a batch could not know: how far other nodes had counted subscriptions' sequences. One row for each
-- such batch, under its first event's number. pairs: a subscription and what is added to its sequences.
CREATE TABLE shift (
    seq bigint PRIMARY KEY,
    pairs bigint[] NOT NULL
) PARTITION BY RANGE (seq);

-- Producers' own ids.
CREATE TABLE event_id (
    account text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    created_at bigint NOT NULL,
    matched integer NOT NULL,
    digest bytea,
    PRIMARY KEY (id, account)
);

-- status: 0 delivered, 1 scheduled, 2 held, 3 dead, 4 cancelled. first_attempt: the attempt made before the row was.
-- node: whose it is while it waits. leased: that node has it in hand.
CREATE TABLE delivery (
    event_seq bigint NOT NULL,
    subscription bigint NOT NULL,
    sequence bigint NOT NULL,
    updated_at bigint NOT NULL,
    attempts integer NOT NULL,
    automatic integer NOT NULL,
    status smallint NOT NULL,
    leased boolean NOT NULL DEFAULT false,
    account text COLLATE "C" NOT NULL,
    first_attempt bytea,
    next_attempt_at bigint,
    node bigint,
    reason text,
    PRIMARY KEY (account, subscription, event_seq)
) PARTITION BY RANGE (event_seq);
CREATE INDEX delivery_due ON delivery (node, subscription, next_attempt_at, event_seq) WHERE status = 1;
CREATE INDEX delivery_waiting ON delivery (node, subscription, status, event_seq) WHERE status IN (1, 2);
CREATE INDEX delivery_by_subscription_status ON delivery (subscription, status, event_seq) WHERE status <> 0;
CREATE INDEX delivery_by_account_status ON delivery (account, status, event_seq) WHERE status <> 0;
CREATE INDEX delivery_by_status ON delivery (status, event_seq) WHERE status <> 0;

-- Attempts made once the row was there. place: their order.
CREATE TABLE attempt (
    event_seq bigint NOT NULL,
    subscription bigint NOT NULL,
    place integer NOT NULL,
    account text COLLATE "C" NOT NULL,
    attempt bytea NOT NULL,
    PRIMARY KEY (account, subscription, event_seq, place)
) PARTITION BY RANGE (event_seq);
