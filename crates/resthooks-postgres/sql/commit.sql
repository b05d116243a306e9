-- One batch of a node, in one transaction.
--
-- On the happy path events and deliveries are inserted and the progress rows' sequences counted up; nothing else is
-- changed and nothing read but this node's row. careful: some first record may have a row already, or an attempt's
-- place may be taken; asked for when the plain way has failed.
--
-- Plans of these statements are made once per connection and must never go through whole tables, whatever the
-- statistics say when that happens.

-- Counts up the sequences of the subscriptions that a batch matched (ascending) and answers by how much those that it
-- was made with are off: pairs of a subscription and what to add.
CREATE OR REPLACE FUNCTION count_up(s_no bigint[], s_first bigint[], s_count bigint[]) RETURNS bigint[] LANGUAGE plpgsql AS
$$
DECLARE
    shifts bigint[];
BEGIN
    WITH given AS (
        UPDATE progress p SET sequence = p.sequence + u.count
        FROM unnest(s_no, s_first, s_count) AS u (no, first, count)
        WHERE p.subscription = u.no
        RETURNING p.subscription, p.sequence - u.count - u.first + 1 AS by
    )
    SELECT array_agg(pair.part) INTO shifts
    FROM given CROSS JOIN LATERAL (VALUES (1, given.subscription), (2, given.by)) AS pair (place, part)
    WHERE given.by <> 0;
    RETURN shifts;
END
$$;

-- First records of deliveries whose row may be there already: then it is changed, as a later record does.
CREATE OR REPLACE FUNCTION insert_or_change(
    by_node bigint, now bigint,
    d_account text[], d_subscription bigint[], d_event bigint[], d_sequence bigint[], d_status smallint[],
    d_attempts integer[], d_automatic integer[], d_next bigint[], d_reason text[], d_keep boolean[],
    d_place integer[], d_attempt bytea[]
) RETURNS void LANGUAGE plpgsql AS
$$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT u.* FROM unnest(d_account, d_subscription, d_event, d_sequence, d_status, d_attempts, d_automatic, d_next,
                d_reason, d_keep, d_place, d_attempt)
            AS u (account, subscription, event_seq, sequence, status, attempts, automatic, next, reason, keep, place, attempt)
        WHERE NOT EXISTS (SELECT FROM account_deletion x WHERE x.account = u.account AND u.event_seq <= x.through)
        ORDER BY u.account, u.subscription, u.event_seq
    LOOP
        INSERT INTO delivery (event_seq, subscription, sequence, updated_at, attempts, automatic, status, account,
            first_attempt, next_attempt_at, node, reason)
        VALUES (one.event_seq, one.subscription, one.sequence, now, one.attempts, one.automatic, one.status, one.account,
            one.attempt, one.next, CASE WHEN one.status IN (1, 2) THEN by_node END, one.reason)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            PERFORM change_carefully(by_node, now, ARRAY[one.account], ARRAY[one.subscription], ARRAY[one.event_seq],
                ARRAY[one.status], ARRAY[one.attempts], ARRAY[one.automatic], ARRAY[one.next], ARRAY[one.reason],
                ARRAY[one.keep], ARRAY[one.place], ARRAY[one.attempt], ARRAY[NULL::bigint]);
        END IF;
    END LOOP;
END
$$;

-- Later records, whose attempts' places may be taken: then they get the next one. None is lost.
CREATE OR REPLACE FUNCTION change_carefully(
    by_node bigint, now bigint,
    c_account text[], c_subscription bigint[], c_event bigint[], c_status smallint[], c_attempts integer[],
    c_automatic integer[], c_next bigint[], c_reason text[], c_keep boolean[], c_place integer[], c_attempt bytea[],
    c_group bigint[]
) RETURNS void LANGUAGE plpgsql AS
$$
DECLARE
    one record;
