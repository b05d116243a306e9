-- Who works on this store. Leases run by the server's clock; what a node has begun to write when it is taken over is
-- waited for, and what it writes afterwards refused (see enter in locks.sql).

CREATE OR REPLACE FUNCTION join_node(of_name text, of_version text, of_start bigint, lease_ms bigint)
RETURNS TABLE (no bigint, slot integer, last bigint) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off AS
$$
#variable_conflict use_column
DECLARE
    free integer;
    highest bigint;
    now bigint;
BEGIN
    -- Nobody deletes an account or takes over meanwhile: both wait for all nodes that there are.
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    PERFORM pg_advisory_xact_lock(lock_class(), -3);
    SELECT min(s.slot) INTO free FROM generate_series(1, 1023) AS s (slot)
    WHERE NOT EXISTS (SELECT FROM node n WHERE n.slot = s.slot);
    IF free IS NULL THEN
        RAISE EXCEPTION 'there are 1023 nodes already' USING ERRCODE = 'RH005';
    END IF;
    -- Whoever had the slot before has no commit under way any more.
    PERFORM pg_advisory_xact_lock(lock_class(), free);
    SELECT greatest((SELECT e.seq FROM event e ORDER BY e.seq DESC LIMIT 1), (SELECT floor FROM numbering),
        (SELECT max(n.last) FROM node n)) INTO highest;
    now := now_ms();
    RETURN QUERY INSERT INTO node (slot, name, version, started_at, renewed_at, lease_until, watermark, last, floor)
        VALUES (free, of_name, of_version, of_start, now, now + lease_ms, highest, highest, highest)
        RETURNING node.no, node.slot, node.last;
END
$$;

-- Whether somebody could take this node over: it has left, its lease has ended, or whoever took it over is gone.
CREATE OR REPLACE FUNCTION is_orphan(of_no bigint, of_state smallint, of_lease_until bigint, of_taken_by bigint, now bigint)
RETURNS boolean LANGUAGE sql STABLE AS
$$
    SELECT CASE of_state
        WHEN 0 THEN of_lease_until <= now
        WHEN 1 THEN true
        ELSE NOT EXISTS (SELECT FROM node t WHERE t.no = of_taken_by AND t.state = 0 AND t.lease_until > now)
    END
$$;

-- last_given and floor_from: the node has numbered no event between the two, and will number none; NULL when it does not
-- say so.
CREATE OR REPLACE FUNCTION renew(by_node bigint, lease_ms bigint, last_given bigint, floor_from bigint)
RETURNS TABLE (live bigint, place bigint, orphans boolean) LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
#variable_conflict use_column
DECLARE
    now bigint := now_ms();
BEGIN
    UPDATE node n SET renewed_at = now, lease_until = now + lease_ms,
        last = CASE WHEN floor_from IS NULL THEN n.last ELSE greatest(n.last, last_given) END,
        floor = CASE WHEN floor_from IS NULL THEN n.floor ELSE greatest(n.floor, floor_from) END
    WHERE n.no = by_node AND n.state = 0;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the node was taken over' USING ERRCODE = 'RH001';
    END IF;
    now := now_ms();
    RETURN QUERY SELECT
        count(*) FILTER (WHERE n.state = 0 AND n.lease_until > now),
        count(*) FILTER (WHERE n.state = 0 AND n.lease_until > now AND n.no < by_node),
        bool_or(n.no <> by_node AND is_orphan(n.no, n.state, n.lease_until, n.taken_by, now))
        FROM node n;
END
$$;

-- All nodes that this one has taken over and not forgotten; what it took before as well, since an answer may have been
-- lost. Without patience only what has left, or has no taker any more: a lease that has ended says little to whoever has
-- not reached the database itself for a while.
CREATE OR REPLACE FUNCTION take_over(by_node bigint, by_slot integer, patient boolean) RETURNS SETOF bigint LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
DECLARE
    one record;
    now bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -3);
    PERFORM enter(by_node, by_slot);
    now := now_ms();
    -- Those that work or have left come first: whom they had taken over is without a taker then.
    FOR one IN SELECT n.no, n.slot FROM node n
        WHERE n.no <> by_node AND (n.state = 1 OR n.state = 0 AND n.lease_until <= now AND patient)
        ORDER BY n.slot
    LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM node n WHERE n.no = one.no AND (n.state = 1 OR n.lease_until <= now_ms()));
        -- Who can't be fenced off at once is left for the next time: nobody waits here for anybody.
        CONTINUE WHEN NOT fence_off(one.slot);
        -- It may have come back meanwhile.
        UPDATE node n SET state = 2, taken_by = by_node
        WHERE n.no = one.no AND (n.state = 1 OR n.state = 0 AND n.lease_until <= now_ms());
    END LOOP;
    UPDATE node n SET taken_by = by_node
    WHERE n.state = 2 AND n.no <> by_node AND n.taken_by <> by_node
        AND NOT EXISTS (SELECT FROM node t WHERE t.no = n.taken_by AND t.state <> 2);
    UPDATE owner o SET node = by_node, again = o.again + 1
    FROM node n WHERE n.state = 2 AND n.taken_by = by_node AND n.no = o.node;
    RETURN QUERY SELECT n.no FROM node n WHERE n.state = 2 AND n.taken_by = by_node ORDER BY n.no;
