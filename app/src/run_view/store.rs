//! The run that a page shows, kept current from two sources that come in any order: snapshots, and the
//! events that the socket brings. Pure: it neither fetches nor listens; its caller does both and acts
//! on the [`Change`] that comes back.
//!
//! The rule: `Run::apply` ignores what the run has seen already and refuses a gap. A gap means that
//! something was missed, and only a fresh snapshot can say what; until it comes, events are kept, and
//! then those that the snapshot does not know yet are applied to it.

use std::collections::BTreeMap;

use domain::{
    event::{Event, Fact},
    id::TaskName,
    run::Run,
};

/// Most events that are kept while a snapshot is on its way. When more come, the oldest go: if the
/// snapshot turns out to be older than the first one kept, that is a gap like any other.
const MOST_KEPT: usize = 10_000;

/// What an event or a snapshot did to the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing that anyone could see.
    Nothing,
    /// The run as a whole: its state, its end.
    Run,
    /// One task.
    Task(TaskName),
    /// Anything: a snapshot took the run's place.
    Everything,
    /// Something was missed: fetch a snapshot.
    Stale,
}

/// A run on its way from event to event.
#[derive(Debug)]
pub struct Follower {
    run: Run,
    /// Whether a snapshot has to come before the next event can be applied.
    stale: bool,
    kept: BTreeMap<u64, Event>,
}

impl Follower {
    /// Begins with a snapshot.
    pub fn new(run: Run) -> Self {
        Self {
            run,
            stale: false,
            kept: BTreeMap::new(),
        }
    }

    /// The run as far as it is known.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// An event came, of this run or of another.
    pub fn event(&mut self, event: &Event) -> Change {
        if event.fact.run() != Some(self.run.id) {
            return Change::Nothing;
        }
        if self.stale {
            self.keep(event.clone());
            return Change::Nothing;
        }
        apply(&mut self.run, event).unwrap_or_else(|Gap| {
            self.keep(event.clone());
            self.stale = true;
            Change::Stale
        })
    }

    /// A snapshot came. One that events have overtaken changes nothing.
    pub fn snapshot(&mut self, snapshot: Run) -> Change {
        let overtaken = !self.stale && snapshot.last_run_seq < self.run.last_run_seq;
        if snapshot.id != self.run.id || overtaken {
            return Change::Nothing;
        }
        self.run = snapshot;
        self.stale = false;
        while let Some((_, event)) = self.kept.pop_first() {
            if apply(&mut self.run, &event).is_err() {
                self.keep(event);
                self.stale = true;
                return Change::Stale;
            }
        }
        Change::Everything
    }

    /// Something may have been missed: no event is applied before the next snapshot.
    pub fn doubt(&mut self) {
        self.stale = true;
    }

    /// Whether a snapshot is needed.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    fn keep(&mut self, event: Event) {
        self.kept.insert(event.seq, event);
        if self.kept.len() > MOST_KEPT {
            self.kept.pop_first();
        }
    }
}

/// The event does not follow from what is known.
struct Gap;

fn apply(run: &mut Run, event: &Event) -> Result<Change, Gap> {
    let before = run.last_seq;
    run.apply(event).map_err(|_misfit| Gap)?;
    if run.last_seq == before {
        return Ok(Change::Nothing);
    }
    Ok(match &event.fact {
        Fact::Run { .. } => Change::Run,
        Fact::Task { task, .. } => Change::Task(task.clone()),
        Fact::Agent { .. } | Fact::System(_) => Change::Nothing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_view::story::{log, state_after};

    fn done() -> usize {
        log().len()
    }

    /// A page that was rendered after `rendered` events, whose socket says everything from `heard` on,
    /// and that is told to load again, with an answer `answer_late` events later.
    fn watch(
        log: &[Event],
        states: &[Run],
        [rendered, heard, told_at, answer_late]: [usize; 4],
    ) -> Follower {
        let mut follower = Follower::new(states[rendered].clone());
        let answer = states[told_at].clone();
        for (at, event) in log.iter().enumerate() {
            if at == told_at {
                follower.doubt();
            }
            if at == told_at + answer_late {
                assert_eq!(follower.snapshot(answer.clone()), Change::Everything);
            }
            if at >= heard {
                follower.event(event);
            }
        }
        if told_at + answer_late >= log.len() {
            follower.doubt();
            follower.snapshot(answer);
        }
        follower
    }

    #[test]
    fn every_order_of_snapshots_and_events_ends_in_the_same_run() {
        let states: Vec<_> = (0..=done()).map(state_after).collect();
        let log = log();
        for rendered in 0..=log.len() {
            for heard in 0..=rendered {
                for told_at in heard..=log.len() {
                    for answer_late in [0, 1, 2, log.len()] {
                        let place = [rendered, heard, told_at, answer_late];
                        let follower = watch(&log, &states, place);
                        assert!(!follower.is_stale(), "{place:?}");
                        assert_eq!(Some(follower.run()), states.last(), "{place:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn events_that_come_twice_change_nothing() {
        let mut follower = Follower::new(state_after(0));
        for event in log() {
            assert_ne!(follower.event(&event), Change::Nothing);
            assert_eq!(follower.event(&event), Change::Nothing);
        }
        assert_eq!(follower.run(), &state_after(done()));
    }

    #[test]
    fn a_missed_event_asks_for_one_snapshot_and_then_goes_on() {
        for missed in 0..done() - 1 {
            let mut follower = Follower::new(state_after(0));
            let asked = log()
                .iter()
                .enumerate()
                .filter(|(at, event)| *at != missed && follower.event(event) == Change::Stale)
                .count();
            assert_eq!(asked, 1, "missed {missed}");
            // The answer was read just behind the missed event: what was kept follows.
            assert_eq!(
                follower.snapshot(state_after(missed + 1)),
                Change::Everything
            );
            assert_eq!(follower.run(), &state_after(done()));
        }
    }

    #[test]
    fn a_snapshot_that_is_still_too_old_asks_again() {
        let mut follower = Follower::new(state_after(0));
        assert_eq!(follower.event(&log()[3]), Change::Stale);
        assert_eq!(follower.snapshot(state_after(1)), Change::Stale);
        assert_eq!(follower.snapshot(state_after(3)), Change::Everything);
        assert_eq!(follower.run(), &state_after(4));
    }

    #[test]
    fn an_answer_that_was_overtaken_by_events_is_dropped() {
        let mut follower = Follower::new(state_after(2));
        follower.event(&log()[2]);
        assert_eq!(follower.snapshot(state_after(1)), Change::Nothing);
        assert_eq!(follower.run(), &state_after(3));
    }

    #[test]
    fn changes_name_the_task() {
        let mut follower = Follower::new(state_after(0));
        let changes: Vec<_> = log()
            .iter()
            .map(|event| match follower.event(event) {
                Change::Nothing => "nothing".to_owned(),
                Change::Run => "run".to_owned(),
                Change::Task(task) => task.to_string(),
                Change::Everything => "everything".to_owned(),
                Change::Stale => "stale".to_owned(),
            })
            .collect();
        expect_test::expect!["run plan plan plan plan plan plan plan plan plan plan plan plan plan build build build build run"].assert_eq(&changes.join(" "));
    }
}