BEGIN
    FOR one IN
        SELECT u.* FROM unnest(c_account, c_subscription, c_event, c_status, c_attempts, c_automatic, c_next, c_reason,
                c_keep, c_place, c_attempt, c_group)
            AS u (account, subscription, event_seq, status, attempts, automatic, next, reason, keep, place, attempt, grouped)
        ORDER BY u.account, u.subscription, u.event_seq
    LOOP
        UPDATE delivery d SET
            updated_at = now, leased = false, attempts = one.attempts,
            status = CASE WHEN one.keep THEN d.status ELSE one.status END,
            automatic = CASE WHEN one.keep THEN d.automatic ELSE one.automatic END,
            next_attempt_at = CASE WHEN one.keep THEN d.next_attempt_at ELSE one.next END,
            reason = CASE WHEN one.keep THEN d.reason ELSE one.reason END,
            plan_group = CASE WHEN one.keep THEN d.plan_group WHEN one.status = 1 THEN one.grouped END,
            node = CASE WHEN one.keep THEN d.node WHEN one.status IN (1, 2) AND d.plan_key IS NULL THEN by_node END
        WHERE d.account = one.account AND d.subscription = one.subscription AND d.event_seq = one.event_seq;
        -- A batch that was written, and whose answer was lost, comes again: the same attempt is not another one.
        IF FOUND AND one.attempt IS NOT NULL
            AND NOT EXISTS (SELECT FROM delivery d WHERE d.account = one.account AND d.subscription = one.subscription
                AND d.event_seq = one.event_seq AND d.first_attempt = one.attempt)
            AND NOT EXISTS (SELECT FROM attempt a WHERE a.account = one.account AND a.subscription = one.subscription
                AND a.event_seq = one.event_seq AND a.attempt = one.attempt) THEN
            INSERT INTO attempt (event_seq, subscription, place, account, attempt)
            VALUES (one.event_seq, one.subscription, one.place, one.account, one.attempt)
            ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                INSERT INTO attempt (event_seq, subscription, place, account, attempt)
                SELECT one.event_seq, one.subscription, max(a.place) + 1, one.account, one.attempt FROM attempt a
                WHERE a.account = one.account AND a.subscription = one.subscription AND a.event_seq = one.event_seq;
            END IF;
        END IF;
    END LOOP;
END
$$;

-- Health of subscriptions' deliveries on all nodes: the newest times of all, and a failure counts as long as no
-- success anywhere is newer.
CREATE OR REPLACE FUNCTION merge_health(
    p_no bigint[], p_success bigint[], p_failure bigint[], p_since bigint[], p_failures bigint[]
) RETURNS void LANGUAGE sql AS
$$
    UPDATE progress p SET
        last_success_at = greatest(p.last_success_at, u.success),
        last_failure_at = greatest(p.last_failure_at, u.failure),
        failing_since = least(
            CASE WHEN p.failing_since > coalesce(u.success, -1) THEN p.failing_since END,
            CASE WHEN u.since > coalesce(p.last_success_at, -1) THEN u.since END),
        consecutive_failures = greatest(
            CASE WHEN p.failing_since > coalesce(u.success, -1) THEN p.consecutive_failures ELSE 0 END,
            CASE WHEN u.since > coalesce(p.last_success_at, -1) THEN u.failures ELSE 0 END)
    FROM unnest(p_no, p_success, p_failure, p_since, p_failures) AS u (no, success, failure, since, failures)
    WHERE p.subscription = u.no
$$;

-- Takes emitted events away: those that the batch accepts, and those that nobody can accept, which are set aside.
CREATE OR REPLACE FUNCTION take_emitted(m_taken bigint[], m_refused bigint[], m_reason text[], now bigint) RETURNS void
LANGUAGE plpgsql AS
$$
DECLARE
    found_rows bigint;
BEGIN
    DELETE FROM emitted WHERE no = ANY (m_taken);
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    IF found_rows < cardinality(m_taken) THEN
        RAISE EXCEPTION 'an emitted event is taken' USING ERRCODE = 'RH002';
    END IF;
    WITH gone AS (
        DELETE FROM emitted e USING unnest(m_refused, m_reason) AS u (no, reason) WHERE e.no = u.no
        RETURNING e.no, e.account, e.event, e.data, e.id, e.own_id, e.created_at, e.resource_url, e.order_key,
            e.debounce_key, u.reason
    )
    INSERT INTO refused (no, account, event, data, id, own_id, created_at, resource_url, order_key, debounce_key, reason,
        refused_at)
    SELECT gone.*, now FROM gone;
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    IF found_rows < cardinality(m_refused) THEN
        RAISE EXCEPTION 'an emitted event is taken' USING ERRCODE = 'RH002';
    END IF;
END
$$;

