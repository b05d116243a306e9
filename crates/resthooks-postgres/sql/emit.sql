-- Emitting within a transaction of the application's own.
--
-- What the application may call runs with the rights of the schema's owner, so that temporary tables, which anybody can
-- make, come last in the path of every function from here on.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- The id of an event whose producer gave none: evt_ and 26 characters. The first ten of them are the time,
CREATE OR REPLACE FUNCTION event_id_time(at bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
$$
DECLARE
    digits CONSTANT text := '0123456789abcdefghjkmnpqrstvwxyz';
BEGIN
    RETURN 'evt_' ||
        substr(digits, ((at >> 45) & 31)::integer + 1, 1) ||
        substr(digits, ((at >> 40) & 31)::integer + 1, 1) ||
        substr(digits, ((at >> 35) & 31)::integer + 1, 1) ||
        substr(digits, ((at >> 30) & 31)::integer + 1, 1) ||
        substr(digits, ((at >> 25) & 31)::integer + 1, 1) ||
        substr(digits, ((at >> 20) & 31)::integer + 1, 1) ||
        substr(digits, ((at >> 15) & 31)::integer + 1, 1) ||
        substr(digits, ((at >> 10) & 31)::integer + 1, 1) ||
        substr(digits, ((at >> 5) & 31)::integer + 1, 1) ||
        substr(digits, ((at >> 0) & 31)::integer + 1, 1);
END
$$;

-- and the others are random.
CREATE OR REPLACE FUNCTION new_event_id(at bigint) RETURNS text LANGUAGE plpgsql VOLATILE AS
$$
DECLARE
    digits CONSTANT text := '0123456789abcdefghjkmnpqrstvwxyz';
    random_bytes CONSTANT bytea := uuid_send(gen_random_uuid());
BEGIN
    RETURN event_id_time(at) ||
        substr(digits, (get_byte(random_bytes, 0) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 1) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 2) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 3) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 4) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 5) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 6) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 7) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 8) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 9) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 10) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 11) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 12) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 13) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 14) & 31) + 1, 1) ||
        substr(digits, (get_byte(random_bytes, 15) & 31) + 1, 1);
END
$$;

-- How deep JSON is nested: 0 when it can't be deeper than allowed. Brackets in strings don't count.
CREATE OR REPLACE FUNCTION json_depth(data text) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
$$
DECLARE
    brackets text;
BEGIN
    IF octet_length(data) - octet_length(translate(data, '[{', '')) <= 100 THEN
        RETURN 0;
    END IF;
    brackets := regexp_replace(regexp_replace(data, '"(\\.|[^"\\])*"', '', 'g'), '[^][{}]', '', 'g');
    RETURN (
        SELECT coalesce(max(depth), 0)
        FROM (SELECT sum(CASE WHEN bracket IN ('[', '{') THEN 1 ELSE -1 END) OVER (ORDER BY place) AS depth
              FROM unnest(string_to_array(brackets, NULL)) WITH ORDINALITY AS one (bracket, place)) AS depths
    );
END
$$;

