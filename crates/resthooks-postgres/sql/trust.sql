-- Keys that secrets are sealed with, and the audit trail. Whoever calls these holds the lock -1.

-- Writes an entry, if there is one: id, time, actor, action, object, account, changed, reason. Once, also when the change is
-- made again because its answer was lost.
CREATE OR REPLACE FUNCTION write_audit(entry text[]) RETURNS void LANGUAGE sql AS
$$
    INSERT INTO audit (id, at, actor, action, object, account, changed, reason)
    SELECT entry[1]::uuid, entry[2]::bigint, entry[3], entry[4], entry[5], entry[6], entry[7], entry[8] WHERE entry IS NOT NULL
    ON CONFLICT DO NOTHING
$$;

-- From now on something is sealed with this key; NULL is none. By whichever node.
CREATE OR REPLACE FUNCTION note_sealing_key(of_id text) RETURNS void LANGUAGE sql AS
$$
    INSERT INTO sealing_key (id, known_at, brought_at)
    SELECT of_id, n.highest, n.highest FROM (SELECT coalesce(max(no), 0) AS highest FROM node) n
    WHERE of_id IS NOT NULL ON CONFLICT DO NOTHING
$$;

-- Whether a node that seals with the first of these keys and opens with all of them may work here: NULL when it may, else
-- a key that it lacks. by_node: 0 for what is no node and will seal, NULL for what may seal nothing: the first key is not in
-- use by that, unless it is the store's very first. Of two that bring different keys to an empty store one is the first.
CREATE OR REPLACE FUNCTION bring_sealing_keys(ids text[], by_node bigint) RETURNS text LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
DECLARE
    lacking text;
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    SELECT min(k.id) INTO lacking FROM sealing_key k WHERE k.id <> ALL (ids);
    IF lacking IS NULL AND (by_node IS NOT NULL OR NOT EXISTS (SELECT FROM sealing_key)) THEN
        INSERT INTO sealing_key AS k (id, known_at, brought_at)
        SELECT ids[1], coalesce(max(n.no), 0), coalesce(by_node, 0)
        FROM node n WHERE n.no IS DISTINCT FROM by_node
        ON CONFLICT (id) DO UPDATE SET brought_at = excluded.brought_at WHERE k.brought_at < excluded.brought_at;
    END IF;
    RETURN lacking;
END
$$;

-- Puts documents that were sealed anew in their places, but for those that were changed meanwhile: the nodes that changed
-- them have sealed them.
CREATE OR REPLACE FUNCTION reseal(numbers bigint[], versions bigint[], documents text[], with_key text) RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    PERFORM note_sealing_key(with_key);
    UPDATE subscription s SET document = u.document, sealed_with = with_key
    FROM unnest(numbers, versions, documents) AS u (no, version, document)
    WHERE s.no = u.no AND s.version = u.version;
END
$$;

-- Forgets the keys that seal nothing, but for this one.
CREATE OR REPLACE FUNCTION forget_sealing_keys(but text) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    DELETE FROM sealing_key k WHERE k.id <> but AND NOT EXISTS (SELECT FROM subscription s WHERE s.sealed_with = k.id);
END
$$;
