-- Deleting what is old. Days go whole where nothing in them is kept, else their events one by one.

-- The days of which there are partitions, as numbers since 1970, the first one first.
CREATE OR REPLACE FUNCTION kept_days() RETURNS SETOF bigint LANGUAGE sql STABLE
SET search_path FROM CURRENT AS
$$
    SELECT (to_date(right(c.relname, 8), 'YYYYMMDD') - date '1970-01-01')::bigint
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass('event') AND c.relname ~ '^event_[0-9]{8}$'
    ORDER BY 1
$$;

-- Whether an event of these numbers waits to be sent, was missed and is not old, or may have deliveries without a row.
CREATE OR REPLACE FUNCTION holds_kept(first_seq bigint, end_seq bigint, missed_from bigint) RETURNS boolean LANGUAGE sql STABLE
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off AS
$$
    -- A late record of an event that is gone keeps nothing.
    SELECT EXISTS (SELECT FROM unnest(ARRAY[1, 2]) AS s (status) CROSS JOIN LATERAL (
            SELECT FROM delivery d WHERE d.status = s.status AND d.status <> 0
                AND d.event_seq >= first_seq AND d.event_seq < end_seq
                AND EXISTS (SELECT FROM event e WHERE e.account = d.account AND e.seq = d.event_seq) LIMIT 1) x)
        OR EXISTS (SELECT FROM delivery d WHERE d.status = 3 AND d.status <> 0
            AND d.event_seq >= greatest(first_seq, missed_from) AND d.event_seq < end_seq)
        OR EXISTS (SELECT FROM node n CROSS JOIN LATERAL (
            SELECT FROM event e WHERE e.seq >= first_seq AND e.seq < end_seq AND e.seq > n.watermark
                AND ((e.seq >> 11) & 1023) = n.slot LIMIT 1) x WHERE n.watermark < end_seq - 1)
$$;

-- Frees the ids of producers of up to most events, on the way to the end of a day; how many events, and the last one when
-- there may be more.
CREATE OR REPLACE FUNCTION expire_ids(after bigint, end_seq bigint, most integer)
RETURNS TABLE (gone bigint, last bigint) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off AS
$$
#variable_conflict use_variable
BEGIN
    WITH chosen AS MATERIALIZED (
        SELECT e.seq, e.account, e.id FROM event e WHERE e.seq > after AND e.seq < end_seq ORDER BY e.seq LIMIT most
    ), ids AS (
        DELETE FROM event_id i USING chosen c WHERE c.id IS NOT NULL AND i.id = c.id AND i.account = c.account AND i.seq = c.seq
    )
    SELECT count(*), CASE WHEN count(*) >= most THEN max(c.seq) END INTO gone, last FROM chosen c;
    RETURN NEXT;
END
$$;

-- Sets a day's partitions apart, in which nothing is kept: nobody writes meanwhile, for some milliseconds. False when
-- something is kept after all, or somebody has one of the tables in hand for longer.
CREATE OR REPLACE FUNCTION set_day_apart(day bigint, first_seq bigint, end_seq bigint, missed_from bigint) RETURNS boolean
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET lock_timeout = '4ms' AS
$$
DECLARE
    parent text;
    child text;
    suffix text := to_char(timestamp 'epoch' + day * interval '1 day', 'YYYYMMDD');
BEGIN
    IF NOT pg_try_advisory_xact_lock(lock_class(), -2) THEN
        RETURN false;
    END IF;
    BEGIN
        LOCK TABLE event, shift, delivery, attempt IN ACCESS EXCLUSIVE MODE;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        RETURN false;
    END;
    IF to_regclass('event_' || suffix) IS NULL OR holds_kept(first_seq, end_seq, missed_from) THEN
        RETURN false;
    END IF;
    FOREACH parent IN ARRAY ARRAY['event', 'shift', 'delivery', 'attempt'] LOOP
        child := parent || '_' || suffix;
        CONTINUE WHEN to_regclass(format('%I', child)) IS NULL;
        EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, child);
        -- A late record may ask for the day once more.
        EXECUTE format('ALTER TABLE %I RENAME TO %I', child, 'gone_' || to_regclass(format('%I', child))::oid);
    END LOOP;
    UPDATE numbering SET floor = end_seq - 1 WHERE floor < end_seq - 1 AND end_seq <= (now_ms() << 21);
    RETURN true;
END
$$;