CREATE OR REPLACE FUNCTION refuse_emit(field text, message text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
    RAISE EXCEPTION 'emit: % %', field, message USING ERRCODE = 'invalid_parameter_value', COLUMN = field;
END
$$;

-- A function of its own, which writes nothing: what it catches costs the caller's transaction no number.
CREATE OR REPLACE FUNCTION check_json(data text) RETURNS void LANGUAGE plpgsql STABLE AS
$$
BEGIN
    PERFORM data::json;
EXCEPTION WHEN invalid_text_representation THEN
    PERFORM refuse_emit('data', 'must be JSON: ' || SQLERRM);
END
$$;

-- Judges what the engine would judge, as far as can be told here, so that the transaction fails rather than its event.
CREATE OR REPLACE FUNCTION check_emit(
    event text, account text, data text, id text, created_at timestamptz, resource_url text, order_key text,
    debounce_key text
) RETURNS void LANGUAGE plpgsql STABLE AS
$$
DECLARE
    archived boolean;
BEGIN
    IF event IS NULL OR octet_length(event) > 128 OR event !~ '^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+$' THEN
        PERFORM refuse_emit('event', 'must be two or more dot-separated segments of [a-zA-Z0-9_], at most 128 characters, such as contact.create');
    ELSIF account IS NULL OR account !~ '^[A-Za-z0-9._:@-]{1,128}$' THEN
        PERFORM refuse_emit('account', 'must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ -');
    ELSIF data IS NULL THEN
        PERFORM refuse_emit('data', 'must not be NULL (JSON has a null of its own: ''null'')');
    ELSIF octet_length(data) > 1048576 THEN
        PERFORM refuse_emit('data', 'is larger than 1048576 bytes');
    ELSIF json_depth(data) > 100 THEN
        PERFORM refuse_emit('data', 'must not be nested deeper than 100 levels');
    ELSIF id !~ '^[A-Za-z0-9._:@-]{1,128}$' OR id IN ('batch', 'stream') THEN
        PERFORM refuse_emit('id', 'must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ -, and neither batch nor stream');
    ELSIF created_at < timestamptz '1970-01-01 00:00:00Z' OR created_at > timestamptz '9999-12-30 22:00:00.999Z' THEN
        PERFORM refuse_emit('created_at', 'must lie between 1970-01-01 and 9999-12-30');
    ELSIF octet_length(resource_url) > 2048 OR resource_url !~* '^https?://[^/?#[:space:]]' THEN
        PERFORM refuse_emit('resource_url', 'must be an absolute http or https URL of at most 2048 bytes');
    ELSIF octet_length(order_key) NOT BETWEEN 1 AND 256 THEN
        PERFORM refuse_emit('order_key', 'must be 1 to 256 bytes');
    ELSIF octet_length(debounce_key) NOT BETWEEN 1 AND 256 THEN
        PERFORM refuse_emit('debounce_key', 'must be 1 to 256 bytes');
    END IF;
    SELECT (t.document::json ->> 'archived')::boolean INTO archived FROM event_type AS t WHERE t.name = event;
    IF archived THEN
        PERFORM refuse_emit('event', format('%s is archived: events of this type are no longer accepted', event));
    ELSIF NOT FOUND AND NOT EXISTS (SELECT FROM setting AS s WHERE s.name = 'event_types' AND s.value = 'auto') THEN
        PERFORM refuse_emit('event', format('%s is not a registered event type: register it with POST /api/v1/event-type/', event));
    END IF;
END
$$;

-- is_told: whether a node has to be told. All commits of a database that notify wait for each other, so that it is left out
-- while there is something that a node was told of and has not taken yet: it looks again when it has. When it has just done
-- so before this transaction commits, the next event brings this one along, or the nodes' own look, twice a second. Only
-- the newest numbers are asked about, from the last on: dead rows may be many.
--
-- The event's id: what was given, else a new one. data is stored as it was given.
CREATE OR REPLACE FUNCTION emit_text(
    event text, account text, data text, id text, created_at timestamptz, resource_url text, order_key text,
    debounce_key text
) RETURNS text LANGUAGE plpgsql VOLATILE AS
$$
DECLARE
    at bigint;
    given text := coalesce(id, '');
    is_told CONSTANT boolean := (SELECT e.no FROM emitted AS e
        WHERE e.no > (SELECT s.last_value - 8192 FROM emitted_no_seq AS s) ORDER BY e.no DESC LIMIT 1) IS NULL;
BEGIN
    PERFORM check_emit(event, account, data, id, created_at, resource_url, order_key, debounce_key);
    at := round(extract(epoch FROM date_trunc('milliseconds', coalesce(created_at, clock_timestamp()))) * 1000);
    IF id IS NULL THEN
        given := new_event_id(now_ms());
    END IF;
    INSERT INTO emitted (own_id, own_time, created_at, event, account, id, data, resource_url, order_key, debounce_key)
    VALUES (id IS NOT NULL, created_at IS NOT NULL, at, event, account, given, data, resource_url, order_key, debounce_key);
    IF is_told THEN
        PERFORM pg_notify(current_schema(), 'emit');
    END IF;
    RETURN given;
END
$$;

-- One for each form in which data is at hand, so that no caller in any language needs a cast: a bare literal or parameter
-- is text.
CREATE OR REPLACE FUNCTION emit(
    event text, account text, data text, id text DEFAULT NULL, created_at timestamptz DEFAULT NULL,
    resource_url text DEFAULT NULL, order_key text DEFAULT NULL, debounce_key text DEFAULT NULL
) RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS
$$
BEGIN
    PERFORM check_json(data);
    RETURN emit_text(event, account, data, id, created_at, resource_url, order_key, debounce_key);
END
$$;

CREATE OR REPLACE FUNCTION emit(
    event text, account text, data jsonb, id text DEFAULT NULL, created_at timestamptz DEFAULT NULL,
    resource_url text DEFAULT NULL, order_key text DEFAULT NULL, debounce_key text DEFAULT NULL
) RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS
$$
BEGIN
    RETURN emit_text(event, account, data::text, id, created_at, resource_url, order_key, debounce_key);
END
$$;

CREATE OR REPLACE FUNCTION emit(
    event text, account text, data json, id text DEFAULT NULL, created_at timestamptz DEFAULT NULL,
    resource_url text DEFAULT NULL, order_key text DEFAULT NULL, debounce_key text DEFAULT NULL
) RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path FROM CURRENT AS
$$
BEGIN
    RETURN emit_text(event, account, data::text, id, created_at, resource_url, order_key, debounce_key);
END
$$;

REVOKE ALL ON FUNCTION
    emit(text, text, text, text, timestamptz, text, text, text),
    emit(text, text, jsonb, text, timestamptz, text, text, text),
    emit(text, text, json, text, timestamptz, text, text, text)
FROM PUBLIC;
