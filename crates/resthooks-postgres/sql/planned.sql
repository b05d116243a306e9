-- Planned deliveries: what is sent in order, once its key is quiet, or with others. Their rows are there from the start,
-- and each subscription that has such has one owner, which alone sends them.
--
-- A commit holds the progress rows of its subscriptions until its end, so that the order of sequences is the order of
-- commits: who sees a sequence sees all before it.

-- Writes a batch's planned deliveries; those of their subscriptions that another node owns, which is told.
CREATE OR REPLACE FUNCTION plan(
    by_node bigint, now bigint, q_account text[], q_subscription bigint[], q_event bigint[], q_sequence bigint[],
    q_key bytea[], q_due bigint[], shifts bigint[]
) RETURNS bigint[] LANGUAGE plpgsql AS
$$
DECLARE
    one record;
    of_node bigint;
    elsewhere bigint[] := '{}';
BEGIN
    FOR one IN
        SELECT u.no, count(*) AS rows FROM unnest(q_subscription) AS u (no) GROUP BY u.no ORDER BY u.no
    LOOP
        -- Locked until the commit: who takes the owner over waits for these rows, or they are told to the new one.
        SELECT o.node INTO of_node FROM owner o WHERE o.subscription = one.no FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO owner (subscription, node) VALUES (one.no, by_node) ON CONFLICT DO NOTHING;
            SELECT o.node INTO of_node FROM owner o WHERE o.subscription = one.no FOR UPDATE;
        END IF;
        IF of_node <> by_node THEN
            UPDATE owner SET news = news + one.rows WHERE subscription = one.no;
            elsewhere := elsewhere || one.no;
        END IF;
    END LOOP;
    INSERT INTO delivery (event_seq, subscription, sequence, updated_at, attempts, automatic, status, account,
        next_attempt_at, plan_key)
    SELECT u.event, u.subscription, u.sequence + coalesce(s.by, 0), now, 0, 0, 1, u.account, u.due, u.key
    FROM unnest(q_account, q_subscription, q_event, q_sequence, q_key, q_due)
        AS u (account, subscription, event, sequence, key, due)
    LEFT JOIN LATERAL (
        SELECT shifts[p.place + 1] AS by FROM generate_series(1, cardinality(shifts), 2) AS p (place)
        WHERE shifts[p.place] = u.subscription
    ) s ON true;
    IF cardinality(elsewhere) > 0 THEN
        PERFORM pg_notify(current_schema(), 'planned');
    END IF;
    RETURN elsewhere;
END
$$;

-- Has the owner of a subscription's planned deliveries read all of them again; without an owner this node is it.
CREATE OR REPLACE FUNCTION plan_again(by_node bigint, of_subscription bigint) RETURNS boolean LANGUAGE plpgsql AS
$$
DECLARE
    of_node bigint;
BEGIN
    INSERT INTO owner AS o (subscription, node) VALUES (of_subscription, by_node)
    ON CONFLICT (subscription) DO UPDATE SET again = o.again + CASE WHEN o.node = by_node THEN 0 ELSE 1 END
    RETURNING o.node INTO of_node;
    IF of_node <> by_node THEN
        PERFORM pg_notify(current_schema(), 'planned');
    END IF;
    RETURN of_node = by_node;
END
$$;

-- A subscription's scheduled planned deliveries with their events, by sequence, when this node owns them. pick: 0 all
-- behind `after`, 1 those of a key behind it, 2 the group that has been due for longest, whole. Where seq is NULL: only
-- whether there are more (due_at is 0), or when the next group is due.
CREATE OR REPLACE FUNCTION lease_planned(
    by_node bigint, by_slot integer, of_subscription bigint, pick integer, of_key bytea, after bigint, now bigint,
    most integer, most_bytes bigint
) RETURNS TABLE (
    seq bigint, due_at bigint, sequence bigint, attempts integer, automatic integer, created_at bigint, uid uuid,
    account text, name text, matched bytea, data bytea, id text, digest bytea, resource_url bytea, order_key bytea,
    debounce_key bytea, shift bigint[], plan_key bytea, plan_group bigint
) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off AS
$$
#variable_conflict use_column
DECLARE
    seqs bigint[];
    of_account text;
    group_due bigint;
    of_group bigint;
    next_group bigint;
