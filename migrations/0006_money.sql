-- Sums of what model calls took, budgets, and calls whose usage got lost.

-- What people may spend. `of_id` is the id or name of what is limited; '' for the day.
CREATE TABLE budgets (
    scope           TEXT    NOT NULL CHECK (scope IN ('workflow', 'agent', 'provider', 'day')),
    of_id           TEXT    NOT NULL,
    limit_micro_usd INTEGER,
    limit_tokens    INTEGER,
    -- `total`, or `day`: from midnight to midnight UTC.
    period          TEXT    NOT NULL CHECK (period IN ('total', 'day')),
    -- What becomes of a task whose next call could pass the limit.
    on_budget       TEXT    NOT NULL CHECK (on_budget IN ('wait', 'fail')),
    set_by          TEXT    NOT NULL,
    set_at          INTEGER NOT NULL,
    PRIMARY KEY (scope, of_id),
    CHECK (limit_micro_usd IS NOT NULL OR limit_tokens IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- Model calls that came to their end, summed. A sum is NULL where no call of it knows.
CREATE TABLE usage_sums (
    -- Days since 1970-01-01, UTC: that on which the calls ended.
    day                 INTEGER NOT NULL,
    workflow_id         TEXT    NOT NULL,
    -- '' where no agent made the call.
    agent_id            TEXT    NOT NULL,
    provider            TEXT    NOT NULL,
    model               TEXT    NOT NULL,
    -- 1: only rehearsed, nothing of it was charged.
    simulated           INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    calls               INTEGER NOT NULL,
    calls_charged       INTEGER NOT NULL,
    calls_estimated     INTEGER NOT NULL,
    calls_unknown       INTEGER NOT NULL,
    charged_micro_usd   INTEGER,
    estimated_micro_usd INTEGER,
    -- What budgets count for calls of unknown cost.
    assumed_micro_usd   INTEGER NOT NULL,
    prompt_tokens       INTEGER,
    completion_tokens   INTEGER,
    cached_tokens       INTEGER,
    reasoning_tokens    INTEGER,
    PRIMARY KEY (day, workflow_id, agent_id, provider, model, simulated)
) STRICT, WITHOUT ROWID;

-- What the log knows already.
INSERT INTO usage_sums
SELECT day, workflow_id, agent_id, provider, model, provider = 'rehearsal', count(*),
       sum(cost_is = 'charged'), sum(cost_is = 'estimated'),
       sum(cost_is NOT IN ('charged', 'estimated')),
       sum(CASE cost_is WHEN 'charged' THEN micro_usd END),
       sum(CASE cost_is WHEN 'estimated' THEN micro_usd END),
       0, sum(prompt_tokens), sum(completion_tokens), NULL, NULL
FROM (SELECT timestamp / 86400000 AS day, workflow_id, coalesce(source_agent_id, '') AS agent_id,
             coalesce(json_extract(data, '$.provider'), '') AS provider,
             coalesce(json_extract(data, '$.model'), '') AS model,
             coalesce(json_extract(data, '$.cost_is'), 'unknown') AS cost_is,
             CAST(round(json_extract(data, '$.cost_usd') * 1000000) AS INTEGER) AS micro_usd,
             json_extract(data, '$.prompt_tokens') AS prompt_tokens,
             json_extract(data, '$.completion_tokens') AS completion_tokens
      FROM events WHERE event_type = 'turn.completed' AND workflow_id IS NOT NULL)
GROUP BY day, workflow_id, agent_id, provider, model;

-- A run's limit in tokens, and the limit that a call of it was held back for last (JSON).
ALTER TABLE runs ADD COLUMN budget_tokens INTEGER;
ALTER TABLE runs ADD COLUMN held_by TEXT;

-- Tasks that wait for room in a budget.
CREATE INDEX tasks_for_budgets ON tasks (run_id, position) WHERE waiting_for = 'budget';
