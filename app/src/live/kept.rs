//! The newest events of the stream, kept for pages that load a snapshot while it goes on.

use std::{collections::VecDeque, rc::Rc};

use domain::event::Event;

/// Most events that are kept.
const MOST: usize = 2_000;

/// The newest events, without a gap behind `after`.
#[derive(Debug)]
pub struct Kept {
    begun: bool,
    /// `seq` that the events begin behind; before the stream begins, the oldest snapshot on the page.
    after: u64,
    events: VecDeque<Rc<Event>>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            begun: false,
            after: u64::MAX,
            events: VecDeque::new(),
        }
    }
}

impl Kept {
    /// The stream begins, at `head` or at the oldest snapshot on the page if that is older. Returns
    /// where; `None` when it has begun before.
    pub fn begin(&mut self, head: u64) -> Option<u64> {
        if std::mem::replace(&mut self.begun, true) {
            return None;
        }
        self.after = self.after.min(head);
        Some(self.after)
    }

    /// Keeps one more.
    pub fn push(&mut self, event: Rc<Event>) {
        self.events.push_back(event);
        if self.events.len() > MOST
            && let Some(oldest) = self.events.pop_front()
        {
            self.after = oldest.seq;
        }
    }

    /// Events were passed over: what was kept has a gap, begin anew behind `after`.
    pub fn restart(&mut self, after: u64) {
        self.events.clear();
        self.after = after;
    }

    /// What came behind `head`; `None` when some of that is not known here.
    pub fn since(&mut self, head: u64) -> Option<Vec<Rc<Event>>> {
        if !self.begun {
            self.after = self.after.min(head);
        }
        (head >= self.after).then(|| {
            self.events
                .iter()
                .filter(|event| event.seq > head)
                .cloned()
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        event::{Fact, SystemEvent},
        time::Timestamp,
    };

    use super::*;

    fn event(seq: u64) -> Rc<Event> {
        let fact = Fact::System(SystemEvent::Recovered { part: "bus".into() });
        Rc::new(Event {
            seq,
            run_seq: None,
            at: Timestamp(0),
            fact,
        })
    }

    fn since(kept: &mut Kept, head: u64) -> Option<Vec<u64>> {
        kept.since(head)
            .map(|events| events.iter().map(|event| event.seq).collect())
    }

    #[test]
    fn a_snapshot_is_caught_up_from_where_it_was_read() {
        let mut kept = Kept::default();
        assert_eq!(kept.begin(5), Some(5));
        (6..9).for_each(|seq| kept.push(event(seq)));
        assert_eq!(since(&mut kept, 6), Some(vec![7, 8]));
        assert_eq!(since(&mut kept, 8), Some(vec![]));
        assert_eq!(since(&mut kept, 4), None);
    }

    #[test]
    fn the_stream_begins_at_the_oldest_snapshot_of_the_page() {
        let mut kept = Kept::default();
        assert_eq!(since(&mut kept, 3), Some(vec![]));
        assert_eq!(kept.begin(5), Some(3));
        assert_eq!(kept.begin(9), None);
    }

    #[test]
    fn what_is_no_longer_kept_is_missed() {
        let mut kept = Kept::default();
        kept.begin(0);
        (1..=2_001).for_each(|seq| kept.push(event(seq)));
        assert_eq!(since(&mut kept, 0), None);
        assert_eq!(since(&mut kept, 1).map(|events| events.len()), Some(2_000));
        kept.restart(3_000);
        assert_eq!(since(&mut kept, 2_001), None);
        assert_eq!(since(&mut kept, 3_000), Some(vec![]));
    }
}
