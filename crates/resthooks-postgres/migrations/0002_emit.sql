-- Events that applications emit within their own transactions, and the tables that emit by themselves.

-- What holds for the whole schema. event_types = auto: types register themselves on first use.
CREATE TABLE setting (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

-- The way from an application's transaction to a node: a row is taken away in the transaction that accepts its event. Rows
-- become visible when their transactions commit, in whatever order that is; nothing counts on their numbers but the order
-- in which they are looked at. The steps between numbers are for emitted_pack.
CREATE TABLE emitted (
    no bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY 128) PRIMARY KEY,
    own_id boolean NOT NULL,
    own_time boolean NOT NULL DEFAULT false,
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

-- What a statement that changed many rows of a watched table emitted, up to 128 events to a row: at a third of what as many
-- rows cost the application that waits for them. A node makes rows of emitted of it, with numbers from this one's on.
-- Rows stand at the same place in each array. changed: + for created, - for deleted, else the list of changed columns.
-- Ids are head and, from base on, 16 hexadecimal digits.
CREATE TABLE emitted_pack (
    no bigint PRIMARY KEY,
    created_at bigint NOT NULL,
    base bigint NOT NULL,
    head text NOT NULL,
    prefix text NOT NULL,
    accounts text[] NOT NULL,
    keys text[] NOT NULL,
    changed text[] NOT NULL,
    data text[] NOT NULL
);
-- Compressed only where that is cheaper than to write more: with lz4, of PostgreSQL 14 and later that were built with it.
ALTER TABLE emitted_pack
    ALTER COLUMN accounts SET STORAGE EXTERNAL, ALTER COLUMN keys SET STORAGE EXTERNAL,
    ALTER COLUMN changed SET STORAGE EXTERNAL, ALTER COLUMN data SET STORAGE EXTERNAL;
DO $$
DECLARE
    of_column text;
BEGIN
    FOREACH of_column IN ARRAY ARRAY['accounts', 'keys', 'changed', 'data'] LOOP
        EXECUTE format('ALTER TABLE emitted_pack ALTER COLUMN %1$I SET COMPRESSION lz4, ALTER COLUMN %1$I SET STORAGE EXTENDED', of_column);
    END LOOP;
EXCEPTION WHEN syntax_error OR feature_not_supported OR invalid_parameter_value THEN
    NULL;
END
$$;
ALTER TABLE emitted_pack SET (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 10000,
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

CREATE TYPE watch_names AS (at text, head text, base text, largest text);

-- Slot 0 is for what is imported: its numbers are made of the events' own times.
ALTER TABLE node DROP CONSTRAINT node_slot_check, ADD CONSTRAINT node_slot_check CHECK (slot BETWEEN 0 AND 1023);