-- Answers the shifts of sequences, as pairs, NULL when there are none; and of the subscriptions with planned deliveries
-- those that another node owns.
CREATE OR REPLACE FUNCTION commit_batch(
    by_node bigint, by_slot integer, by_epoch bigint, now bigint, careful boolean, to_watermark bigint,
    -- Sequences: of which subscriptions, the first as the node believes, and how many.
    s_no bigint[], s_first bigint[], s_count bigint[],
    -- Accounts that the node has not seen.
    a_account text[],
    -- Events.
    e_seq bigint[], e_created bigint[], e_uid uuid[], e_account text[], e_name text[], e_matched bytea[], e_data bytea[],
    e_id text[], e_digest bytea[], e_resource bytea[], e_order bytea[], e_debounce bytea[],
    -- Producers' own ids.
    i_account text[], i_id text[], i_seq bigint[], i_created bigint[], i_matched integer[], i_digest bytea[],
    -- First records.
    d_account text[], d_subscription bigint[], d_event bigint[], d_sequence bigint[], d_status smallint[],
    d_attempts integer[], d_automatic integer[], d_next bigint[], d_reason text[], d_keep boolean[],
    d_place integer[], d_attempt bytea[],
    -- Later records.
    c_account text[], c_subscription bigint[], c_event bigint[], c_status smallint[], c_attempts integer[],
    c_automatic integer[], c_next bigint[], c_reason text[], c_keep boolean[], c_place integer[], c_attempt bytea[],
    c_group bigint[],
    -- Health.
    p_no bigint[], p_success bigint[], p_failure bigint[], p_since bigint[], p_failures bigint[],
    -- Emitted events.
    m_taken bigint[], m_refused bigint[], m_reason text[],
    -- Planned deliveries.
    q_account text[], q_subscription bigint[], q_event bigint[], q_sequence bigint[], q_key bytea[], q_due bigint[],
    OUT shifts bigint[], OUT elsewhere bigint[]
) LANGUAGE plpgsql
SET search_path FROM CURRENT
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS
$$
DECLARE
    found_rows bigint;
    ended boolean;
    too_low bigint;
