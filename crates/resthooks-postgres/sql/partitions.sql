-- Partitions: one a day for each table that grows with events.

CREATE OR REPLACE FUNCTION make_partitions(first_day bigint, last_day bigint) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
DECLARE
    day bigint;
    parent text;
    child text;
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -2);
    FOR day IN SELECT generate_series(first_day, last_day) LOOP
        FOREACH parent IN ARRAY ARRAY['event', 'shift', 'delivery', 'attempt'] LOOP
            child := parent || '_' || to_char(timestamp 'epoch' + day * interval '1 day', 'YYYYMMDD');
            CONTINUE WHEN to_regclass(format('%I.%I', current_schema(), child)) IS NOT NULL;
            -- Made beside its parent and then attached: that holds up nobody who writes.
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent, child,
                (day * 86400000) << 21, ((day + 1) * 86400000) << 21);
        END LOOP;
    END LOOP;
END
$$;

-- Takes away what is kept only for those who come late. Called once in a while.
CREATE OR REPLACE FUNCTION tidy(keep_ms bigint) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    DELETE FROM change WHERE no IN (SELECT no FROM change ORDER BY no LIMIT 10000) AND made_at < now_ms() - keep_ms;
    DELETE FROM account_deletion WHERE done_at < now_ms() - keep_ms;
END
$$;
