-- Tokens that budgets count for calls that did not say all of theirs: what was set aside for them.

ALTER TABLE usage_sums ADD COLUMN assumed_tokens INTEGER NOT NULL DEFAULT 0;
