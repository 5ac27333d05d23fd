//! What models answered in runs of before, read from their logs, those of their child runs included.
//! A run that is played back reads its recording once and keeps it in memory while it is played.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use domain::{
    id::{RunId, TaskName},
    run::{
        TaskError,
        recording::{FORMAT, Playback, RecordedCall, Recording, heard},
    },
};
use futures::{FutureExt, future::BoxFuture};
use tokio::sync::OnceCell;

use crate::{
    agent::Recordings,
    store::{Store, StoreError},
};

/// Recordings that are kept in memory at most; one that is played after that is read again.
const KEPT: usize = 16;

/// Most runs of which one recording is made: the run itself and its child runs.
const MOST_RUNS: usize = 10_000;

type Slot = Arc<OnceCell<Arc<Playback>>>;

/// Recordings of runs in the store.
pub struct StoredRecordings {
    store: Arc<dyn Store>,
    /// One that was handed in as a file.
    given: Option<(RunId, Arc<Playback>)>,
    kept: Mutex<VecDeque<((RunId, RunId), Slot)>>,
}

impl StoredRecordings {
    /// Reads there; `given` is played in the place of the run that it names.
    pub fn new(store: Arc<dyn Store>, given: Option<Recording>) -> Self {
        Self {
            store,
            given: given.map(|given| (given.run, Arc::new(Playback::new(given)))),
            kept: Mutex::default(),
        }
    }

    fn slot(&self, playing: RunId, recorded: RunId) -> Slot {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (playing, recorded);
        if let Some((_, slot)) = kept.iter().find(|(known, _)| *known == key) {
            return Arc::clone(slot);
        }
        let slot = Slot::default();
        kept.push_back((key, Arc::clone(&slot)));
        while kept.len() > KEPT {
            kept.pop_front();
        }
        slot
    }

    async fn load(&self, recorded: RunId) -> Result<Arc<Playback>, TaskError> {
        match recording(&*self.store, recorded).await {
            Ok(Some(recording)) => Ok(Arc::new(Playback::new(recording))),
            Ok(None) => Err(TaskError::lasting(
                "recording_gone",
                format!(
                    "The run {recorded}, whose answers are played back, is not there any more. Start a run that calls models, or play back another one."
                ),
            )),
            Err(error) => {
                tracing::error!(%error, %recorded, "a recording cannot be read");
                Err(TaskError::passing(
                    "store_unreadable",
                    "The recorded answers could not be read from the database; the server's log says why. A retry helps when it was only busy.",
                ))
            }
        }
    }
}

impl Recordings for StoredRecordings {
    fn playback(
        &self,
        playing: RunId,
        recorded: RunId,
    ) -> BoxFuture<'_, Result<Arc<Playback>, TaskError>> {
        async move {
            if let Some((run, playback)) = &self.given
                && *run == recorded
            {
                return Ok(Arc::clone(playback));
            }
            let slot = self.slot(playing, recorded);
            slot.get_or_try_init(|| self.load(recorded)).await.cloned()
        }
        .boxed()
    }
}

/// What models answered in a run, in its child runs, and in runs whose results it took over; `None`
/// where there is no such run.
pub async fn recording(store: &dyn Store, run: RunId) -> Result<Option<Recording>, StoreError> {
    let log = store.run_events(run, 0, u32::MAX).await?;
    if log.is_empty() {
        return Ok(None);
    }
    let first = heard(&log, &[]);
    let workflow = first.workflow.clone();
    let mut calls: Vec<RecordedCall> = first.calls;
    let mut seen = HashSet::from([run]);
    let mut todo: VecDeque<(RunId, Vec<TaskName>, Option<Vec<TaskName>>)> = VecDeque::new();
    let below = |task: TaskName, within: &[TaskName]| [within, &[task]].concat();
    todo.extend(
        first
            .children
            .into_iter()
            .map(|(task, child)| (child, below(task, &[]), None)),
    );
    todo.extend(
        first
            .before
            .map(|(run, tasks)| (run, Vec::new(), Some(tasks))),
    );
    while let Some((next, within, only)) = todo.pop_front() {
        if seen.len() >= MOST_RUNS || !seen.insert(next) {
            continue;
        }
        let log = store.run_events(next, 0, u32::MAX).await?;
        let more = heard(&log, &within);
        // Of a run whose results were taken over only those count, with what stands in their rounds.
        let counts = |task: &TaskName| {
            let node = task.as_str().split('[').next().unwrap_or_default();
            only.as_ref()
                .is_none_or(|only| only.iter().any(|kept| kept.as_str() == node))
        };
        calls.extend(more.calls.into_iter().filter(|call| counts(&call.task)));
        let children = more.children.into_iter().filter(|(task, _)| counts(task));
        todo.extend(children.map(|(task, child)| (child, below(task, &within), None)));
        if let Some((before, taken)) = more.before {
            let taken = taken.into_iter().filter(|task| counts(task)).collect();
            todo.push_back((before, within, Some(taken)));
        }
    }
    Ok(Some(Recording {
        troupe_recording: FORMAT,
        workflow,
        run,
        calls,
    }))
}
