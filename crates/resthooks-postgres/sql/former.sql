-- What nodes of the version before call, while they work beside nodes of this one. They write secrets in clear, which are
-- sealed later, and no audit trail. The next version drops these.

CREATE OR REPLACE FUNCTION insert_subscription(
    by_node bigint, new_uid uuid, of_account text, of_status smallint, target text, with_patterns text, with_document text,
    made_at bigint
) RETURNS bigint LANGUAGE sql SET search_path FROM CURRENT AS
$$
    SELECT insert_subscription(by_node, new_uid, of_account, of_status, target, with_patterns, with_document, NULL::text,
        made_at, NULL::text[])
$$;

CREATE OR REPLACE FUNCTION update_subscription(
    by_node bigint, of_no bigint, from_version bigint, to_status smallint, target text, with_patterns text,
    with_document text
) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS
$$
    SELECT update_subscription(by_node, of_no, from_version, to_status, target, with_patterns, with_document, NULL::text,
        NULL::text[])
$$;

CREATE OR REPLACE FUNCTION put_event_type(by_node bigint, of_name text, with_document text) RETURNS void LANGUAGE sql
SET search_path FROM CURRENT AS
$$ SELECT put_event_type(by_node, of_name, with_document, NULL::text[]) $$;

CREATE OR REPLACE FUNCTION delete_event_type(by_node bigint, of_name text) RETURNS boolean LANGUAGE sql
SET search_path FROM CURRENT AS
$$ SELECT delete_event_type(by_node, of_name, NULL::text[]) $$;

CREATE OR REPLACE FUNCTION insert_key(
    by_node bigint, new_id uuid, with_hash bytea, of_account text, with_name bytea, made_at bigint
) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS
$$
    SELECT insert_key(by_node, new_id, with_hash, of_account, with_name, made_at, 0::smallint, NULL::bigint, NULL::bigint,
        NULL::text[])
$$;

CREATE OR REPLACE FUNCTION delete_key(by_node bigint, of_id uuid) RETURNS boolean LANGUAGE sql
SET search_path FROM CURRENT AS
$$ SELECT delete_key(by_node, of_id, NULL::text[]) $$;

CREATE OR REPLACE FUNCTION begin_delete_account(by_node bigint, of_account text) RETURNS bigint LANGUAGE sql
SET search_path FROM CURRENT AS
$$ SELECT begin_delete_account(by_node, of_account, NULL::text[]) $$;
