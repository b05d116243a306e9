-- Beginning and ending to watch a table.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE OR REPLACE FUNCTION refuse_watch(message text) RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
    RAISE EXCEPTION '%', message USING ERRCODE = 'RH005';
END
$$;

-- Registers an event type unless there is one; the other nodes hear of it.
CREATE OR REPLACE FUNCTION register_event_type(type_name text, type_description text) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS
$$
DECLARE
    at CONSTANT text := to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -1);
    INSERT INTO event_type (name, document)
    VALUES (type_name, json_build_object('name', type_name, 'description', type_description, 'created_at', at, 'updated_at', at))
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM note_change(0, 1, type_name);
    END IF;
END
$$;

-- Refuses what can't be watched.
CREATE OR REPLACE FUNCTION check_watch(
    rel regclass, prefix text, account_column text, columns text[], id_column text
) RETURNS void LANGUAGE plpgsql STABLE AS
$$
DECLARE
    class pg_class;
    key CONSTANT text[] := watch_key(rel, id_column);
    unknown text;
BEGIN
    SELECT * INTO class FROM pg_class WHERE oid = rel;
    IF NOT FOUND THEN
        PERFORM refuse_watch('there is no table of this name');
    ELSIF class.relkind NOT IN ('r', 'p') OR class.relpersistence = 't' THEN
        PERFORM refuse_watch(format('%s is not a permanent table: only those can be watched', rel));
    ELSIF class.relnamespace IN (quote_ident(current_schema())::regnamespace, 'pg_catalog'::regnamespace) THEN
        PERFORM refuse_watch(format('%s is not a table of the application''s', rel));
    ELSIF octet_length(prefix) > 120 OR prefix !~ '^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$' THEN
        PERFORM refuse_watch('--event-prefix: must be dot-separated segments of [a-zA-Z0-9_], at most 120 characters, such as contact');
    END IF;
    SELECT c.name INTO unknown FROM unnest(columns || account_column || id_column) WITH ORDINALITY AS c (name, place)
    WHERE c.name IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute AS a
        WHERE a.attrelid = rel AND a.attname = c.name AND a.attnum > 0 AND NOT a.attisdropped)
    ORDER BY c.place LIMIT 1;
    IF unknown IS NOT NULL THEN
        PERFORM refuse_watch(format('table %s has no column "%s"', rel, unknown));
    ELSIF key IS NULL THEN
        PERFORM refuse_watch(format('table %s has no primary key: name a column that identifies its rows with --id', rel));
    ELSIF id_column IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attname = id_column
        WHERE i.indrelid = rel AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 1
            AND i.indkey[0] = a.attnum) THEN
        PERFORM refuse_watch(format('--id: column "%s" of table %s has no unique index: rows before and after a change are paired by it', id_column, rel));
    ELSIF EXISTS (SELECT FROM watch_columns(rel, key, columns) AS c WHERE c.name = 'changed') THEN
        PERFORM refuse_watch(format('table %s has a column "changed", which in updates is the list of changed columns: name the others with --columns', rel));
    END IF;
END
$$;

-- Everything that watching a table takes, as plain SQL. Notes the watch, since the rest is made from that: whoever only
-- wants to read the answer rolls back.
CREATE OR REPLACE FUNCTION watch_script(
    rel regclass, prefix text, account_column text, columns text[] DEFAULT NULL, id_column text DEFAULT NULL
) RETURNS text LANGUAGE plpgsql SET search_path FROM CURRENT AS
$$
#variable_conflict use_variable
DECLARE
    made watch;
    script text;
    op text;
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -5);
    PERFORM check_watch(rel, prefix, account_column, columns, id_column);
    SELECT w.no INTO made.no FROM watch AS w WHERE w.of_table = rel;
    made := ROW(coalesce(made.no, (SELECT max(w.no) + 1 FROM watch AS w), 1), rel, prefix, account_column, columns, id_column, now_ms());
    DELETE FROM watch AS w WHERE w.of_table = rel;
    INSERT INTO watch SELECT made.*;
    script := concat(
        format(E'-- Table %s emits %s.create, %s.update and %s.delete.\n', rel, prefix, prefix, prefix),
        format(E'DELETE FROM %I.watch WHERE of_table = %L::regclass;\n', current_schema(), rel),
        format(E'INSERT INTO %I.watch (no, of_table, prefix, account_column, columns, id_column, made_at)\nVALUES (%L, %L, %L, %L, %L, %L, %L);\n',
            current_schema(), made.no, rel, prefix, account_column, columns, id_column, made.made_at));
    FOREACH op IN ARRAY ARRAY['INSERT', 'UPDATE', 'DELETE'] LOOP
        script := concat(script, E'\n', watch_function(made.no, op), E';\n',
            format(E'REVOKE ALL ON FUNCTION %s() FROM PUBLIC;\n', watch_function_name(made.no, op)),
            format(E'DROP TRIGGER IF EXISTS %s ON %s;\n', watch_trigger_name(op), rel),
            format(E'CREATE TRIGGER %s AFTER %s ON %s\nREFERENCING %s\nFOR EACH STATEMENT EXECUTE FUNCTION %s();\n',
                watch_trigger_name(op), op, rel,
                CASE op WHEN 'INSERT' THEN 'NEW TABLE AS new_rows' WHEN 'DELETE' THEN 'OLD TABLE AS old_rows'
                    ELSE 'OLD TABLE AS old_rows NEW TABLE AS new_rows' END,
                watch_function_name(made.no, op)));
    END LOOP;
    script := concat(script, E'\n',
        format(E'DROP TRIGGER IF EXISTS %s ON %s;\n', watch_trigger_name('TRUNCATE'), rel),
        format(E'CREATE TRIGGER %s BEFORE TRUNCATE ON %s\nFOR EACH STATEMENT EXECUTE FUNCTION %I.watch_truncate();\n\n',
            watch_trigger_name('TRUNCATE'), rel, current_schema()));
    -- Last, because it holds up other changes until the end of the transaction.
    FOREACH op IN ARRAY ARRAY['create', 'update', 'delete'] LOOP
        script := concat(script, format(E'SELECT %I.register_event_type(%L, %L);\n', current_schema(), prefix || '.' || op,
            format('A row of table %s was %s.', rel, CASE op WHEN 'create' THEN 'created' WHEN 'update' THEN 'updated'
                ELSE 'deleted' END)));
    END LOOP;
    RETURN script;
