//! Text that is still being written: pieces with the place where each belongs, put together as far as
//! they were heard. Pieces may be missing (the page was opened mid-answer, or the server dropped some
//! under pressure), come twice, or come late; the event that ends the turn brings the whole text, and
//! then nothing of this is shown any more.

use std::collections::HashMap;

use domain::{frame::Delta, id::TaskName};

/// Longest text that is put together here; the rest waits for the end of the turn.
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Stands where text is missing.
const MISSING: &str = "…";

/// One model call inside one run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TurnKey {
    /// The task.
    pub task: TaskName,
    /// Which try.
    pub attempt: u32,
    /// Which call of the try.
    pub turn: u32,
}

impl TurnKey {
    /// The turn that a piece belongs to.
    pub fn of(delta: &Delta) -> Self {
        Self {
            task: delta.task.clone(),
            attempt: delta.attempt,
            turn: delta.turn,
        }
    }
}

/// Everything that was heard of turns that are not at their end.
#[derive(Debug, Default)]
pub struct Streams {
    turns: HashMap<TurnKey, Heard>,
}

impl Streams {
    /// A piece came; whether it said anything new.
    pub fn hear(&mut self, delta: &Delta) -> bool {
        let heard = self.turns.entry(TurnKey::of(delta)).or_default();
        if delta.cut {
            heard.hear_cut(&delta.text)
        } else {
            heard.hear(delta.offset, &delta.text)
        }
    }

    /// A crash cut an answer and it begins anew: what was heard stays until then.
    pub fn cut(&mut self, key: &TurnKey) {
        if let Some(heard) = self.turns.get_mut(key)
            && !heard.parts.is_empty()
        {
            *heard = Heard {
                before: Some(heard.text()),
                ..Heard::default()
            };
        }
    }

    /// What is known of an answer; `None` when nothing was heard.
    pub fn text(&self, key: &TurnKey) -> Option<String> {
        self.turns.get(key).map(Heard::text)
    }

    /// Whether a piece of an answer is missing before its newest.
    pub fn has_hole(&self, key: &TurnKey) -> bool {
        self.turns.get(key).is_some_and(Heard::has_hole)
    }

    /// The answer is known from its event.
    pub fn forget(&mut self, key: &TurnKey) {
        self.turns.remove(key);
    }
}

/// What was heard of one answer: parts in order, apart from each other.
#[derive(Debug, Default)]
struct Heard {
    parts: Vec<Part>,
    bytes: usize,
    /// What had been said before a crash cut the answer; shown until it begins anew.
    before: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Part {
    from: u64,
    text: String,
}

impl Part {
    fn end(&self) -> u64 {
        self.from.saturating_add(self.text.len() as u64)
    }
}

impl Heard {
    fn hear(&mut self, offset: u64, text: &str) -> bool {
        if text.is_empty() || self.bytes + text.len() > MOST_BYTES {
            return false;
        }
        match self.parts.last_mut() {
            // Nearly always: the next piece.
            Some(last) if last.end() == offset => {
                last.text.push_str(text);
                self.bytes += text.len();
                true
            }
            Some(_) | None => self.fit_in(offset, text),
        }
    }

    /// Adds those stretches of a piece that lie in holes.
    fn fit_in(&mut self, offset: u64, text: &str) -> bool {
        let end = offset.saturating_add(text.len() as u64);
        let mut holes = Vec::new();
        let mut at = offset;
        for part in &self.parts {
            if part.from > at {
                holes.push((at, part.from.min(end)));
            }
            at = at.max(part.end());
        }
        holes.push((at, end));
        let mut news = false;
        for (from, to) in holes.into_iter().filter(|(from, to)| from < to) {
            // A cut through a character can only come from pieces that contradict each other.
            let range = (from - offset) as usize..(to - offset) as usize;
            if let Some(stretch) = text.get(range) {
                self.bytes += stretch.len();
                self.parts.push(Part {
                    from,
                    text: stretch.to_owned(),
                });
                news = true;
            }
        }
        self.join();
        news
    }

    fn join(&mut self) {
        self.parts.sort_by_key(|part| part.from);
        let mut joined: Vec<Part> = Vec::with_capacity(self.parts.len());
        for part in self.parts.drain(..) {
            match joined.last_mut() {
                Some(last) if last.end() == part.from => last.text.push_str(&part.text),
                Some(_) | None => joined.push(part),
            }
        }
        self.parts = joined;
    }

    fn has_hole(&self) -> bool {
        self.bytes < MOST_BYTES / 2
            && (self.parts.len() > 1 || self.parts.first().is_some_and(|part| part.from > 0))
    }

    fn hear_cut(&mut self, text: &str) -> bool {
        let news = self.parts.is_empty() && self.before.as_deref() != Some(text);
        if news {
            self.before = Some(text.to_owned());
        }
        news
    }

