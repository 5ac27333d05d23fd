-- Tasks that wait for a person, for the list of them: a prompt that is not the recorded one is asked about too.

DROP INDEX tasks_for_people;

CREATE INDEX tasks_for_people ON tasks (run_id, position)
    WHERE waiting_for IN ('approval', 'replay') OR status = 'unknown';
