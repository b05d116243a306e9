-- Events that applications emit within their own transactions, and the tables that emit by themselves.

-- What holds for the whole schema. event_types = auto: types register themselves on first use.
CREATE TABLE setting (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

-- The way from an application's transaction to a node: a row is taken away in the transaction that accepts its event. Rows
-- become visible when their transactions commit, in whatever order that is; nothing counts on their numbers but the order
-- in which they are looked at.
CREATE TABLE emitted (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    own_id boolean NOT NULL,
    created_at bigint NOT NULL,
    event text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    data text NOT NULL,
    resource_url text,
    order_key text,
    debounce_key text
);
-- A queue: it is short, and all of it changes all the time. Dead rows are what makes looking at its head slow, so that they
-- are cleaned up soon and without pauses.
ALTER TABLE emitted SET (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 100000,
    toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 5000,
    toast.autovacuum_vacuum_cost_delay = 0
);

-- What could not be accepted, for an operator to look at. Nothing here is read again by the program.
CREATE TABLE refused (
    no bigint PRIMARY KEY,
    own_id boolean NOT NULL,
    created_at bigint NOT NULL,
    event text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    data text NOT NULL,
    resource_url text,
    order_key text,
    debounce_key text,
    reason text NOT NULL,
    refused_at bigint NOT NULL
);

-- The watched tables. columns: the watched ones; NULL for all. id: what names a row; NULL for the primary key. no: part of
-- the names of the functions.
CREATE TABLE watch (
    no bigint PRIMARY KEY,
    of_table regclass NOT NULL UNIQUE,
    prefix text NOT NULL,
    account_column text NOT NULL,
    columns text[],
    id_column text,
    made_at bigint NOT NULL
);
