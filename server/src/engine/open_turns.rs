//! What models have said in answers that are not at their end. Not stored: the event that ends a turn
//! brings its whole text. Pages that come in the middle, or missed a piece, read here what was said.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    frame::Delta,
    id::{RunId, TaskName},
    run::AttemptKey,
};

/// Texts of open turns, by run and task: one attempt of a task is under way at a time.
#[derive(Debug, Clone, Default)]
pub struct OpenTurns(Arc<Mutex<HashMap<RunId, HashMap<TaskName, Delta>>>>);

impl OpenTurns {
    fn table(&self) -> MutexGuard<'_, HashMap<RunId, HashMap<TaskName, Delta>>> {
        // Nothing that holds the lock can panic halfway through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece was said. Pieces of one turn come in order; another turn takes the place of the last.
    pub fn said(&self, piece: &Delta) {
        let mut table = self.table();
        let tasks = table.entry(piece.run_id).or_default();
        match tasks.get_mut(&piece.task) {
            Some(open)
                if (open.attempt, open.turn, open.text.len() as u64)
                    == (piece.attempt, piece.turn, piece.offset) =>
            {
                open.text.push_str(&piece.text);
            }
            Some(_) | None if piece.offset == 0 => {
                tasks.insert(piece.task.clone(), piece.clone());
            }
            Some(_) | None => {}
        }
    }

    /// The turn is at its end, or its attempt is.
    pub fn over(&self, key: &AttemptKey) {
        let mut table = self.table();
        if let Some(tasks) = table.get_mut(&key.run) {
            if tasks
                .get(&key.task)
                .is_some_and(|open| open.attempt == key.attempt)
            {
                tasks.remove(&key.task);
            }
            if tasks.is_empty() {
                table.remove(&key.run);
            }
        }
    }

    /// Everything that was said in open turns of a run, each as one piece from the beginning.
    pub fn of(&self, run: RunId) -> Vec<Delta> {
        self.table()
            .get(&run)
            .map(|tasks| tasks.values().cloned().collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use domain::id::WorkflowId;
    use uuid::Uuid;

    use super::*;

    fn piece(attempt: u32, turn: u32, offset: u64, text: &str) -> Delta {
        Delta {
            workflow_id: WorkflowId(Uuid::nil()),
            run_id: RunId(Uuid::nil()),
            task: TaskName::parse("a").expect("a name"),
            attempt,
            turn,
            offset,
            text: text.into(),
        }
    }

    fn texts(open: &OpenTurns) -> Vec<(u32, u32, String)> {
        let all = open.of(RunId(Uuid::nil()));
        all.into_iter()
            .map(|delta| (delta.attempt, delta.turn, delta.text))
            .collect()
    }

    #[test]
    fn pieces_become_one_until_the_turn_is_over() {
        let open = OpenTurns::default();
        open.said(&piece(1, 1, 0, "Hel"));
        open.said(&piece(1, 1, 3, "lo"));
        assert_eq!(texts(&open), [(1, 1, "Hello".into())]);
        // What does not follow is not made up.
        open.said(&piece(1, 1, 9, "!"));
        assert_eq!(texts(&open), [(1, 1, "Hello".into())]);
        open.said(&piece(1, 2, 0, "Anew"));
        assert_eq!(texts(&open), [(1, 2, "Anew".into())]);
        let key = |attempt| AttemptKey {
            run: RunId(Uuid::nil()),
            task: TaskName::parse("a").expect("a name"),
            attempt,
        };
        open.over(&key(2));
        assert_eq!(
            texts(&open).len(),
            1,
            "another attempt's end is not this one's"
        );
        open.over(&key(1));
        assert!(texts(&open).is_empty() && open.table().is_empty());
    }
}
