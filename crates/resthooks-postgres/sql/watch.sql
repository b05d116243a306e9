-- Tables that emit by themselves: triggers written for each table, which turn a statement of the application's into one
-- INSERT.
--
-- watch_script answers plain SQL, which watch runs and an operator may read first. Only right after a table's columns have
-- changed is a statement put together while the application waits (watch_anew).
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);


-- A table's columns as they are now: what its triggers were written for.
CREATE OR REPLACE FUNCTION watch_signature(rel oid) RETURNS text LANGUAGE sql STABLE AS
$$
    SELECT string_agg(attname || ' ' || atttypid || ' ' || attcollation, ',' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = rel AND attnum > 0 AND NOT attisdropped
$$;

-- The columns that name a row: the given one, else the primary key. NULL when there are none.
CREATE OR REPLACE FUNCTION watch_key(rel oid, given text) RETURNS text[] LANGUAGE sql STABLE AS
$$
    SELECT CASE WHEN given IS NOT NULL THEN
        (SELECT ARRAY[attname::text] FROM pg_attribute
         WHERE attrelid = rel AND attname = given AND attnum > 0 AND NOT attisdropped)
    ELSE
        (SELECT array_agg(a.attname::text ORDER BY k.place)
         FROM pg_index AS i
         CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)
         JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE i.indrelid = rel AND i.indisprimary AND k.place <= i.indnkeyatts)
    END
$$;

