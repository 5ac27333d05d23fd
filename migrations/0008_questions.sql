-- Tasks that a person has to decide about: also those whose prompt is another one than was recorded.

DROP INDEX tasks_for_people;

CREATE INDEX tasks_for_people ON tasks (run_id, position)
    WHERE waiting_for = 'approval' OR waiting_for = 'replay' OR status = 'unknown';