-- Drops one table that was set apart; whether there was one.
CREATE OR REPLACE FUNCTION drop_set_apart() RETURNS boolean LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
DECLARE
    child text;
BEGIN
    SELECT c.relname INTO child FROM pg_class c
    WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relkind = 'r' AND c.relname ~ '^gone_[0-9]+$' LIMIT 1;
    IF child IS NULL OR NOT pg_try_advisory_xact_lock(lock_class(), -2) THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', child);
    RETURN true;
END
$$;

-- Deletes those of these events in which nothing is kept; how many. d_…: all their deliveries.
CREATE OR REPLACE FUNCTION expire_events(
    e_seq bigint[], e_account text[], d_seq bigint[], d_account text[], d_subscription bigint[], missed_from bigint
) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off AS
$$
DECLARE
    kept bigint[];
    gone bigint;
BEGIN
    -- Whoever wants to schedule one of these again waits, and finds it gone.
    PERFORM FROM unnest(d_seq, d_account, d_subscription) AS u (seq, account, subscription)
    CROSS JOIN LATERAL (SELECT FROM delivery d WHERE d.account = u.account AND d.subscription = u.subscription
        AND d.event_seq = u.seq FOR UPDATE) x;
    SELECT array_agg(DISTINCT x.seq) INTO kept FROM (
        SELECT u.seq FROM unnest(d_seq, d_account, d_subscription) AS u (seq, account, subscription)
        CROSS JOIN LATERAL (SELECT d.status FROM delivery d WHERE d.account = u.account
            AND d.subscription = u.subscription AND d.event_seq = u.seq LIMIT 1) d
        WHERE d.status IN (1, 2) OR (d.status = 3 AND u.seq >= missed_from)
        UNION ALL
        SELECT u.seq FROM unnest(e_seq) AS u (seq)
        WHERE EXISTS (SELECT FROM node n WHERE n.slot = ((u.seq >> 11) & 1023) AND n.watermark < u.seq)
    ) x;
    kept := coalesce(kept, '{}');
    DELETE FROM attempt a USING unnest(d_seq, d_account, d_subscription) AS u (seq, account, subscription)
    WHERE a.account = u.account AND a.subscription = u.subscription AND a.event_seq = u.seq AND u.seq <> ALL (kept);
    DELETE FROM delivery d USING unnest(d_seq, d_account, d_subscription) AS u (seq, account, subscription)
    WHERE d.account = u.account AND d.subscription = u.subscription AND d.event_seq = u.seq AND u.seq <> ALL (kept);
    WITH deleted AS (
        DELETE FROM event e USING unnest(e_seq, e_account) AS u (seq, account)
        WHERE e.account = u.account AND e.seq = u.seq AND u.seq <> ALL (kept)
        RETURNING e.seq, e.account, e.id
    ), ids AS (
        DELETE FROM event_id i USING deleted x WHERE i.id = x.id AND i.account = x.account AND i.seq = x.seq
    )
    SELECT count(*) INTO gone FROM deleted;
    RETURN gone;
END
$$;

-- Deletes the attempts of these deliveries, unless they wait; of how many deliveries.
CREATE OR REPLACE FUNCTION expire_attempts(d_seq bigint[], d_account text[], d_subscription bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off AS
$$
DECLARE
    gone bigint;
BEGIN
    WITH changed AS (
        UPDATE delivery d SET first_attempt = NULL
        FROM unnest(d_seq, d_account, d_subscription) AS u (seq, account, subscription)
        WHERE d.account = u.account AND d.subscription = u.subscription AND d.event_seq = u.seq
            AND d.status NOT IN (1, 2) AND d.first_attempt IS NOT NULL
        RETURNING d.event_seq, d.subscription
    ), further AS (
        DELETE FROM attempt a USING unnest(d_seq, d_account, d_subscription) AS u (seq, account, subscription)
        CROSS JOIN LATERAL (SELECT d.status FROM delivery d WHERE d.account = u.account
            AND d.subscription = u.subscription AND d.event_seq = u.seq LIMIT 1) d
        WHERE a.account = u.account AND a.subscription = u.subscription AND a.event_seq = u.seq AND d.status NOT IN (1, 2)
        RETURNING a.event_seq, a.subscription
    )
    SELECT count(*) INTO gone FROM (SELECT * FROM changed UNION SELECT * FROM further) x;
    RETURN gone;
END
$$;