    fn text(&self) -> String {
        if let (Some(before), []) = (&self.before, self.parts.as_slice()) {
            return before.clone();
        }
        let mut text = String::with_capacity(self.bytes + MISSING.len() * self.parts.len());
        let mut at = 0;
        for part in &self.parts {
            if part.from > at {
                text.push_str(MISSING);
            }
            text.push_str(&part.text);
            at = part.end();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[(u64, &str)], expected: &str) {
        let mut heard = Heard::default();
        for (offset, text) in pieces {
            heard.hear(*offset, text);
        }
        assert_eq!(heard.text(), expected, "{pieces:?}");
        assert_eq!(
            heard.bytes,
            heard
                .parts
                .iter()
                .map(|part| part.text.len())
                .sum::<usize>()
        );
    }

    #[test]
    fn pieces_become_a_text() {
        check(&[], "");
        check(&[(0, "to "), (3, "be")], "to be");
        check(&[(0, "")], "");
        // Opened mid-answer.
        check(&[(40, "or "), (43, "not")], "…or not");
        // Dropped under pressure.
        check(&[(0, "to "), (9, "not")], "to …not");
        check(&[(5, "a"), (9, "b"), (20, "c")], "…a…b…c");
        // Late: fills its hole.
        check(&[(0, "to "), (5, " or"), (3, "be")], "to be or");
        check(&[(2, "c"), (1, "b"), (0, "a")], "abc");
        // Twice, in part or as a whole.
        check(&[(0, "abc"), (0, "abc")], "abc");
        check(&[(0, "abc"), (1, "bcde")], "abcde");
        check(&[(2, "cd"), (0, "abcdef")], "abcdef");
        check(&[(1, "b"), (3, "d"), (0, "abcde")], "abcde");
        // Characters of several bytes.
        check(&[(0, "é"), (2, "ü")], "éü");
        check(&[(1, "x"), (0, "é")], "…x");
    }

    #[test]
    fn every_order_of_pieces_gives_the_text() {
        let pieces = [(0, "ein "), (4, "größ"), (10, "eres"), (14, " Wörtchen")];
        for a in 0..4 {
            for b in 0..4 {
                for c in 0..4 {
                    for d in 0..4 {
                        let order = [a, b, c, d];
                        if (0..4).all(|at| order.contains(&at)) {
                            check(&order.map(|at| pieces[at]), "ein größeres Wörtchen");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn offsets_without_sense_do_no_harm() {
        check(&[(u64::MAX, "x")], "");
        check(&[(u64::MAX - 1, "x"), (0, "a")], "a…x");
    }

    #[test]
    fn a_text_without_end_is_cut() {
        let mut heard = Heard::default();
        let piece = "x".repeat(64 * 1024);
        let mut at = 0;
        while heard.hear(at, &piece) {
            at += piece.len() as u64;
        }
        assert!(heard.bytes <= MOST_BYTES && heard.bytes > MOST_BYTES / 2);
    }

    #[test]
    fn what_a_crash_cut_stays_until_the_answer_begins_anew() {
        let piece = |offset, text: &str, cut| Delta {
            workflow_id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            run_id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            task: TaskName::parse("plan").unwrap(),
            attempt: 1,
            turn: 1,
            offset,
            text: text.into(),
            cut,
        };
        let key = TurnKey::of(&piece(0, "", false));
        // A page that was open at the crash.
        let mut streams = Streams::default();
        streams.hear(&piece(0, "a long old text", false));
        streams.cut(&key);
        streams.cut(&key);
        assert_eq!(streams.text(&key).as_deref(), Some("a long old text"));
        assert!(!streams.has_hole(&key));
        streams.hear(&piece(0, "new", false));
        assert_eq!(streams.text(&key).as_deref(), Some("new"));
        // One that was opened after it, and is told late.
        let mut streams = Streams::default();
        assert!(streams.hear(&piece(0, "old", true)));
        assert!(!streams.hear(&piece(0, "old", true)));
        assert_eq!(streams.text(&key).as_deref(), Some("old"));
        streams.hear(&piece(0, "n", false));
        assert!(!streams.hear(&piece(0, "old", true)));
        assert_eq!(streams.text(&key).as_deref(), Some("n"));
    }

    #[test]
    fn turns_do_not_mix() {
        let task = TaskName::parse("plan").unwrap();
        let uuid = "01890a5d-ac96-774b-bcce-b302099a8057";
        let delta = |turn, text: &str| Delta {
            workflow_id: uuid.parse().unwrap(),
            run_id: uuid.parse().unwrap(),
            task: task.clone(),
            attempt: 1,
            turn,
            offset: 0,
            text: text.into(),
            cut: false,
        };
        let mut streams = Streams::default();
        assert!(streams.hear(&delta(1, "one")));
        assert!(streams.hear(&delta(2, "two")));
        assert!(!streams.hear(&delta(2, "two")));
        let first = TurnKey::of(&delta(1, ""));
        assert_eq!(streams.text(&first).as_deref(), Some("one"));
        streams.forget(&first);
        assert_eq!(streams.text(&first), None);
    }
}
