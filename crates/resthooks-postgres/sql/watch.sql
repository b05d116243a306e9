-- Tables that emit by themselves: triggers written for each table, which turn a statement of the application's into one
-- INSERT.
--
-- watch_script answers plain SQL, which watch runs and an operator may read first. Only right after a table's columns have
-- changed is a statement put together while the application waits (watch_anew).
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);


-- SQL for a table's columns as they are now: triggers compare it with what they were written for. As a part of their own
-- text it costs them a fraction of what calling a function would.
CREATE OR REPLACE FUNCTION watch_signature(rel text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$
    SELECT '(SELECT string_agg(concat(attname, '' '', atttypid, '' '', attcollation), '','' ORDER BY attnum) FROM pg_attribute '
        || 'WHERE attrelid = ' || rel || ' AND attnum > 0 AND NOT attisdropped)'
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

-- By which names a statement knows what does not differ from row to row.
CREATE OR REPLACE FUNCTION watch_variables() RETURNS watch_names LANGUAGE sql IMMUTABLE AS
$$ SELECT ROW('at_ms', 'head', 'base', 'largest')::watch_names $$;

CREATE OR REPLACE FUNCTION watch_parameters() RETURNS watch_names LANGUAGE sql IMMUTABLE AS
$$ SELECT ROW('$1', '$2', '$3', '$4')::watch_names $$;

-- Where events' ids go on from: 60 to 62 bits, of each statement's own, so that they are 16 hexadecimal digits.
CREATE OR REPLACE FUNCTION watch_base() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (random() * 3458764513820540928)::bigint + 1152921504606846976 $$;

-- SQL for about how many bytes a row has; a constant when it can't have many.
CREATE OR REPLACE FUNCTION watch_size(w watch, alias text) RETURNS text LANGUAGE sql STABLE AS
$$
    SELECT coalesce(string_agg(format('coalesce(pg_column_size(%s.%s), 0)', alias, c.quoted), ' + ' ORDER BY c.place), '0')
    FROM watch_columns(w.of_table, watch_key(w.of_table, w.id_column), w.columns) AS c WHERE c.long
$$;

-- The rows of a statement as p: account, key, size, changed (+ for created, - for deleted, else the list of the changed
-- columns, each with a comma before it), and the columns c1, c2, ...
-- An update's old and new rows are paired by key and account: a row that has moved to another account was deleted for
-- the one and created for the other, and so was one whose key has changed.
CREATE OR REPLACE FUNCTION watch_rows(w watch, op text, source text, v watch_names) RETURNS text LANGUAGE plpgsql STABLE AS
$$
DECLARE
    key CONSTANT text[] := watch_key(w.of_table, w.id_column);
    first_key CONSTANT text := quote_ident(key[1]);
    account CONSTANT text := quote_ident(w.account_column);
    account_is_plain CONSTANT boolean :=
        (SELECT c.plain FROM watch_columns(w.of_table, ARRAY[w.account_column], '{}') AS c);
    made text;
BEGIN
    IF op <> 'UPDATE' THEN
        SELECT concat(
            format(E'(SELECT t.%s::text AS account,\n        ', account),
            (SELECT string_agg(format('t.%I::text', k), ' || '','' || ') FROM unnest(key) AS k),
            format(E' AS key,\n        text %L AS changed,\n', CASE op WHEN 'INSERT' THEN '+' ELSE '-' END),
            format(E'        CASE WHEN %s > 16384 THEN %s ELSE 0 END AS size,\n        ', v.largest, watch_size(w, 't')),
            string_agg(format('t.%s AS c%s', c.quoted, c.place), ', ' ORDER BY c.place),
            format(E'\n    FROM %s AS t) AS p', source))
        INTO made FROM watch_columns(w.of_table, key, w.columns) AS c;
        RETURN made;
    END IF;
    SELECT concat(
        format(E'(SELECT coalesce(n.%1$s, o.%1$s)::text AS account,\n        ', account),
        (SELECT string_agg(format('coalesce(n.%1$I, o.%1$I)::text', k), ' || '','' || ') FROM unnest(key) AS k),
        format(E' AS key,\n        CASE WHEN n.%1$s IS NULL THEN ''-'' WHEN o.%1$s IS NULL THEN ''+'' ELSE\n            ', first_key),
        coalesce(string_agg(
            format(CASE WHEN c.plain THEN 'CASE WHEN o.%1$s IS DISTINCT FROM n.%1$s THEN %2$L ELSE '''' END'
                ELSE 'CASE WHEN ROW(o.%1$s)::record *<> ROW(n.%1$s)::record THEN %2$L ELSE '''' END' END,
                c.quoted, ',' || to_json(c.name)::text), E' ||\n            ' ORDER BY c.place)
            FILTER (WHERE NOT c.is_key AND c.name <> w.account_column), ''''''),
        E' END AS changed,\n',
        format(E'        CASE WHEN %s <= 16384 THEN 0 WHEN n.%s IS NULL THEN %s\n            ELSE %s END AS size,\n        ',
            v.largest, first_key, watch_size(w, 'o'), watch_size(w, 'n')),
        string_agg(format('CASE WHEN n.%2$s IS NULL THEN o.%1$s ELSE n.%1$s END AS c%3$s', c.quoted, first_key, c.place),
            E',\n        ' ORDER BY c.place),
        E'\n    FROM old_rows AS o FULL JOIN new_rows AS n ON ',
        (SELECT string_agg(format('n.%1$I = o.%1$I', k), ' AND ') FROM unnest(key) AS k),
        format(CASE WHEN account_is_plain THEN ' AND n.%1$s = o.%1$s'
            ELSE ' AND n.%1$s::text COLLATE "C" = o.%1$s::text COLLATE "C"' END, account),
        E'\n    OFFSET 0) AS p')
    INTO made FROM watch_columns(w.of_table, key, w.columns) AS c;
    RETURN made;
END
$$;

-- What a row is told as, and how.
CREATE OR REPLACE FUNCTION watch_event(prefix text, changed text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT prefix || CASE changed WHEN '+' THEN '.create' WHEN '-' THEN '.delete' ELSE '.update' END $$;

CREATE OR REPLACE FUNCTION watch_data(row_json text, changed text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN changed IN ('+', '-') THEN row_json ELSE left(row_json, -1) || ',"changed":[' || substr(changed, 2) || ']}' END $$;

CREATE OR REPLACE FUNCTION watch_order_key(prefix text, key text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN octet_length(prefix) + octet_length(key) <= 255 THEN prefix || ':' || key END $$;

-- Whether it can be an account's: rows whose account can't are not told of.
CREATE OR REPLACE FUNCTION watch_account(account text) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$
    SELECT octet_length(account) BETWEEN 1 AND 128
        AND translate(account, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:@-', '') = ''
$$;

-- The statement that turns what another one did into rows of emitted (way: row) or of emitted_pack (pack), or, for what is
-- far too large to be an event, into rows of refused with only their keys (refused). v: what it knows the time, what ids begin
-- with, the number that they go on with and the size of the largest row by. NULL when the table has lost its account column
-- or its key.
CREATE OR REPLACE FUNCTION watch_statement(watch_no bigint, op text, way text, source text, v watch_names)
RETURNS text LANGUAGE plpgsql STABLE AS
$$
DECLARE
    w watch;
    key text[];
    members text;
    rows text;
BEGIN
    SELECT * INTO STRICT w FROM watch WHERE no = watch_no;
    key := watch_key(w.of_table, w.id_column);
    IF key IS NULL OR NOT EXISTS (SELECT FROM pg_attribute
        WHERE attrelid = w.of_table AND attname = w.account_column AND attnum > 0 AND NOT attisdropped) THEN
        RETURN NULL;
    END IF;
    -- Skinny hooks and templates of URLs go by id.
    SELECT CASE WHEN array_length(key, 1) = 1 AND NOT bool_or(c.name = 'id')
            THEN max(format('p.c%s AS id, ', c.place)) FILTER (WHERE c.is_key) ELSE '' END
        || string_agg(format('p.c%s AS %s', c.place, c.quoted), ', ' ORDER BY c.place)
            FILTER (WHERE c.is_key OR way <> 'refused')
    INTO members FROM watch_columns(w.of_table, key, w.columns) AS c;
    rows := watch_rows(w, op, source, v);
    IF way = 'pack' THEN
        RETURN concat(
            'INSERT INTO emitted_pack (no, created_at, base, head, prefix, accounts, keys, changed, data)',
            format(E'\nSELECT nextval(''emitted_no_seq''), %s, %s + q.pack * 128, %s, %L,\n', v.at, v.base, v.head, w.prefix),
            E'    q.accounts, q.keys, q.changed, q.data\nFROM (SELECT q.pack, array_agg(q.account) AS accounts, array_agg(q.key) AS keys,\n',
            E'    array_agg(q.changed) AS changed, array_agg(q.data) AS data\n',
            E'FROM (SELECT p.account, p.key, p.changed, row_to_json(r.*)::text AS data, row_number() OVER () / 128 AS pack\nFROM ',
            rows, format(E'\nCROSS JOIN LATERAL (SELECT %s) AS r', members),
            E'\nWHERE p.account IS NOT NULL AND p.changed <> '''') AS q\nGROUP BY q.pack ORDER BY q.pack) AS q');
    END IF;
    RETURN concat(
        'INSERT INTO ', CASE WHEN way = 'refused' THEN 'refused (no, reason, refused_at, ' ELSE 'emitted (' END,
        E'own_id, created_at, event, account, id, data, order_key)\nSELECT ',
        CASE WHEN way = 'refused' THEN
            format(E'nextval(''emitted_no_seq''), ''data is much larger than 1048576 bytes: only the key is kept'', %s,\n    ', v.at)
        ELSE '' END,
        format(E'false, %s, watch_event(%L, p.changed), p.account, %s || to_hex(%s + row_number() OVER ()),\n',
            v.at, w.prefix, v.head, v.base),
        format(E'    watch_data(row_to_json(r.*)::text, p.changed), watch_order_key(%L, p.key)\nFROM ', w.prefix),
        rows, format(E'\nCROSS JOIN LATERAL (SELECT %s) AS r', members),
        E'\nWHERE watch_account(p.account) AND p.changed <> '''' AND p.size ',
        -- Bounds what is copied and put into JSON. What is not so far above an event's limit is judged by a node.
        CASE WHEN way = 'refused' THEN '>' ELSE '<=' END, ' 4194304');
END
$$;

-- Makes rows of emitted of the first packs; how many packs those were.
CREATE OR REPLACE FUNCTION unpack_emitted(packs integer) RETURNS bigint LANGUAGE sql VOLATILE
SET search_path FROM CURRENT AS
$$
    WITH taken AS (
        DELETE FROM emitted_pack
        WHERE no IN (SELECT p.no FROM emitted_pack AS p ORDER BY p.no LIMIT packs FOR UPDATE SKIP LOCKED)
        RETURNING *
    ), made AS (
        INSERT INTO emitted (no, own_id, created_at, event, account, id, data, order_key) OVERRIDING SYSTEM VALUE
        SELECT t.no + u.place - 1, false, t.created_at, watch_event(t.prefix, u.changed), u.account,
            t.head || to_hex(t.base + u.place - 1), watch_data(u.data, u.changed), watch_order_key(t.prefix, u.key)
        FROM taken AS t CROSS JOIN LATERAL
            unnest(t.accounts, t.keys, t.changed, t.data) WITH ORDINALITY AS u (account, key, changed, data, place)
        WHERE watch_account(u.account)
    )
    SELECT count(*) FROM taken
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
    signature text;
BEGIN
    SELECT * INTO STRICT w FROM watch WHERE no = watch_no;
    size := watch_size(w, 't');
    EXECUTE format('SELECT %s', watch_signature(w.of_table::oid::text)) INTO signature;
    RETURN concat(
        'CREATE OR REPLACE FUNCTION ', watch_function_name(watch_no, op), E'() RETURNS trigger LANGUAGE plpgsql\n',
        format(E'SECURITY DEFINER SET search_path = %I, pg_temp\n', current_schema()),
        E'SET timezone = ''UTC'' SET intervalstyle = iso_8601 SET bytea_output = hex SET extra_float_digits = 1\n',
        E'SET work_mem = ''64MB'' SET jit = off SET enable_nestloop = off SET enable_mergejoin = off SET enable_hashagg = off AS\n$watch$\n',
        E'#variable_conflict use_variable\nDECLARE\n',
        E'    at_ms CONSTANT bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);\n',
        E'    head CONSTANT text := event_id_time(at_ms);\n',
        E'    base CONSTANT bigint := (random() * 3458764513820540928)::bigint + 1152921504606846976;\n',
        E'    is_told CONSTANT boolean := (SELECT e.no FROM emitted AS e\n',
        E'        WHERE e.no > (SELECT s.last_value - 8192 FROM emitted_no_seq AS s) ORDER BY e.no DESC LIMIT 1) IS NULL;\n',
        E'    largest bigint := 0;\nBEGIN\n',
        format(E'IF %s\n    IS DISTINCT FROM %L THEN\n', watch_signature('TG_RELID'), signature),
        -- As if there were large rows: whether there are is found out on the way.
        format(E'    EXECUTE watch_anew(%s, TG_OP) USING at_ms, head, base, 9223372036854775807;\n', watch_no),
        E'    PERFORM pg_notify(current_schema(), ''emit'');\n    RETURN NULL;\nEND IF;\n',
        -- Where nothing is stored apart, all rows are as small as a page. Those of partitions lie elsewhere.
        CASE WHEN size <> '0' THEN concat(
            E'IF NOT (SELECT relkind = ''r'' AND NOT relhassubclass AND (reltoastrelid = 0 OR pg_relation_size(reltoastrelid) = 0)\n',
            E'    FROM pg_class WHERE oid = TG_RELID) THEN\n    largest := greatest(0, ',
            format('(SELECT max(%s) FROM %s AS t)', size, source),
            CASE WHEN op = 'UPDATE' THEN format(E',\n        (SELECT max(%s) FROM old_rows AS t)', size) END,
            E');\nEND IF;\n') END,
        format(E'IF largest <= 16384 AND EXISTS (SELECT FROM %s OFFSET 99) THEN\n', source),
        watch_statement(watch_no, op, 'pack', source, watch_variables()), E';\nELSE\n',
        watch_statement(watch_no, op, 'row', source, watch_variables()),
        E';\nEND IF;\nIF FOUND AND is_told THEN\n    PERFORM pg_notify(current_schema(), ''emit'');\nEND IF;\n',
        CASE WHEN size <> '0' THEN concat(E'IF largest > 4194304 THEN\n',
            watch_statement(watch_no, op, 'refused', source, watch_variables()), E';\nEND IF;\n') END,
        E'RETURN NULL;\nEND\n$watch$');
END
$$;

-- Notes that what happened to a table could not be told of.
CREATE OR REPLACE FUNCTION watch_lost(watch_no bigint, op text, why text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
    RAISE WARNING '%', why USING HINT = 'Run resthooks watch again, or unwatch.';
    INSERT INTO refused (no, own_id, created_at, event, account, id, data, reason, refused_at)
    SELECT nextval('emitted_no_seq'), false, now_ms(),
        watch_event(w.prefix, CASE op WHEN 'INSERT' THEN '+' WHEN 'UPDATE' THEN '' ELSE '-' END), '', new_event_id(now_ms()),
        '{}', why, now_ms()
    FROM watch AS w WHERE w.no = watch_no;
END
$$;

-- For a trigger whose table has other columns by now: puts its functions right when no other transaction is at it, and
-- answers what the trigger is to execute instead of what it was written for, with at_ms, head, base and largest.
CREATE OR REPLACE FUNCTION watch_anew(watch_no bigint, op text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
    source CONSTANT text := CASE op WHEN 'DELETE' THEN 'old_rows' ELSE 'new_rows' END;
    statement CONSTANT text := watch_statement(watch_no, op, 'row', source, watch_parameters());
BEGIN
    IF statement IS NULL THEN
        PERFORM watch_lost(watch_no, op, format(
            'table %s has lost the columns by which it is watched: what a statement changed was not emitted',
            (SELECT of_table FROM watch WHERE no = watch_no)));
        RETURN 'SELECT';
    END IF;
    IF pg_try_advisory_xact_lock(lock_class(), -5) THEN
        EXECUTE watch_function(watch_no, 'INSERT');
        EXECUTE watch_function(watch_no, 'UPDATE');
        EXECUTE watch_function(watch_no, 'DELETE');
    END IF;
    RETURN statement || E';\n' || watch_statement(watch_no, op, 'refused', source, watch_parameters());
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
    head CONSTANT text := event_id_time(at);
    base CONSTANT bigint := watch_base();
    source CONSTANT text := TG_RELID::regclass::text;
    statement text;
BEGIN
    IF has_table_privilege(current_user, TG_RELID, 'SELECT') THEN
        statement := watch_statement(watch_no, 'DELETE', 'row', source, watch_parameters());
    END IF;
    IF statement IS NULL THEN
        PERFORM watch_lost(watch_no, 'DELETE', format(
            'table %s was truncated, and role %s could not read what was in it', source, current_user));
        RETURN NULL;
    END IF;
    -- As if there were large rows: whether there are is found out on the way.
    EXECUTE statement USING at, head, base, 9223372036854775807;
    EXECUTE watch_statement(watch_no, 'DELETE', 'refused', source, watch_parameters())
        USING at, head, base, 9223372036854775807;
    PERFORM pg_notify(current_schema(), 'emit');
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION watch_truncate() FROM PUBLIC;