END
$$;

-- Refuses, from now on, what this node has sent to be written and is not written yet. Waits for what is being written.
-- Answers what its batches must carry.
CREATE OR REPLACE FUNCTION end_doubt(by_node bigint, by_slot integer) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
DECLARE
    new_epoch bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), by_slot);
    PERFORM enter(by_node, by_slot);
    UPDATE node SET epoch = epoch + 1 WHERE no = by_node RETURNING epoch INTO new_epoch;
    RETURN new_epoch;
END
$$;

-- How far a node's log goes; waits for what it is writing.
CREATE OR REPLACE FUNCTION position_of(of_node bigint) RETURNS TABLE (watermark bigint, last bigint) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_bitmapscan = off AS
$$
#variable_conflict use_column
DECLARE
    one node%ROWTYPE;
    found_seq bigint;
BEGIN
    SELECT * INTO one FROM node n WHERE n.no = of_node;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the node was taken over' USING ERRCODE = 'RH001';
    END IF;
    PERFORM pg_advisory_xact_lock(lock_class(), one.slot);
    SELECT * INTO one FROM node n WHERE n.no = of_node;
    SELECT e.seq INTO found_seq FROM event e
    WHERE e.seq > one.floor AND (e.seq >> 11) & 1023 = one.slot ORDER BY e.seq DESC LIMIT 1;
    IF found_seq IS NULL AND one.last > one.watermark THEN
        SELECT e.seq INTO found_seq FROM event e
        WHERE e.seq > one.watermark AND e.seq <= one.last AND (e.seq >> 11) & 1023 = one.slot ORDER BY e.seq DESC LIMIT 1;
    END IF;
    RETURN QUERY SELECT one.watermark, greatest(found_seq, one.watermark);
END
$$;

-- A node's events in a range of numbers, ascending; large ones make a page shorter.
CREATE OR REPLACE FUNCTION events_of(of_node bigint, after bigint, through bigint, most integer, most_bytes bigint)
RETURNS TABLE (
    seq bigint, created_at bigint, uid uuid, account text, name text, matched bytea, data bytea, id text, digest bytea,
    resource_url bytea, order_key bytea, debounce_key bytea, shift bigint[]
) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_bitmapscan = off AS
$$
#variable_conflict use_column
DECLARE
    one node%ROWTYPE;
BEGIN
    SELECT * INTO one FROM node n WHERE n.no = of_node;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT p.seq, p.created_at, p.uid, p.account, p.name, p.matched, p.data, p.id, p.digest, p.resource_url, p.order_key,
        p.debounce_key, (SELECT x.pairs FROM shift x WHERE x.seq = p.shifted)
    FROM (
        SELECT both_parts.*,
            sum(octet_length(both_parts.data)) OVER (ORDER BY both_parts.seq ROWS UNBOUNDED PRECEDING)
                - octet_length(both_parts.data) AS before
        FROM (
            (SELECT e.* FROM event e
                WHERE e.seq > after AND e.seq <= least(through, one.last) AND (e.seq >> 11) & 1023 = one.slot
                ORDER BY e.seq LIMIT most)
            UNION ALL
            (SELECT e.* FROM event e
                WHERE e.seq > greatest(after, one.floor, one.last) AND e.seq <= through AND (e.seq >> 11) & 1023 = one.slot
                ORDER BY e.seq LIMIT most)
        ) AS both_parts
        ORDER BY both_parts.seq LIMIT most
    ) AS p
    WHERE p.before < most_bytes
    ORDER BY p.seq;
END
$$;

-- Nothing is left of a node that was taken over by this one: its slot may be given again.
CREATE OR REPLACE FUNCTION forget(by_node bigint, by_slot integer, gone bigint) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off AS
$$
DECLARE
    highest bigint;
BEGIN
    PERFORM enter(by_node, by_slot);
    IF EXISTS (SELECT FROM delivery d WHERE d.node = gone AND d.status IN (1, 2)) THEN
        RAISE EXCEPTION 'deliveries of the node still wait' USING ERRCODE = 'RH007';
    END IF;
    DELETE FROM node WHERE no = gone AND state = 2 AND taken_by = by_node RETURNING greatest(last, watermark) INTO highest;
    UPDATE numbering SET floor = highest WHERE floor < highest;
END
$$;

CREATE OR REPLACE FUNCTION leave(by_node bigint) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    UPDATE node SET state = 1, lease_until = least(lease_until, now_ms()) WHERE no = by_node AND state = 0;
END
$$;
