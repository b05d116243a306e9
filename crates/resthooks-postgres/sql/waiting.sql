-- Deliveries that wait: taking those that are due, moving them between states and between nodes.
--
-- What was chosen is then changed by its primary key. What is said of it once more there is written so that no index
-- fits (`+ 0`): with statistics that are out of date, another index would be walked once for each row.

-- The longest due, with their events; where seq is NULL, only when the next one is due. Rows that are taken are marked:
-- no other node claims them.
CREATE OR REPLACE FUNCTION lease_due(
    by_node bigint, by_slot integer, of_subscription bigint, now bigint, most integer, most_bytes bigint, except_of bigint[]
) RETURNS TABLE (
    seq bigint, due_at bigint, sequence bigint, attempts integer, automatic integer, created_at bigint, uid uuid,
    account text, name text, matched bytea, data bytea, id text, digest bytea, resource_url bytea, order_key bytea,
    debounce_key bytea, shift bigint[]
) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off AS
$$
#variable_conflict use_column
BEGIN
    PERFORM enter(by_node, by_slot);
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT d.account, d.event_seq, d.next_attempt_at FROM delivery d
        WHERE d.node = by_node AND d.subscription = of_subscription AND d.status = 1
            AND d.event_seq NOT IN (SELECT unnest(except_of))
        ORDER BY d.next_attempt_at, d.event_seq
        LIMIT most + 1
    ), numbered AS (
        SELECT due.*, e.created_at, e.uid, e.name, e.matched, e.data, e.id, e.digest, e.resource_url, e.order_key,
            e.debounce_key, e.shifted,
            row_number() OVER places AS place, sum(octet_length(e.data)) OVER places - octet_length(e.data) AS before
        FROM due CROSS JOIN LATERAL
            (SELECT * FROM event e WHERE e.account = due.account AND e.seq = due.event_seq LIMIT 1) AS e
        WINDOW places AS (ORDER BY due.next_attempt_at, due.event_seq ROWS UNBOUNDED PRECEDING)
    ), chosen AS (
        SELECT * FROM numbered WHERE place <= most AND before < most_bytes AND next_attempt_at <= now
    ), taken AS (
        UPDATE delivery d SET leased = true FROM chosen c
        WHERE d.account = c.account AND d.subscription = of_subscription AND d.event_seq = c.event_seq
            AND d.status + 0 = 1 AND d.node + 0 = by_node
        RETURNING c.event_seq, c.next_attempt_at, d.sequence, d.attempts, d.automatic, c.created_at, c.uid, c.account,
            c.name, c.matched, c.data, c.id, c.digest, c.resource_url, c.order_key, c.debounce_key,
            (SELECT x.pairs FROM shift x WHERE x.seq = c.shifted) AS shift
    ), next AS (
        SELECT numbered.next_attempt_at FROM numbered
        WHERE NOT (place <= most AND before < most_bytes AND next_attempt_at <= now)
        ORDER BY next_attempt_at LIMIT 1
    )
    SELECT * FROM taken
    UNION ALL
    SELECT NULL, next.next_attempt_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL FROM next
    ORDER BY 2, 1;
END
$$;

-- Moves the oldest waiting deliveries of a subscription to another state, with the planned ones if they are this node's;
-- how many there were to move.
CREATE OR REPLACE FUNCTION settle(
    by_node bigint, by_slot integer, of_subscription bigint, from_status smallint, to_status smallint, with_reason text,
    due_at bigint, now bigint, most integer, except_of bigint[]
) RETURNS bigint LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off AS
$$
DECLARE
    moved bigint;
    owned boolean;
