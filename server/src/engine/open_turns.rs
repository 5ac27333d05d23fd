//! What models have said in answers that are not at their end. Pages that come in the middle, or missed
//! a piece, read here what was said. The kernel stores it every half second and removes it with the event
//! that ends the turn, which brings the whole text; so what was paid for is there after a crash too,
//! until the answer begins anew.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::{
    frame::Delta,
    id::{RunId, TaskName},
    run::AttemptKey,
};
use tokio::sync::Notify;

/// Texts of open turns, by run and task: one attempt of a task is under way at a time.
#[derive(Debug, Clone, Default)]
pub struct OpenTurns {
    table: Arc<Mutex<HashMap<RunId, HashMap<TaskName, Open>>>>,
    unkept: Arc<Unkept>,
}

#[derive(Debug)]
struct Open {
    /// From the beginning.
    said: Delta,
    /// Bytes of it that were handed to the store.
    kept: usize,
}

/// Whether anything was said that the store was not handed yet.
#[derive(Debug, Default)]
struct Unkept {
    is: AtomicBool,
    became: Notify,
}

impl OpenTurns {
    /// With what had been said before a crash.
    pub fn recalled(cut: Vec<Delta>) -> Self {
        let open = Self::default();
        for said in cut {
            let tasks = &mut *open.table();
            let kept = said.text.len();
            let task = said.task.clone();
            let of_run = tasks.entry(said.run_id).or_default();
            of_run.insert(task, Open { said, kept });
        }
        open
    }

    fn table(&self) -> MutexGuard<'_, HashMap<RunId, HashMap<TaskName, Open>>> {
        // Nothing that holds the lock can panic halfway through a change.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece was said. Pieces of one turn come in order; another turn takes the place of the last,
    /// as does the same turn when it begins anew.
    pub fn said(&self, piece: &Delta) {
        let mut table = self.table();
        let tasks = table.entry(piece.run_id).or_default();
        match tasks.get_mut(&piece.task) {
            Some(open) if open.is_followed_by(piece) => open.said.text.push_str(&piece.text),
            Some(_) | None if piece.offset == 0 => {
                let said = piece.clone();
                tasks.insert(piece.task.clone(), Open { said, kept: 0 });
            }
            Some(_) | None => return,
        }
        if !self.unkept.is.swap(true, Ordering::AcqRel) {
            self.unkept.became.notify_one();
        }
    }

    /// Waits until something was said that the store was not handed yet.
    pub async fn unkept(&self) {
        while !self.unkept.is.load(Ordering::Acquire) {
            self.unkept.became.notified().await;
        }
    }

    /// Everything that the store was not handed yet, one piece for each turn.
    pub fn take_unkept(&self) -> Vec<Delta> {
        let mut table = self.table();
        if !self.unkept.is.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        let open = table.values_mut().flat_map(HashMap::values_mut);
        open.filter_map(Open::take_unkept).collect()
    }

    /// Tasks of which there is anything.
    pub fn tasks(&self) -> Vec<(RunId, TaskName)> {
        let table = self.table();
        let tasks = table
            .iter()
            .flat_map(|(run, tasks)| tasks.keys().map(|task| (*run, task.clone())));
        tasks.collect()
    }

    /// The answer of this task is stored as a whole, or nobody wants it any more.
    pub fn forget(&self, run: RunId, task: &TaskName) {
        let mut table = self.table();
        if let Some(tasks) = table.get_mut(&run) {
            tasks.remove(task);
            if tasks.is_empty() {
                table.remove(&run);
            }
        }
    }

    /// The turn is at its end, or its attempt is.
    pub fn over(&self, key: &AttemptKey) {
        let mut table = self.table();
        if let Some(tasks) = table.get_mut(&key.run) {
            if tasks
                .get(&key.task)
                .is_some_and(|open| open.said.attempt == key.attempt)
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
            .map(|tasks| tasks.values().map(|open| open.said.clone()).collect())
            .unwrap_or_default()
    }
}

impl Open {
    fn is_followed_by(&self, piece: &Delta) -> bool {
        let said = &self.said;
        !said.cut
            && (said.attempt, said.turn, said.text.len() as u64)
                == (piece.attempt, piece.turn, piece.offset)
    }

    fn take_unkept(&mut self) -> Option<Delta> {
        let from = std::mem::replace(&mut self.kept, self.said.text.len());
        let text = self.said.text.get(from..).filter(|text| !text.is_empty())?;
        Some(Delta {
            offset: from as u64,
            text: text.to_owned(),
            task: self.said.task.clone(),
            ..self.said
        })
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
            cut: false,
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

    #[test]
    fn the_store_is_handed_each_byte_once() {
        let open = OpenTurns::default();
        let taken = || {
            let said = open.take_unkept().into_iter();
            let said = said.map(|piece| (piece.turn, piece.offset, piece.text));
            said.collect::<Vec<_>>()
        };
        assert!(taken().is_empty());
        open.said(&piece(1, 1, 0, "Hel"));
        open.said(&piece(1, 1, 3, "lo"));
        assert_eq!(taken(), [(1, 0, "Hello".to_owned())]);
        assert!(taken().is_empty());
        open.said(&piece(1, 1, 5, "!"));
        assert_eq!(taken(), [(1, 5, "!".to_owned())]);
        open.said(&piece(1, 2, 0, "Anew"));
        assert_eq!(taken(), [(2, 0, "Anew".to_owned())]);
    }

    #[test]
    fn what_a_crash_cut_is_there_until_the_turn_begins_anew() {
        let cut = Delta {
            cut: true,
            ..piece(1, 1, 0, "Hel")
        };
        let open = OpenTurns::recalled(vec![cut]);
        assert_eq!(texts(&open), [(1, 1, "Hel".into())]);
        assert!(open.take_unkept().is_empty(), "it is kept already");
        // What would follow it by chance is none of it.
        open.said(&piece(1, 1, 3, "lo"));
        assert_eq!(texts(&open), [(1, 1, "Hel".into())]);
        open.said(&piece(1, 1, 0, "Good"));
        assert_eq!(texts(&open), [(1, 1, "Good".into())]);
        assert_eq!(open.take_unkept().len(), 1);
        open.forget(RunId(Uuid::nil()), &TaskName::parse("a").expect("a name"));
        assert!(open.table().is_empty());
    }
}