-- The columns that go into the data, in the table's order. plain: values that are equal read the same, so that the type's
-- own equality tells whether one has changed; of the others the bytes are compared. long: of any length.
CREATE OR REPLACE FUNCTION watch_columns(rel oid, key text[], wanted text[])
RETURNS TABLE (place bigint, name text, quoted text, plain boolean, long boolean, is_key boolean) LANGUAGE sql STABLE AS
$$
    SELECT row_number() OVER (ORDER BY a.attnum), a.attname::text, quote_ident(a.attname),
        (t.typtype = 'e' OR a.atttypid IN (
            'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'oid'::regtype, 'uuid'::regtype,
            'date'::regtype, 'time'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'bytea'::regtype,
            'name'::regtype, 'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype))
            AND coalesce((SELECT c.collisdeterministic FROM pg_collation AS c WHERE c.oid = a.attcollation), true),
        t.typlen = -1, a.attname = ANY (key)
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    -- A column that is generated when it is read has no value in a trigger.
    WHERE a.attrelid = rel AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
        AND (wanted IS NULL OR a.attname = ANY (wanted) OR a.attname = ANY (key))
    ORDER BY a.attnum
$$;

-- Where events' ids go on from: of each statement's own, 60 to 62 bits, so that they are 16 hexadecimal digits.
CREATE OR REPLACE FUNCTION watch_base() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (random() * 3458764513820540928)::bigint + 1152921504606846976 $$;

-- The rows of one statement as p: event, account, key, size, changed (NULL but for updates), and the columns c1, c2, ...
-- An update's old and new rows are paired by key and account: a row that has moved to another account was deleted for
-- the one and created for the other, and so was one whose key has changed.
CREATE OR REPLACE FUNCTION watch_source(w watch, key text[], op text, is_big text, source text)
RETURNS text LANGUAGE plpgsql STABLE AS
$$
DECLARE
    rel CONSTANT oid := w.of_table;
    account CONSTANT text := quote_ident(w.account_column);
    first_key CONSTANT text := quote_ident(key[1]);
    account_is_plain boolean;
    made text;
BEGIN
    IF op <> 'UPDATE' THEN
        SELECT format(E'(SELECT %L AS event, t.%s::text AS account,\n        %s AS key,\n        NULL::text AS changed,\n'
            '        CASE WHEN %s THEN %s ELSE 0 END AS size,\n        %s\n    FROM %s AS t) AS p',
            w.prefix || CASE op WHEN 'INSERT' THEN '.create' ELSE '.delete' END, account,
            (SELECT string_agg(format('t.%I::text', k), ' || '','' || ') FROM unnest(key) AS k), is_big,
            coalesce(string_agg(format('coalesce(pg_column_size(t.%s), 0)', c.quoted), ' + ') FILTER (WHERE c.long), '0'),
            string_agg(format('t.%s AS c%s', c.quoted, c.place), ', ' ORDER BY c.place), source)
        INTO made FROM watch_columns(rel, key, w.columns) AS c;
        RETURN made;
    END IF;
    SELECT c.plain INTO account_is_plain FROM watch_columns(rel, ARRAY[w.account_column], '{}') AS c;
    SELECT concat(
        format(E'(SELECT CASE WHEN n.%1$s IS NULL THEN %2$L WHEN o.%1$s IS NULL THEN %3$L ELSE %4$L END AS event,\n',
            first_key, w.prefix || '.delete', w.prefix || '.create', w.prefix || '.update'),
        format(E'        coalesce(n.%1$s, o.%1$s)::text AS account,\n', account),
        format(E'        %s AS key,\n',
            (SELECT string_agg(format('coalesce(n.%1$I, o.%1$I)::text', k), ' || '','' || ') FROM unnest(key) AS k)),
        format(E'        CASE WHEN n.%1$s IS NOT NULL AND o.%1$s IS NOT NULL THEN ', first_key),
        coalesce(string_agg(
            format(CASE WHEN c.plain THEN E'\n            CASE WHEN o.%1$s IS DISTINCT FROM n.%1$s THEN %2$L ELSE '''' END'
                ELSE E'\n            CASE WHEN ROW(o.%1$s) OPERATOR(pg_catalog.*<>) ROW(n.%1$s) THEN %2$L ELSE '''' END' END,
                c.quoted, ',' || to_json(c.name)::text), ' ||' ORDER BY c.place) FILTER (WHERE NOT c.is_key), ''''''),
        E' END AS changed,\n',
        format(E'        CASE WHEN NOT %1$s THEN 0 WHEN n.%2$s IS NULL THEN ', is_big, first_key),
        coalesce(string_agg(format('coalesce(pg_column_size(o.%s), 0)', c.quoted), ' + ') FILTER (WHERE c.long), '0'),
        ' ELSE ',
        coalesce(string_agg(format('coalesce(pg_column_size(n.%s), 0)', c.quoted), ' + ') FILTER (WHERE c.long), '0'),
        E' END AS size,\n        ',
        string_agg(format('CASE WHEN n.%2$s IS NULL THEN o.%1$s ELSE n.%1$s END AS c%3$s', c.quoted, first_key, c.place),
            E',\n        ' ORDER BY c.place),
        E'\n    FROM old_rows AS o FULL JOIN new_rows AS n ON ',
        (SELECT string_agg(format('n.%1$I = o.%1$I', k), ' AND ') FROM unnest(key) AS k),
        format(CASE WHEN account_is_plain THEN ' AND n.%1$s = o.%1$s'
            ELSE ' AND n.%1$s::text COLLATE "C" = o.%1$s::text COLLATE "C"' END, account),
        E'\n    OFFSET 0) AS p')
    INTO made FROM watch_columns(rel, key, w.columns) AS c;
    RETURN made;
END
$$;

-- The statement that turns what another one did into rows of emitted or, for what is far too large to be an event, into
-- rows of refused with only their keys. at, head, base, is_big: SQL for the time, for what ids begin with, for
-- the number that they go on with, and for whether there may be such rows. NULL when the table has lost its account column or its key.
CREATE OR REPLACE FUNCTION watch_statement(
    watch_no bigint, op text, into_refused boolean, at text, head text, base text, is_big text, source text
) RETURNS text LANGUAGE plpgsql STABLE AS
$$
DECLARE
    w watch;
    key text[];
    account_type regtype;
    members text;
    data text := 'row_to_json(r)';
    wanted text;
    order_key text;
BEGIN
    SELECT * INTO STRICT w FROM watch WHERE no = watch_no;
    key := watch_key(w.of_table, w.id_column);
    SELECT atttypid INTO account_type FROM pg_attribute
    WHERE attrelid = w.of_table AND attname = w.account_column AND attnum > 0 AND NOT attisdropped;
    IF key IS NULL OR account_type IS NULL THEN
        RETURN NULL;
    END IF;

    -- Skinny hooks and templates of URLs go by id.
    SELECT CASE WHEN array_length(key, 1) = 1 AND NOT bool_or(c.name = 'id')
            THEN max(format('p.c%s AS id, ', c.place)) FILTER (WHERE c.is_key) ELSE '' END
        || string_agg(format('p.c%s AS %s', c.place, c.quoted), ', ' ORDER BY c.place)
            FILTER (WHERE c.is_key OR NOT into_refused),
        CASE WHEN bool_or(c.is_key AND c.long)
            THEN format('CASE WHEN octet_length(p.key) <= %s THEN %L || p.key END', 255 - octet_length(w.prefix), w.prefix || ':')
            ELSE format('%L || p.key', w.prefix || ':') END
    INTO members, order_key FROM watch_columns(w.of_table, key, w.columns) AS c;
    wanted := CASE WHEN account_type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype)
        THEN 'p.account IS NOT NULL'
        ELSE format('octet_length(p.account) BETWEEN 1 AND 128 AND translate(p.account, %L, '''') = ''''',
            'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-') END;
    IF op = 'UPDATE' THEN
        data := 'CASE WHEN p.changed IS NULL THEN row_to_json(r) ELSE row_to_json(u) END';
        wanted := wanted || ' AND (p.changed <> '''' OR p.changed IS NULL)';
    END IF;
    -- Bounds what is copied and put into JSON. What is not so far above an event's limit is judged by a node.
    wanted := wanted || CASE WHEN into_refused THEN ' AND p.size > 4194304' ELSE ' AND p.size <= 4194304' END;
    RETURN concat(
        'INSERT INTO ', CASE WHEN into_refused THEN 'refused (no, reason, refused_at, ' ELSE 'emitted (' END,
        E'own_id, created_at, event, account, id, data, order_key)\nSELECT ',
        CASE WHEN into_refused THEN
            format(E'nextval(''emitted_no_seq''), ''data is much larger than 1048576 bytes: only the key is kept'', %s,\n    ', at)
        ELSE '' END,
        format(E'false, %1$s, p.event, p.account, %5$s || to_hex(%2$s + row_number() OVER ()),\n    %3$s::text,\n    %4$s\nFROM ',
            at, base, data, order_key, head),
        watch_source(w, key, op, is_big, source),
        format(E'\nCROSS JOIN LATERAL (SELECT %s) AS r', members),
        CASE WHEN op = 'UPDATE' THEN format(
            E'\nCROSS JOIN LATERAL (SELECT %s, (''['' || substr(p.changed, 2) || '']'')::json AS changed) AS u', members)
        ELSE '' END,
        E'\nWHERE ', wanted);
END
$$;

-- The names of what belongs to a watch.
CREATE OR REPLACE FUNCTION watch_function_name(watch_no bigint, op text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT format('%I.watch_%s_%s', current_schema(), watch_no, lower(op)) $$;

CREATE OR REPLACE FUNCTION watch_trigger_name(op text) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT quote_ident(current_schema() || '_' || lower(op)) $$;

-- The trigger's function for one kind of statement. The settings: what is shown must not depend on those of whoever changes
-- the table, and however many rows there are, they are gone through once.
CREATE OR REPLACE FUNCTION watch_function(watch_no bigint, op text) RETURNS text LANGUAGE plpgsql STABLE AS
$$
DECLARE
    w watch;
    source CONSTANT text := CASE op WHEN 'DELETE' THEN 'old_rows' ELSE 'new_rows' END;
    size text;
    is_big text := 'false';
BEGIN
    SELECT * INTO STRICT w FROM watch WHERE no = watch_no;
    SELECT string_agg(format('coalesce(pg_column_size(t.%s), 0)', c.quoted), ' + ') INTO size
    FROM watch_columns(w.of_table, watch_key(w.of_table, w.id_column), w.columns) AS c WHERE c.long;
    IF size IS NOT NULL THEN
        is_big := format('EXISTS (SELECT FROM %s AS t WHERE %s > 4194304)', source, size);
    END IF;
    RETURN concat(
        'CREATE OR REPLACE FUNCTION ', watch_function_name(watch_no, op), E'() RETURNS trigger LANGUAGE plpgsql\n',
        format(E'SECURITY DEFINER SET search_path = %I, pg_temp\n', current_schema()),
        E'SET timezone = ''UTC'' SET intervalstyle = iso_8601 SET bytea_output = hex SET extra_float_digits = 1\n',
        E'SET work_mem = ''64MB'' SET jit = off SET enable_nestloop = off SET enable_mergejoin = off AS\n$watch$\n',
        E'#variable_conflict use_variable\nDECLARE\n    at_ms CONSTANT bigint := now_ms();\n',
        E'    head CONSTANT text := event_id_time(at_ms);\n    base CONSTANT bigint := watch_base();\n    is_big CONSTANT boolean := ', is_big, E';\nBEGIN\n',
        format(E'IF watch_signature(TG_RELID) IS DISTINCT FROM %L THEN\n', watch_signature(w.of_table)),
        format(E'    EXECUTE watch_anew(%s, TG_OP, at_ms, base);\n', watch_no),
        E'    PERFORM pg_notify(current_schema(), ''emit'');\n    RETURN NULL;\nEND IF;\n',
        watch_statement(watch_no, op, false, 'at_ms', 'head', 'base', 'is_big', source),
        E';\nIF FOUND THEN\n    PERFORM pg_notify(current_schema(), ''emit'');\nEND IF;\n',
        CASE WHEN size IS NULL THEN '' ELSE concat(E'IF is_big THEN\n',
            watch_statement(watch_no, op, true, 'at_ms', 'head', 'base', 'is_big', source), E';\nEND IF;\n') END,
        E'RETURN NULL;\nEND\n$watch$');
END
$$;

-- Notes that what happened to a table could not be told of.
CREATE OR REPLACE FUNCTION watch_lost(watch_no bigint, op text, at bigint, base bigint, why text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
    RAISE WARNING '%', why USING HINT = 'Run resthooks watch again, or unwatch.';
    INSERT INTO refused (no, own_id, created_at, event, account, id, data, reason, refused_at)
    SELECT nextval('emitted_no_seq'), false, at,
        w.prefix || CASE op WHEN 'INSERT' THEN '.create' WHEN 'UPDATE' THEN '.update' ELSE '.delete' END,
        '', event_id_time(at) || to_hex(base), '{}', why, at
    FROM watch AS w WHERE w.no = watch_no;
END
$$;

-- For a trigger whose table has other columns by now: puts its functions right when no other transaction is at it, and
-- answers what the trigger is to do instead of what it was written for.
CREATE OR REPLACE FUNCTION watch_anew(watch_no bigint, op text, at bigint, base bigint) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    source CONSTANT text := CASE op WHEN 'DELETE' THEN 'old_rows' ELSE 'new_rows' END;
    main CONSTANT text := watch_statement(watch_no, op, false, at::text, quote_literal(event_id_time(at)), base::text, 'true', source);
BEGIN
    IF main IS NULL THEN
        PERFORM watch_lost(watch_no, op, at, base, format(
            'table %s has lost the columns by which it is watched: what a statement changed was not emitted',
            (SELECT of_table FROM watch WHERE no = watch_no)));
        RETURN 'SELECT';
    END IF;
    IF pg_try_advisory_xact_lock(lock_class(), -5) THEN
        EXECUTE watch_function(watch_no, 'INSERT');
        EXECUTE watch_function(watch_no, 'UPDATE');
        EXECUTE watch_function(watch_no, 'DELETE');
    END IF;
    RETURN main || E';\n' || watch_statement(watch_no, op, true, at::text, quote_literal(event_id_time(at)), base::text, 'true', source);
END
$$;

-- TRUNCATE tells of no rows, so that they are read before it: each is told of as deleted.
CREATE OR REPLACE FUNCTION watch_truncate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET timezone = 'UTC' SET intervalstyle = iso_8601 SET bytea_output = hex
SET extra_float_digits = 1 SET jit = off AS
$$
DECLARE
    watch_no CONSTANT bigint := (SELECT no FROM watch WHERE of_table = TG_RELID);
    at CONSTANT bigint := now_ms();
    base CONSTANT bigint := watch_base();
    source CONSTANT text := TG_RELID::regclass::text;
    main text;
BEGIN
    IF has_table_privilege(current_user, TG_RELID, 'SELECT') THEN
        main := watch_statement(watch_no, 'DELETE', false, at::text, quote_literal(event_id_time(at)), base::text, 'true', source);
    END IF;
    IF main IS NULL THEN
        PERFORM watch_lost(watch_no, 'DELETE', at, base, format(
            'table %s was truncated, and role %s could not read what was in it', source, current_user));
        RETURN NULL;
    END IF;
    EXECUTE main;
    EXECUTE watch_statement(watch_no, 'DELETE', true, at::text, quote_literal(event_id_time(at)), base::text, 'true', source);
    PERFORM pg_notify(current_schema(), 'emit');
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION watch_truncate() FROM PUBLIC;
