-- How often a subscription was changed: a change made from an older version is refused.
ALTER TABLE subscription ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