BEGIN
    PERFORM enter(by_node, by_slot);
    IF NOT EXISTS (SELECT FROM node WHERE no = by_node AND epoch = by_epoch) THEN
        -- It was long on its way: its node has looked meanwhile, and found that it was not written.
        RAISE EXCEPTION 'the batch came too late' USING ERRCODE = 'RH006';
    END IF;
    IF cardinality(p_no) > 0 THEN
        -- In one order for all that follows.
        PERFORM FROM progress WHERE subscription = ANY (s_no || p_no) ORDER BY subscription FOR NO KEY UPDATE;
    END IF;
    ended := EXISTS (SELECT FROM account_deletion);
    IF ended AND cardinality(e_seq) > 0 THEN
        SELECT max(x.through) INTO too_low FROM account_deletion x
        WHERE x.account = ANY (e_account) AND x.through >= e_seq[1];
        IF too_low IS NOT NULL THEN
            -- A node whose clock is ahead has numbered events that went with their account: new ones come after.
            RAISE EXCEPTION 'numbers up to % went with an account', too_low USING ERRCODE = 'RH004', DETAIL = too_low::text;
        END IF;
        INSERT INTO account (id, created_at)
        SELECT DISTINCT x.account, now FROM account_deletion x WHERE x.account = ANY (e_account) ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(m_taken) + cardinality(m_refused) > 0 THEN
        PERFORM take_emitted(m_taken, m_refused, m_reason, now);
    END IF;
    IF cardinality(a_account) > 0 THEN
        INSERT INTO account (id, created_at) SELECT u.id, now FROM unnest(a_account) AS u (id) ORDER BY u.id
        ON CONFLICT DO NOTHING;
    END IF;
    IF cardinality(i_id) > 0 THEN
        INSERT INTO event_id (account, id, seq, created_at, matched, digest)
        SELECT u.* FROM unnest(i_account, i_id, i_seq, i_created, i_matched, i_digest)
            AS u (account, id, seq, created_at, matched, digest)
        ORDER BY u.id, u.account
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS found_rows = ROW_COUNT;
        IF found_rows < cardinality(i_id) THEN
            RAISE EXCEPTION 'an id is taken' USING ERRCODE = 'RH002';
        END IF;
    END IF;
    IF cardinality(s_no) > 0 THEN
        shifts := count_up(s_no, s_first, s_count);
        IF shifts IS NOT NULL THEN
            INSERT INTO shift (seq, pairs) VALUES (e_seq[1], shifts);
        END IF;
    END IF;
    IF cardinality(e_seq) > 0 THEN
        INSERT INTO event (seq, created_at, uid, account, name, matched, data, id, digest, resource_url, order_key,
            debounce_key, shifted)
        SELECT u.*, CASE WHEN shifts IS NOT NULL THEN e_seq[1] END FROM unnest(e_seq, e_created, e_uid, e_account, e_name, e_matched, e_data, e_id, e_digest,
                e_resource, e_order, e_debounce)
            AS u (seq, created_at, uid, account, name, matched, data, id, digest, resource_url, order_key, debounce_key);
    END IF;
    IF cardinality(q_event) > 0 THEN
        elsewhere := plan(by_node, now, q_account, q_subscription, q_event, q_sequence, q_key, q_due, shifts);
    END IF;
    IF cardinality(d_event) > 0 THEN
        IF careful THEN
            PERFORM insert_or_change(by_node, now, d_account, d_subscription, d_event, d_sequence, d_status, d_attempts,
                d_automatic, d_next, d_reason, d_keep, d_place, d_attempt);
        ELSE
            INSERT INTO delivery (event_seq, subscription, sequence, updated_at, attempts, automatic, status, account,
                first_attempt, next_attempt_at, node, reason)
            SELECT u.event_seq, u.subscription, u.sequence, now, u.attempts, u.automatic, u.status, u.account, u.attempt,
                u.next, CASE WHEN u.status IN (1, 2) THEN by_node END, u.reason
            FROM unnest(d_account, d_subscription, d_event, d_sequence, d_status, d_attempts, d_automatic, d_next,
                    d_reason, d_attempt)
                AS u (account, subscription, event_seq, sequence, status, attempts, automatic, next, reason, attempt)
            WHERE NOT ended
                OR NOT EXISTS (SELECT FROM account_deletion x WHERE x.account = u.account AND u.event_seq <= x.through);
        END IF;
    END IF;
    IF cardinality(c_event) > 0 THEN
        IF careful THEN
            PERFORM change_carefully(by_node, now, c_account, c_subscription, c_event, c_status, c_attempts, c_automatic,
                c_next, c_reason, c_keep, c_place, c_attempt, c_group);
        ELSE
            WITH changed AS (
                UPDATE delivery d SET
                    updated_at = now, leased = false, attempts = u.attempts,
                    status = CASE WHEN u.keep THEN d.status ELSE u.status END,
                    automatic = CASE WHEN u.keep THEN d.automatic ELSE u.automatic END,
                    next_attempt_at = CASE WHEN u.keep THEN d.next_attempt_at ELSE u.next END,
                    reason = CASE WHEN u.keep THEN d.reason ELSE u.reason END,
                    plan_group = CASE WHEN u.keep THEN d.plan_group WHEN u.status = 1 THEN u.grouped END,
                    node = CASE WHEN u.keep THEN d.node WHEN u.status IN (1, 2) AND d.plan_key IS NULL THEN by_node END
                FROM unnest(c_account, c_subscription, c_event, c_status, c_attempts, c_automatic, c_next, c_reason,
                        c_keep, c_place, c_attempt, c_group)
                    AS u (account, subscription, event_seq, status, attempts, automatic, next, reason, keep, place, attempt,
                        grouped)
                WHERE d.account = u.account AND d.subscription = u.subscription AND d.event_seq = u.event_seq
                RETURNING u.event_seq, u.subscription, u.place, u.account, u.attempt, d.plan_key IS NOT NULL AS planned
            ), told AS (
                -- One that was sent or ended by hand elsewhere: its owner does not know.
                UPDATE owner o SET again = o.again + 1
                FROM (SELECT DISTINCT c.subscription FROM changed c WHERE c.planned) AS c
                WHERE o.subscription = c.subscription AND o.node <> by_node
            )
            INSERT INTO attempt (event_seq, subscription, place, account, attempt)
            SELECT c.event_seq, c.subscription, c.place, c.account, c.attempt FROM changed c WHERE c.attempt IS NOT NULL;
        END IF;
    END IF;
    IF cardinality(p_no) > 0 THEN
        PERFORM merge_health(p_no, p_success, p_failure, p_since, p_failures);
    END IF;
    IF to_watermark IS NOT NULL THEN
        UPDATE node SET watermark = greatest(watermark, to_watermark) WHERE no = by_node;
    END IF;
END
$$;
