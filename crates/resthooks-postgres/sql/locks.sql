-- Clock and locks that the other functions share. These are called by those alone, which set search_path.
--
-- Advisory locks belong to a whole database, so that their class is made of the schema's name. Keys: a node's slot (1 to
-- 1023) is held, shared, by whatever that node writes, and alone by who fences it off; -1 by whoever changes what
-- every node keeps in memory; -2 by whoever makes partitions; -3 by whoever needs the slots
-- of several nodes alone.

CREATE OR REPLACE FUNCTION lock_class() RETURNS integer LANGUAGE sql STABLE AS
$$ SELECT hashtext(current_schema()) $$;

-- Milliseconds by the server's clock: leases run by it alone.
CREATE OR REPLACE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

-- Every write of a node begins here: whoever takes it over waits until the write has ended, and none begins after.
CREATE OR REPLACE FUNCTION enter(by_node bigint, by_slot integer) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(lock_class(), by_slot);
    PERFORM FROM node WHERE no = by_node AND slot = by_slot AND state = 0;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the node was taken over' USING ERRCODE = 'RH001';
    END IF;
END
$$;

-- Notes a change of what every node keeps in memory and tells the others. The caller holds the lock -1.
CREATE OR REPLACE FUNCTION note_change(by_node bigint, of_kind integer, of_key text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
    INSERT INTO change (node, kind, key, made_at) VALUES (by_node, of_kind, of_key, now_ms());
    PERFORM pg_notify(current_schema(), 'change');
END
$$;

-- Waits for whatever is being written by any node, and lets none write until this transaction ends.
-- Not for long: a writer that has come to a halt must not hold up all others.
CREATE OR REPLACE FUNCTION halt_writing() RETURNS void LANGUAGE plpgsql
SET lock_timeout = '1s' AS
$$
DECLARE
    of_slot integer;
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -3);
    FOR of_slot IN SELECT slot FROM node WHERE state <> 2 ORDER BY slot LOOP
        PERFORM pg_advisory_xact_lock(lock_class(), of_slot);
    END LOOP;
END
$$;

-- Whether nobody writes as the node of this slot, which is held alone then. Whoever still does is ended: it has lost its
-- lease, and may be waiting for a process that has come to a halt.
CREATE OR REPLACE FUNCTION fence_off(of_slot integer) RETURNS boolean LANGUAGE plpgsql AS
$$
BEGIN
    IF pg_try_advisory_xact_lock(lock_class(), of_slot) THEN
        RETURN true;
    END IF;
    PERFORM pg_terminate_backend(l.pid) FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.pid <> pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.classid::bigint = lock_class()::bigint & 4294967295 AND l.objid::bigint = of_slot;
    RETURN false;
END
$$;
