-- What callers manage. Each change holds the lock -1 to its end, so that changes are numbered in the order in which they
-- happen, is noted for the other nodes, and is written into the audit trail. A change that finds nothing to change is none.

CREATE OR REPLACE FUNCTION insert_subscription(
    by_node bigint, new_uid uuid, of_account text, of_status smallint, target text, with_patterns text, with_document text,
    with_key text, made_at bigint, with_audit text[]
) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
DECLARE
    given bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    INSERT INTO account (id, created_at) VALUES (of_account, made_at) ON CONFLICT DO NOTHING;
    PERFORM note_sealing_key(with_key);
    INSERT INTO subscription (uid, account, status, target_url, patterns, document, sealed_with)
    VALUES (new_uid, of_account, of_status, target, with_patterns, with_document, with_key) RETURNING no INTO given;
    INSERT INTO progress (subscription) VALUES (given);
    PERFORM note_change(by_node, 0, given::text);
    PERFORM write_audit(with_audit);
    RETURN given;
END
$$;

-- One that is gone with its account is not brought back.
CREATE OR REPLACE FUNCTION update_subscription(
    by_node bigint, of_no bigint, from_version bigint, to_status smallint, target text, with_patterns text,
    with_document text, with_key text, with_audit text[]
) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    UPDATE subscription SET version = version + 1, status = to_status, target_url = target, patterns = with_patterns,
        document = with_document, sealed_with = with_key
    WHERE no = of_no AND version = from_version;
    IF FOUND THEN
        PERFORM note_sealing_key(with_key);
        PERFORM note_change(by_node, 0, of_no::text);
        PERFORM write_audit(with_audit);
    ELSE
        RAISE EXCEPTION 'the subscription has another version, or is gone' USING ERRCODE = 'RH002';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION put_event_type(by_node bigint, of_name text, with_document text, with_audit text[])
RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    INSERT INTO event_type (name, document) VALUES (of_name, with_document)
    ON CONFLICT (name) DO UPDATE SET document = excluded.document;
    PERFORM note_change(by_node, 1, of_name);
    PERFORM write_audit(with_audit);
END
$$;

CREATE OR REPLACE FUNCTION delete_event_type(by_node bigint, of_name text, with_audit text[]) RETURNS boolean
LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    DELETE FROM event_type WHERE name = of_name;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM note_change(by_node, 1, of_name);
    PERFORM write_audit(with_audit);
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION insert_key(
    by_node bigint, new_id uuid, with_hash bytea, of_account text, with_name bytea, made_at bigint, with_access smallint,
    ends_at bigint, used_at bigint, with_audit text[]
) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    IF of_account IS NOT NULL THEN
        INSERT INTO account (id, created_at) VALUES (of_account, made_at) ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO api_key (id, hash, account, name, created_at, access, expires_at, last_used_at)
    VALUES (new_id, with_hash, of_account, with_name, made_at, with_access, ends_at, used_at);
    PERFORM note_change(by_node, 2, new_id::text);
    PERFORM write_audit(with_audit);
END
$$;

CREATE OR REPLACE FUNCTION delete_key(by_node bigint, of_id uuid, with_audit text[]) RETURNS boolean LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    DELETE FROM api_key WHERE id = of_id;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM note_change(by_node, 2, of_id::text);
    PERFORM write_audit(with_audit);
    RETURN true;
END
$$;

-- When keys were last used. Nobody is told: it changes all the time, and lets nobody in or out. In one order, so that nodes
-- that note the same keys at once wait for each other.
CREATE OR REPLACE FUNCTION touch_keys(ids uuid[], times bigint[]) RETURNS void LANGUAGE sql
SET search_path FROM CURRENT AS
$$
    WITH used AS (
        SELECT u.id, max(u.at) AS at FROM unnest(ids, times) AS u (id, at) GROUP BY u.id
    ), later AS MATERIALIZED (
        SELECT k.id, used.at FROM api_key k JOIN used ON used.id = k.id
        WHERE k.last_used_at IS NULL OR k.last_used_at < used.at ORDER BY k.id FOR NO KEY UPDATE OF k
    )
    UPDATE api_key k SET last_used_at = greatest(k.last_used_at, later.at) FROM later WHERE k.id = later.id
$$;

-- NULL are settings that say nothing.
CREATE OR REPLACE FUNCTION put_account(
    by_node bigint, of_account text, with_settings text, made_at bigint, with_audit text[]
) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    IF with_settings IS NULL THEN
        UPDATE account SET settings = NULL WHERE id = of_account AND settings IS NOT NULL;
    ELSE
        INSERT INTO account AS a (id, created_at, settings) VALUES (of_account, made_at, with_settings)
        ON CONFLICT (id) DO UPDATE SET settings = excluded.settings WHERE a.settings IS DISTINCT FROM excluded.settings;
    END IF;
    IF FOUND THEN
        PERFORM note_change(by_node, 4, of_account);
        PERFORM write_audit(with_audit);
    END IF;
