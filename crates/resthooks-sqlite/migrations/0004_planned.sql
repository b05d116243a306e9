-- plan_key: what a planned delivery is ordered, debounced or batched by; NULL for one that is not planned.
-- plan_group: the first sequence of the batch that it is tried again with; NULL when with none.
ALTER TABLE delivery ADD COLUMN plan_key BLOB;
ALTER TABLE delivery ADD COLUMN plan_group INTEGER;

DROP INDEX delivery_due;
CREATE INDEX delivery_due ON delivery (subscription, next_attempt_at) WHERE status = 1 AND plan_key IS NULL;
CREATE INDEX delivery_planned ON delivery (subscription, sequence) WHERE status = 1 AND plan_key IS NOT NULL;
CREATE INDEX delivery_planned_by_key ON delivery (subscription, plan_key, sequence)
    WHERE status = 1 AND plan_key IS NOT NULL;
CREATE INDEX delivery_group_due ON delivery (subscription, next_attempt_at, plan_group, sequence)
    WHERE status = 1 AND plan_group IS NOT NULL;