BEGIN
    PERFORM enter(by_node, by_slot);
    owned := EXISTS (SELECT FROM owner o WHERE o.subscription = of_subscription AND o.node = by_node);
    WITH chosen AS MATERIALIZED (
        (SELECT d.account, d.event_seq FROM delivery d
        WHERE d.node = by_node AND d.subscription = of_subscription AND d.status = from_status AND d.status IN (1, 2)
            AND d.event_seq NOT IN (SELECT unnest(except_of))
        ORDER BY d.event_seq
        LIMIT most)
        UNION ALL
        (SELECT d.account, d.event_seq FROM delivery d
        WHERE owned AND d.subscription = of_subscription AND d.status = from_status AND d.status <> 0
            AND d.plan_key IS NOT NULL AND d.event_seq NOT IN (SELECT unnest(except_of))
        ORDER BY d.event_seq
        LIMIT most)
        LIMIT most
    ), done AS (
        UPDATE delivery d SET status = to_status, reason = with_reason, next_attempt_at = due_at, updated_at = now,
            leased = false, plan_group = NULL,
            node = CASE WHEN to_status IN (1, 2) AND d.plan_key IS NULL THEN by_node END
        FROM chosen c
        WHERE d.account = c.account AND d.subscription = of_subscription AND d.event_seq = c.event_seq
            AND d.status + 0 = from_status AND (d.node + 0 = by_node OR d.plan_key IS NOT NULL)
    )
    SELECT count(*) INTO moved FROM chosen;
    RETURN moved;
END
$$;

-- Takes a subscription's ended or held deliveries to another state and makes them this node's; how many there were of
-- each, and the last one that was looked at when there may be more. What another node has in hand is left alone; planned
-- ones that another node owns stay so (elsewhere: how many), and it is told.
CREATE OR REPLACE FUNCTION reopen(
    by_node bigint, by_slot integer, of_subscription bigint, from_statuses smallint[], to_status smallint,
    with_reason text, due_at bigint, now bigint, except_of bigint[], of_events bigint[], after bigint, through bigint,
    since bigint, until bigint, most integer
) RETURNS TABLE (ended bigint, held bigint, last bigint, elsewhere bigint) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off AS
$$
#variable_conflict use_variable
DECLARE
    of_account text;
    seqs bigint[];
BEGIN
    PERFORM enter(by_node, by_slot);
    SELECT s.account INTO of_account FROM subscription s WHERE s.no = of_subscription;
    IF of_events IS NOT NULL THEN
        seqs := of_events;
    ELSIF 0 = ANY (from_statuses) THEN
        -- For those that were delivered there is no index of their own.
        SELECT array_agg(x.event_seq) INTO seqs FROM (
            SELECT d.event_seq FROM delivery d
            WHERE d.account = of_account AND d.subscription = of_subscription
                AND d.event_seq > after AND d.event_seq <= through
            ORDER BY d.event_seq LIMIT most
        ) x;
    ELSE
        SELECT array_agg(x.event_seq) INTO seqs FROM (
            SELECT one.event_seq FROM unnest(from_statuses) AS f (status) CROSS JOIN LATERAL (
                SELECT d.event_seq FROM delivery d
                WHERE d.subscription = of_subscription AND d.status = f.status AND d.status <> 0
                    AND d.event_seq > after AND d.event_seq <= through
                ORDER BY d.event_seq LIMIT most
            ) one
            ORDER BY one.event_seq LIMIT most
        ) x;
    END IF;
    last := NULL;
    IF of_events IS NULL AND cardinality(seqs) >= most THEN
        SELECT max(u.seq) INTO last FROM unnest(seqs) AS u (seq);
    END IF;
    WITH chosen AS MATERIALIZED (
        SELECT d.event_seq, d.status
        FROM (SELECT DISTINCT seq FROM unnest(seqs) AS s (seq) ORDER BY seq) u
        CROSS JOIN LATERAL (
            SELECT d.event_seq, d.status, d.leased, d.node FROM delivery d
            WHERE d.account = of_account AND d.subscription = of_subscription AND d.event_seq = u.seq FOR UPDATE
        ) d
        CROSS JOIN LATERAL (
            SELECT e.created_at FROM event e WHERE e.account = of_account AND e.seq = u.seq LIMIT 1
        ) e
        WHERE d.status = ANY (from_statuses) AND d.event_seq <> ALL (except_of)
            AND NOT (d.status = 2 AND d.leased AND d.node IS DISTINCT FROM by_node)
            AND (since IS NULL OR e.created_at >= since) AND (until IS NULL OR e.created_at < until)
    ), done AS (
        UPDATE delivery d SET status = to_status, reason = with_reason, next_attempt_at = due_at, updated_at = now,
            automatic = CASE WHEN to_status = 1 THEN 0 ELSE d.automatic END,
            leased = false, plan_group = NULL,
            node = CASE WHEN to_status IN (1, 2) AND d.plan_key IS NULL THEN by_node END
        FROM chosen c
        WHERE d.account = of_account AND d.subscription = of_subscription AND d.event_seq = c.event_seq
        RETURNING c.status, d.plan_key IS NOT NULL AS planned
    )
    SELECT count(*) FILTER (WHERE done.status <> 2), count(*) FILTER (WHERE done.status = 2),
        count(*) FILTER (WHERE done.planned)
    INTO ended, held, elsewhere FROM done;
    IF elsewhere > 0 AND plan_again(by_node, of_subscription) THEN
        elsewhere := 0;
    END IF;
    RETURN NEXT;