END
$$;

-- Whether anything of an account is left. Also what has ended counts: it can be read, and deleted with the account.
CREATE OR REPLACE FUNCTION holds_anything(of_account text) RETURNS boolean LANGUAGE sql STABLE AS
$$
    SELECT EXISTS (SELECT FROM subscription WHERE account = of_account)
        OR EXISTS (SELECT FROM event WHERE account = of_account)
        OR EXISTS (SELECT FROM api_key WHERE account = of_account)
        OR EXISTS (SELECT FROM account WHERE id = of_account AND settings IS NOT NULL)
$$;

-- Up to which event the account is deleted; NULL when it holds nothing.
CREATE OR REPLACE FUNCTION begin_delete_account(by_node bigint, of_account text, with_audit text[]) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_bitmapscan = off AS
$$
DECLARE
    highest bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    PERFORM halt_writing();
    IF NOT holds_anything(of_account) THEN
        RETURN NULL;
    END IF;
    SELECT e.seq INTO highest FROM event e WHERE e.account = of_account ORDER BY e.seq DESC LIMIT 1;
    highest := coalesce(highest, 0);
    DELETE FROM api_key WHERE account = of_account;
    DELETE FROM progress WHERE subscription IN (SELECT no FROM subscription WHERE account = of_account);
    DELETE FROM owner WHERE subscription IN (SELECT no FROM subscription WHERE account = of_account);
    DELETE FROM subscription WHERE account = of_account;
    UPDATE account SET settings = NULL WHERE id = of_account;
    -- The last event may be among those that go, and its number must not be given again.
    UPDATE numbering SET floor = highest WHERE floor < highest;
    INSERT INTO account_deletion (account, through) VALUES (of_account, highest)
    ON CONFLICT (account) DO UPDATE SET through = greatest(account_deletion.through, excluded.through), done_at = NULL
    RETURNING through INTO highest;
    PERFORM note_change(by_node, 3, of_account);
    PERFORM write_audit(with_audit);
    RETURN highest;
END
$$;

-- Deletes up to most_rows deliveries and attempts, then up to most events; whether all is gone.
CREATE OR REPLACE FUNCTION delete_account_step(of_account text, up_to bigint, most integer, most_rows integer)
RETURNS boolean LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off AS
$$
DECLARE
    rows_left integer := most_rows;
    gone integer;
BEGIN
    WITH chosen AS MATERIALIZED (
        SELECT subscription, event_seq, place FROM attempt WHERE account = of_account AND event_seq <= up_to LIMIT rows_left
    )
    DELETE FROM attempt a USING chosen c WHERE a.account = of_account AND a.subscription = c.subscription
        AND a.event_seq = c.event_seq AND a.place = c.place;
    GET DIAGNOSTICS gone = ROW_COUNT;
    rows_left := rows_left - gone;
    WITH chosen AS MATERIALIZED (
        SELECT subscription, event_seq FROM delivery WHERE account = of_account AND event_seq <= up_to LIMIT rows_left
    )
    DELETE FROM delivery d USING chosen c WHERE d.account = of_account AND d.subscription = c.subscription
        AND d.event_seq = c.event_seq;
    GET DIAGNOSTICS gone = ROW_COUNT;
    rows_left := rows_left - gone;
    IF rows_left <= 0 THEN
        RETURN false;
    END IF;
    WITH chosen AS MATERIALIZED (
        SELECT seq, id FROM event WHERE account = of_account AND seq <= up_to ORDER BY seq LIMIT least(most, rows_left)
    ), ids AS (
        DELETE FROM event_id i USING chosen c WHERE i.account = of_account AND i.id = c.id
    )
    DELETE FROM event e USING chosen c WHERE e.account = of_account AND e.seq = c.seq;
    IF EXISTS (SELECT FROM event WHERE account = of_account AND seq <= up_to) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    PERFORM halt_writing();
    -- A later deletion of the same account, with more events, does not end with this one.
    UPDATE account_deletion SET done_at = now_ms() WHERE account = of_account AND through <= up_to AND done_at IS NULL;
    IF NOT holds_anything(of_account)
        AND NOT EXISTS (SELECT FROM account_deletion WHERE account = of_account AND done_at IS NULL) THEN
        DELETE FROM account WHERE id = of_account;
    END IF;
    RETURN true;
END
$$;
