-- plan_key: what a planned delivery is ordered, debounced or batched by; NULL for one that is not planned. A planned
-- delivery that waits has no node: it is the owner's of its subscription.
-- plan_group: the first sequence of the batch that it is tried again with; NULL when with none.
ALTER TABLE delivery ADD COLUMN plan_key bytea, ADD COLUMN plan_group bigint;
CREATE INDEX delivery_planned ON delivery (subscription, sequence) WHERE status = 1 AND plan_key IS NOT NULL;
CREATE INDEX delivery_planned_by_key ON delivery (subscription, plan_key, sequence)
    WHERE status = 1 AND plan_key IS NOT NULL;
CREATE INDEX delivery_group_due ON delivery (subscription, next_attempt_at, plan_group, sequence)
    WHERE status = 1 AND plan_group IS NOT NULL;

-- Whose a subscription's planned deliveries are. news: so many were written by other nodes since it last asked.
-- again: how often what it knows of them has become wrong since then.
CREATE TABLE owner (
    subscription bigint PRIMARY KEY,
    node bigint NOT NULL,
    news bigint NOT NULL DEFAULT 0,
    again bigint NOT NULL DEFAULT 0
);
CREATE INDEX owner_by_node ON owner (node);

-- It answers one thing more.
DROP FUNCTION IF EXISTS reopen(bigint, integer, bigint, smallint[], smallint, text, bigint, bigint, bigint[], bigint[],
    bigint, bigint, bigint, bigint, integer);
