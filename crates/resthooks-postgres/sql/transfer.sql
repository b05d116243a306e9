-- Adding what comes from another store. What is there already is left as it is.
--
-- Imported events belong to a node of slot 0, whose lease is lengthened with each step and which has left at the end: then,
-- or when the import breaks off, another node takes over what has no row yet, and what waits.

CREATE OR REPLACE FUNCTION import_account(of_id text, at bigint, with_settings text) RETURNS boolean LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    INSERT INTO account (id, created_at, settings) VALUES (of_id, at, with_settings) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF with_settings IS NOT NULL THEN
        PERFORM note_change(0, 4, of_id);
    END IF;
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION import_event_type(of_name text, with_document text) RETURNS boolean LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    INSERT INTO event_type (name, document) VALUES (of_name, with_document) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM note_change(0, 1, of_name);
        RETURN true;
    END IF;
    RETURN false;
END
$$;

CREATE OR REPLACE FUNCTION import_key(
    new_id uuid, with_hash bytea, of_account text, with_name bytea, made_at bigint, with_access smallint, ends_at bigint,
    used_at bigint
) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    IF EXISTS (SELECT FROM api_key WHERE id = new_id OR hash = with_hash) THEN
        RETURN false;
    END IF;
    PERFORM insert_key(0, new_id, with_hash, of_account, with_name, made_at, with_access, ends_at, used_at, NULL::text[]);
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION import_subscription(
    new_uid uuid, of_account text, of_status smallint, target text, with_patterns text, with_document text, with_key text,
    made_at bigint, with_version bigint, with_sequence bigint, success bigint, failure bigint, since bigint, failures bigint
) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS
$$
DECLARE
    given bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    IF EXISTS (SELECT FROM subscription WHERE uid = new_uid) THEN
        RETURN false;
    END IF;
    given := insert_subscription(0, new_uid, of_account, of_status, target, with_patterns, with_document, with_key, made_at,
        NULL::text[]);
    UPDATE subscription SET version = with_version WHERE no = given;
    UPDATE progress SET sequence = with_sequence, last_success_at = success, last_failure_at = failure,
        failing_since = since, consecutive_failures = failures
    WHERE subscription = given;
    RETURN true;
END
$$;

-- How many entries of the audit trail were not there.
CREATE OR REPLACE FUNCTION import_audit(
    ids uuid[], times bigint[], actors text[], actions text[], objects text[], accounts text[], changes text[],
    reasons text[]
) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS
$$
DECLARE
    added bigint;
BEGIN
    INSERT INTO audit (id, at, actor, action, object, account, changed, reason)
    SELECT * FROM unnest(ids, times, actors, actions, objects, accounts, changes, reasons) ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    RETURN added;
END
$$;

-- The number above which imported events are numbered: those of an import that was cut come before, and so do those that
-- went with their account.
CREATE OR REPLACE FUNCTION imported_through() RETURNS bigint LANGUAGE sql STABLE SET search_path FROM CURRENT AS
$$
    SELECT greatest(0, (SELECT s.value::bigint FROM setting AS s WHERE s.name = 'imported_through'),
        (SELECT max(x.through) FROM account_deletion AS x))
$$;

-- The node that imported events belong to, which lives for another minute.
CREATE OR REPLACE FUNCTION import_node(below bigint, of_version text) RETURNS node LANGUAGE plpgsql AS
$$
DECLARE
    one node;
    now CONSTANT bigint := now_ms();
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), 0);
    UPDATE node AS n SET state = 0, renewed_at = now, lease_until = now + 60000 WHERE n.slot = 0 AND n.state <> 2
    RETURNING * INTO one;
    IF NOT FOUND THEN
        IF EXISTS (SELECT FROM node AS n WHERE n.slot = 0) THEN
            RAISE EXCEPTION 'a node is taking over what was imported before' USING ERRCODE = 'lock_not_available';
        END IF;
        INSERT INTO node (slot, name, version, started_at, renewed_at, lease_until, watermark, last, floor)
        VALUES (0, 'import', of_version, now, now, now + 60000, below, below, below) RETURNING * INTO one;
    END IF;
    RETURN one;
END
$$;

-- Events with their deliveries; how many were not there. recorded: up to which number the events of this step, from the
-- first on, have all their deliveries' rows.
CREATE OR REPLACE FUNCTION import_events(
    of_version text, below bigint, recorded bigint,
    e_seq bigint[], e_created bigint[], e_uid uuid[], e_account text[], e_name text[], e_matched bytea[], e_count integer[],
    e_data bytea[], e_id text[], e_digest bytea[], e_resource bytea[], e_order bytea[], e_debounce bytea[],
    d_seq bigint[], d_account text[], d_subscription bigint[], d_sequence bigint[], d_updated bigint[], d_attempts integer[],
    d_automatic integer[], d_status smallint[], d_first bytea[], d_next bigint[], d_reason text[],
    d_key bytea[], d_group bigint[],
    a_seq bigint[], a_account text[], a_subscription bigint[], a_place integer[], a_attempt bytea[]
) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off AS
$$
DECLARE
    one CONSTANT node := import_node(below, of_version);
    through CONSTANT bigint := e_seq[cardinality(e_seq)];
    known bigint[];