BEGIN
    PERFORM enter(by_node, by_slot);
    IF NOT EXISTS (SELECT FROM owner o WHERE o.subscription = of_subscription AND o.node = by_node) THEN
        RETURN;
    END IF;
    SELECT s.account INTO of_account FROM subscription s WHERE s.no = of_subscription;
    IF pick = 0 THEN
        SELECT array_agg(x.event_seq ORDER BY x.sequence) INTO seqs FROM (
            SELECT d.event_seq, d.sequence FROM delivery d
            WHERE d.subscription = of_subscription AND d.status = 1 AND d.plan_key IS NOT NULL AND d.sequence > after
            ORDER BY d.sequence LIMIT most + 1) x;
    ELSIF pick = 1 THEN
        SELECT array_agg(x.event_seq ORDER BY x.sequence) INTO seqs FROM (
            SELECT d.event_seq, d.sequence FROM delivery d
            WHERE d.subscription = of_subscription AND d.status = 1 AND d.plan_key IS NOT NULL AND d.plan_key = of_key
                AND d.sequence > after
            ORDER BY d.sequence LIMIT most + 1) x;
    ELSE
        SELECT d.next_attempt_at, d.plan_group INTO group_due, of_group FROM delivery d
        WHERE d.subscription = of_subscription AND d.status = 1 AND d.plan_group IS NOT NULL
        ORDER BY d.next_attempt_at, d.plan_group LIMIT 1;
        IF group_due > now THEN
            next_group := group_due;
        ELSIF group_due IS NOT NULL THEN
            SELECT d.next_attempt_at INTO next_group FROM delivery d
            WHERE d.subscription = of_subscription AND d.status = 1 AND d.plan_group IS NOT NULL
                AND (d.next_attempt_at, d.plan_group) > (group_due, of_group)
            ORDER BY d.next_attempt_at, d.plan_group LIMIT 1;
            SELECT array_agg(d.event_seq ORDER BY d.sequence) INTO seqs FROM delivery d
            WHERE d.subscription = of_subscription AND d.status = 1 AND d.plan_group IS NOT NULL
                AND d.next_attempt_at = group_due AND d.plan_group = of_group;
            most := cardinality(seqs);
            most_bytes := 9223372036854775807;
        END IF;
        IF next_group IS NOT NULL THEN
            RETURN QUERY SELECT NULL::bigint, next_group, NULL::bigint, NULL::integer, NULL::integer, NULL::bigint,
                NULL::uuid, NULL::text, NULL::text, NULL::bytea, NULL::bytea, NULL::text, NULL::bytea, NULL::bytea,
                NULL::bytea, NULL::bytea, NULL::bigint[], NULL::bytea, NULL::bigint;
        END IF;
    END IF;
    RETURN QUERY
    WITH found AS MATERIALIZED (
        SELECT u.place, d.event_seq, d.next_attempt_at, d.sequence, d.attempts, d.automatic, d.plan_key, d.plan_group,
            e.created_at, e.uid, e.account, e.name, e.matched, e.data, e.id, e.digest, e.resource_url, e.order_key,
            e.debounce_key, e.shifted, sum(octet_length(e.data)) OVER (ORDER BY u.place) - octet_length(e.data) AS before
        FROM unnest(seqs) WITH ORDINALITY AS u (seq, place)
        CROSS JOIN LATERAL (
            SELECT * FROM delivery d
            WHERE d.account = of_account AND d.subscription = of_subscription AND d.event_seq = u.seq LIMIT 1) AS d
        CROSS JOIN LATERAL (SELECT * FROM event e WHERE e.account = of_account AND e.seq = u.seq LIMIT 1) AS e
    )
    SELECT f.event_seq, f.next_attempt_at, f.sequence, f.attempts, f.automatic, f.created_at, f.uid, f.account, f.name,
        f.matched, f.data, f.id, f.digest, f.resource_url, f.order_key, f.debounce_key,
        (SELECT x.pairs FROM shift x WHERE x.seq = f.shifted), f.plan_key, f.plan_group
    FROM found f WHERE f.place <= most AND f.before < most_bytes
    UNION ALL
    (SELECT NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM found f WHERE NOT (f.place <= most AND f.before < most_bytes) LIMIT 1)
    ORDER BY 3 NULLS LAST;
END
$$;

-- What this node is to know of the planned deliveries that it owns.
CREATE OR REPLACE FUNCTION planned_news(by_node bigint)
RETURNS TABLE (subscription bigint, news bigint, again bigint, waiting bigint) LANGUAGE sql STABLE
SET search_path FROM CURRENT
SET enable_seqscan = off AS
$$
    SELECT o.subscription, o.news, o.again, CASE WHEN o.again > 0 THEN (
            SELECT count(*) FROM delivery d
            WHERE d.subscription = o.subscription AND d.status IN (1, 2) AND d.plan_key IS NOT NULL) END
    FROM owner o WHERE o.node = by_node AND (o.news > 0 OR o.again > 0)
$$;

-- It knows that now.
CREATE OR REPLACE FUNCTION planned_known(by_node bigint, k_subscription bigint[], k_news bigint[], k_again bigint[])
RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS
$$
    UPDATE owner o SET news = greatest(o.news - u.news, 0), again = greatest(o.again - u.again, 0)
    FROM unnest(k_subscription, k_news, k_again) AS u (subscription, news, again)
    WHERE o.subscription = u.subscription AND o.node = by_node
$$;