END
$$;

-- Begins to watch a table, or watches it in another way than before; whether it was watched already.
CREATE OR REPLACE FUNCTION watch(
    rel regclass, prefix text, account_column text, columns text[] DEFAULT NULL, id_column text DEFAULT NULL
) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT SET lock_timeout = '5s' AS
$$
DECLARE
    replaced CONSTANT boolean := EXISTS (SELECT FROM watch AS w WHERE w.of_table = rel);
BEGIN
    EXECUTE watch_script(rel, prefix, account_column, columns, id_column);
    RETURN replaced;
END
$$;

-- Everything that ending a watch takes, as plain SQL. What was emitted stays. A table that is gone is named by its number, as
-- watched() shows it.
CREATE OR REPLACE FUNCTION unwatch_script(named text, rel regclass) RETURNS text LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT AS
$$
DECLARE
    w watch;
    script text := '';
    op text;
BEGIN
    SELECT * INTO w FROM watch WHERE of_table = rel OR of_table::oid::text = named;
    IF NOT FOUND THEN
        PERFORM refuse_watch(format('%s is not watched', named));
    END IF;
    FOREACH op IN ARRAY ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] LOOP
        IF rel IS NOT NULL THEN
            script := concat(script, format(E'DROP TRIGGER IF EXISTS %s ON %s;\n', watch_trigger_name(op), rel));
        END IF;
        IF op <> 'TRUNCATE' THEN
            script := concat(script, format(E'DROP FUNCTION IF EXISTS %s();\n', watch_function_name(w.no, op)));
        END IF;
    END LOOP;
    RETURN concat(script, format(E'DELETE FROM %I.watch WHERE no = %s;\n', current_schema(), w.no));
END
$$;

CREATE OR REPLACE FUNCTION unwatch(named text, rel regclass) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT SET lock_timeout = '5s' AS
$$
BEGIN
    PERFORM pg_advisory_xact_lock(lock_class(), -5);
    EXECUTE unwatch_script(named, rel);
END
$$;

-- The watched tables; trouble: why one emits nothing, or less than it should.
CREATE OR REPLACE FUNCTION watched() RETURNS TABLE (
    watched_table text, event_prefix text, account text, watched_columns text[], id text[], since bigint, trouble text
) LANGUAGE sql STABLE SET search_path FROM CURRENT AS
$$
    SELECT w.of_table::text, w.prefix, w.account_column, w.columns,
        coalesce(watch_key(w.of_table, w.id_column), array_remove(ARRAY[w.id_column], NULL)), w.made_at,
        CASE
            WHEN NOT EXISTS (SELECT FROM pg_class WHERE oid = w.of_table) THEN 'the table is gone'
            WHEN watch_key(w.of_table, w.id_column) IS NULL THEN 'the columns that identify its rows are gone'
            WHEN gone.name IS NOT NULL THEN format('column "%s" is gone', gone.name)
            WHEN 4 > (SELECT count(*) FROM pg_trigger AS t WHERE t.tgrelid = w.of_table AND t.tgenabled <> 'D'
                AND quote_ident(t.tgname) IN (watch_trigger_name('INSERT'), watch_trigger_name('UPDATE'),
                    watch_trigger_name('DELETE'), watch_trigger_name('TRUNCATE'))) THEN 'its triggers are gone or disabled'
        END
    FROM watch AS w
    LEFT JOIN LATERAL (SELECT c.name FROM unnest(w.account_column || w.columns) AS c (name)
        WHERE NOT EXISTS (SELECT FROM pg_attribute AS a
            WHERE a.attrelid = w.of_table AND a.attname = c.name AND a.attnum > 0 AND NOT a.attisdropped)
        LIMIT 1) AS gone ON true
    ORDER BY w.of_table::text
$$;