BEGIN
    PERFORM make_partitions(day, day) FROM (SELECT DISTINCT (u.seq >> 21) / 86400000 AS day FROM unnest(e_seq) AS u (seq)) AS days;
    SELECT coalesce(array_agg(u.seq), '{}') INTO known FROM unnest(e_seq, e_uid, e_account, e_id) AS u (seq, uid, account, id)
    WHERE EXISTS (SELECT FROM event AS e WHERE e.uid = u.uid)
        OR EXISTS (SELECT FROM event_id AS i WHERE i.account = u.account AND i.id = u.id);
    INSERT INTO account (id, created_at)
    SELECT u.account, min(u.created) FROM unnest(e_account, e_created) AS u (account, created) GROUP BY u.account ORDER BY 1
    ON CONFLICT DO NOTHING;
    INSERT INTO event (seq, created_at, uid, account, name, matched, data, id, digest, resource_url, order_key, debounce_key)
    SELECT u.* FROM unnest(e_seq, e_created, e_uid, e_account, e_name, e_matched, e_data, e_id, e_digest, e_resource, e_order,
            e_debounce)
        AS u (seq, created_at, uid, account, name, matched, data, id, digest, resource_url, order_key, debounce_key)
    WHERE u.seq <> ALL (known);
    INSERT INTO event_id (account, id, seq, created_at, matched, digest)
    SELECT u.account, u.id, u.seq, u.created, u.matched, u.digest
    FROM unnest(e_account, e_id, e_seq, e_created, e_count, e_digest) AS u (account, id, seq, created, matched, digest)
    WHERE u.id IS NOT NULL AND u.seq <> ALL (known);
    INSERT INTO delivery (event_seq, subscription, sequence, updated_at, attempts, automatic, status, account, first_attempt,
        next_attempt_at, node, reason, plan_key, plan_group)
    SELECT u.seq, u.subscription, u.sequence, u.updated, u.attempts, u.automatic, u.status, u.account, u.first, u.next,
        CASE WHEN u.status IN (1, 2) AND u.key IS NULL THEN one.no END, u.reason, u.key, u.grouped
    FROM unnest(d_seq, d_account, d_subscription, d_sequence, d_updated, d_attempts, d_automatic, d_status, d_first, d_next,
            d_reason, d_key, d_group)
        AS u (seq, account, subscription, sequence, updated, attempts, automatic, status, first, next, reason, key, grouped)
    WHERE u.seq <> ALL (known);
    -- Whoever takes this node over owns what is planned, unless somebody does already.
    INSERT INTO owner AS o (subscription, node)
    SELECT DISTINCT u.subscription, one.no FROM unnest(d_seq, d_subscription, d_status, d_key)
        AS u (seq, subscription, status, key)
    WHERE u.key IS NOT NULL AND u.status IN (1, 2) AND u.seq <> ALL (known)
    ON CONFLICT (subscription) DO UPDATE SET again = o.again + 1;
    INSERT INTO attempt (event_seq, subscription, place, account, attempt)
    SELECT u.seq, u.subscription, u.place, u.account, u.attempt
    FROM unnest(a_seq, a_account, a_subscription, a_place, a_attempt) AS u (seq, account, subscription, place, attempt)
    WHERE u.seq <> ALL (known);
    UPDATE node AS n SET last = greatest(n.last, through), floor = greatest(n.floor, through),
        watermark = CASE WHEN n.watermark = n.last THEN greatest(n.watermark, recorded) ELSE n.watermark END
    WHERE n.no = one.no;
    INSERT INTO setting AS s (name, value) VALUES ('imported_through', through::text)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE s.value::bigint < excluded.value::bigint;
    RETURN cardinality(e_seq) - cardinality(known);
END
$$;

-- What was imported may be taken over.
CREATE OR REPLACE FUNCTION end_import() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), 0);
    UPDATE node SET state = 1, lease_until = least(lease_until, now_ms()) WHERE slot = 0 AND state = 0;
END
$$;

-- What an export would leave behind or miss.
CREATE OR REPLACE FUNCTION export_hindrances() RETURNS SETOF text LANGUAGE sql STABLE SET search_path FROM CURRENT AS
$$
    SELECT h.why FROM (VALUES
        (1, (SELECT count(*) FROM node WHERE state = 0 AND slot > 0 AND lease_until > now_ms()),
            'nodes work on this store: what they change meanwhile may be missing; stop them first'),
        (2, (SELECT count(*) FROM emitted) + (SELECT coalesce(sum(cardinality(keys)), 0) FROM emitted_pack),
            'events that were emitted in transactions are not accepted yet and stay behind: let a node run until they are'),
        (3, (SELECT count(*) FROM refused), 'refused events stay behind, in the table refused'),
        (4, (SELECT count(*) FROM watch), 'watched tables go on emitting into this store: see resthooks watched')
    ) AS h (place, count, why)
    WHERE h.count > 0 ORDER BY h.place
$$;