END
$$;

-- Makes a waiting delivery this node's. 0: another one has it in hand; 1: it was this node's, or it does not wait and is
-- nobody's; 2: it was another node's.
CREATE OR REPLACE FUNCTION claim(by_node bigint, by_slot integer, of_event bigint, of_subscription bigint) RETURNS integer
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off AS
$$
DECLARE
    of_account text;
    one record;
BEGIN
    PERFORM enter(by_node, by_slot);
    SELECT e.account INTO of_account FROM event e WHERE e.seq = of_event;
    SELECT d.status, d.node, d.leased, d.plan_key INTO one FROM delivery d
    WHERE d.account = of_account AND d.subscription = of_subscription AND d.event_seq = of_event FOR UPDATE;
    IF NOT FOUND OR one.status NOT IN (1, 2) THEN
        RETURN 1;
    END IF;
    IF one.plan_key IS NOT NULL THEN
        -- It stays its owner's, who is told with the record of what comes of this.
        RETURN 1;
    END IF;
    IF one.node <> by_node AND one.leased THEN
        RETURN 0;
    END IF;
    UPDATE delivery d SET node = by_node, leased = true
    WHERE d.account = of_account AND d.subscription = of_subscription AND d.event_seq = of_event;
    RETURN CASE WHEN one.node = by_node THEN 1 ELSE 2 END;
END
$$;

-- Moves waiting deliveries from a node that was taken over; what there was, per subscription. The row without a
-- subscription says how many were looked at.
CREATE OR REPLACE FUNCTION inherit(by_node bigint, by_slot integer, from_node bigint, most integer)
RETURNS TABLE (subscription bigint, next_due bigint, scheduled bigint, held bigint) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off AS
$$
#variable_conflict use_column
BEGIN
    PERFORM enter(by_node, by_slot);
    RETURN QUERY
    WITH chosen AS MATERIALIZED (
        SELECT d.account, d.subscription, d.event_seq FROM delivery d
        -- A range, so that the order asked for is that of the one index that begins with the node.
        WHERE d.node BETWEEN from_node AND from_node AND d.status IN (1, 2)
        ORDER BY d.node, d.subscription, d.status, d.event_seq
        LIMIT most
    ), moved AS (
        UPDATE delivery d SET node = by_node, leased = false FROM chosen c
        WHERE d.account = c.account AND d.subscription = c.subscription AND d.event_seq = c.event_seq
            AND d.node + 0 = from_node AND d.status + 0 IN (1, 2)
        RETURNING d.subscription, d.status, d.next_attempt_at
    )
    SELECT m.subscription, min(m.next_attempt_at) FILTER (WHERE m.status = 1), count(*) FILTER (WHERE m.status = 1),
        count(*) FILTER (WHERE m.status = 2)
    FROM moved m GROUP BY m.subscription
    UNION ALL
    SELECT NULL, NULL, count(*), 0 FROM chosen;
END
$$;

-- All that waits for this node: for one that does not know what it has inherited.
CREATE OR REPLACE FUNCTION inherited(by_node bigint)
RETURNS TABLE (subscription bigint, next_due bigint, scheduled bigint, held bigint) LANGUAGE sql STABLE
SET search_path FROM CURRENT
SET enable_seqscan = off AS
$$
    SELECT d.subscription, min(d.next_attempt_at) FILTER (WHERE d.status = 1), count(*) FILTER (WHERE d.status = 1),
        count(*) FILTER (WHERE d.status = 2)
    FROM delivery d WHERE d.node = by_node AND d.status IN (1, 2) GROUP BY d.subscription
$$;
