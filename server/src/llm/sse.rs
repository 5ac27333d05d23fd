//! Server-sent events, read as they arrive. Takes bytes cut anywhere (inside a line end, inside a
//! character) and gives back what was sent. Refuses only size: a line or an event without end.

use std::collections::VecDeque;

/// Longest line. A whole tool call may come in one.
pub const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;
/// Longest event, all of its data lines together.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// What stood in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// An event.
    Data {
        /// Its name, where it has one.
        event: Option<String>,
        /// Its data lines, joined by line feeds.
        data: String,
    },
    /// A line that is no part of an event. Some servers report errors like this.
    Stray(String),
}

/// A line or an event passed its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// The bytes so far.
#[derive(Debug)]
pub struct Parser {
    max_line_bytes: usize,
    max_event_bytes: usize,
    line: Vec<u8>,
    last_was_cr: bool,
    past_first_line: bool,
    event: Option<String>,
    data: Option<String>,
    ready: VecDeque<Frame>,
}

impl Default for Parser {
    fn default() -> Self {
        Self::with_limits(MAX_LINE_BYTES, MAX_EVENT_BYTES)
    }
}

impl Parser {
    /// A parser that holds no more than one line and one event of these lengths.
    pub fn with_limits(max_line_bytes: usize, max_event_bytes: usize) -> Self {
        Self {
            max_line_bytes,
            max_event_bytes,
            line: Vec::new(),
            last_was_cr: false,
            past_first_line: false,
            event: None,
            data: None,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        if self.last_was_cr && !bytes.is_empty() {
            self.last_was_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            if self.line.is_empty() {
                // Most lines come whole, and need not be kept.
                self.take_line(&bytes[..end])?;
            } else {
                self.extend_line(&bytes[..end])?;
                let line = std::mem::take(&mut self.line);
                self.take_line(&line)?;
            }
            let was_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if was_cr {
                self.last_was_cr = bytes.is_empty();
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
        }
        self.extend_line(bytes)
    }

    /// The next thing that is complete.
    pub fn pop(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    /// Nothing more will come: what stands unfinished counts as finished, because many servers
    /// forget the last empty line.
    pub fn close(&mut self) -> Result<(), TooLarge> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line)?;
        }
        self.end_event();
        Ok(())
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.line.len() + bytes.len() > self.max_line_bytes {
            return Err(TooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn take_line(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if bytes.len() > self.max_line_bytes {
            return Err(TooLarge);
        }
        let text = String::from_utf8_lossy(bytes);
        let line = if self.past_first_line {
            &text
        } else {
            text.trim_start_matches('\u{feff}')
        };
        self.past_first_line = true;
        if line.is_empty() {
            self.end_event();
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" | "id" | "retry" => {}
            "event" => self.event = Some(value.to_owned()),
            "data" => return self.extend_data(value),
            _ => self.ready.push_back(Frame::Stray(line.to_owned())),
        }
        Ok(())
    }

    fn extend_data(&mut self, value: &str) -> Result<(), TooLarge> {
        match &mut self.data {
            Some(data) if data.len() + value.len() >= self.max_event_bytes => return Err(TooLarge),
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            None => self.data = Some(value.to_owned()),
        }
        Ok(())
    }

    fn end_event(&mut self) {
        let event = self.event.take();
        if let Some(data) = self.data.take()
            && !data.trim().is_empty()
        {
            self.ready.push_back(Frame::Data { event, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All that is in `pieces`; `None` in the end where a limit was passed.
    fn read_within(mut parser: Parser, pieces: &[&[u8]]) -> Vec<Option<Frame>> {
        let mut frames = Vec::new();
        for piece in pieces {
            let pushed = parser.push(piece);
            frames.extend(std::iter::from_fn(|| parser.pop()).map(Some));
            if pushed.is_err() {
                frames.push(None);
                return frames;
            }
        }
        let closed = parser.close();
        frames.extend(std::iter::from_fn(|| parser.pop()).map(Some));
        frames.extend(closed.is_err().then_some(None));
        frames
    }

    fn read(pieces: &[&[u8]]) -> Vec<Frame> {
        let mut parser = Parser::default();
        let mut frames = Vec::new();
        for piece in pieces {
            parser.push(piece).expect("within the limits");
            frames.extend(std::iter::from_fn(|| parser.pop()));
        }
        parser.close().expect("within the limits");
        frames.extend(std::iter::from_fn(|| parser.pop()));
        frames
    }

    fn data(text: &str) -> Frame {
        Frame::Data {
            event: None,
            data: text.to_owned(),
        }
    }

    #[track_caller]
    fn check(input: &str, frames: &[Frame]) {
        assert_eq!(read(&[input.as_bytes()]), frames, "{input:?}");
    }

    #[test]
    fn every_line_end_is_a_line_end() {
        for end in ["\n", "\r\n", "\r"] {
            check(
                &format!("data: a{end}{end}data:b{end}{end}"),
                &[data("a"), data("b")],
            );
        }
    }

    #[test]
    fn comments_ids_and_empty_events_say_nothing() {
        check(
            ": WAIT\n\n: WAIT\nid: 7\nretry: 5\ndata\n\ndata:\n\ndata: x\n\n",
            &[data("x")],
        );
    }

    #[test]
    fn data_lines_are_joined() {
        check("data: {\ndata:  \"a\": 1}\n\n", &[data("{\n \"a\": 1}")]);
    }

    #[test]
    fn events_have_names() {
        check(
            "event: error\ndata: no\n\ndata: yes\n\n",
            &[
                Frame::Data {
                    event: Some("error".into()),
                    data: "no".into(),
                },
                data("yes"),
            ],
        );
    }

    #[test]
    fn the_last_empty_line_may_be_missing() {
        check("data: a\n\ndata: [DONE]", &[data("a"), data("[DONE]")]);
        check("data: a\n", &[data("a")]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        check("\u{feff}data: a\n\n", &[data("a")]);
    }

    #[test]
    fn lines_that_are_no_event_are_handed_on() {
        check("{\"error\":{}}\n", &[Frame::Stray("{\"error\":{}}".into())]);
        check("error: {}\n\n", &[Frame::Stray("error: {}".into())]);
    }

    #[test]
    fn broken_characters_are_replaced() {
        assert_eq!(read(&[b"data: \xff\xfe!\n\n"]), [data("\u{fffd}\u{fffd}!")]);
    }

    #[test]
    fn lines_and_events_have_a_limit() {
        let mut parser = Parser::default();
        let mebibyte = vec![b'x'; 1024 * 1024];
        for _ in 0..4 {
            assert_eq!(parser.push(&mebibyte), Ok(()));
        }
        assert_eq!(parser.push(b"x"), Err(TooLarge));

        let mut parser = Parser::default();
        let line = [b"data: ".as_slice(), &mebibyte, b"\n"].concat();
        for _ in 0..7 {
            assert_eq!(parser.push(&line), Ok(()));
        }
        assert_eq!(parser.push(&line), Err(TooLarge));
    }

    const SAMPLE: &str = "\u{feff}: hold the line\r\n\r\ndata: grüße 🎭\r\ndata: zwei\r\rdata:{\"a\":\"b\"}\n\nevent: e\ndata: x\n\n{stray}\ndata: [DONE]";

    #[test]
    fn a_cut_at_any_two_places_changes_nothing() {
        let whole = read(&[SAMPLE.as_bytes()]);
        let bytes = SAMPLE.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(read(&pieces), whole, "cut at {first} and {second}");
            }
        }
    }

    /// Numbers that look like chance and are the same each time.
    fn next(state: &mut u64) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        usize::try_from(*state >> 16).unwrap_or(0)
    }

    /// Throws wild streams at the parser: a thousand, or as many as `TROUPE_FUZZ_SECONDS` allows. It
    /// never panics, holds no more than was sent, and reads the same however the bytes are cut.
    #[test]
    fn wild_streams_are_survived() {
        const PARTS: [&[u8]; 18] = [
            b"data:",
            b"data: ",
            b"event: error",
            b"id: 1",
            b": hold",
            b"retry: 3",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"[DONE]",
            b"{\"choices\":[]}",
            b"{\"error\":",
            b"\xef\xbb\xbf",
            b"\xf0\x9f",
            b"\x00",
            b"error: {}",
            b"\xff",
        ];
        let seconds = std::env::var("TROUPE_FUZZ_SECONDS").ok();
        let seconds: Option<u64> = seconds.and_then(|raw| raw.parse().ok());
        let end = seconds.map(|s| tokio::time::Instant::now() + std::time::Duration::from_secs(s));
        let mut state = 0x9e37_79b9_7f4a_7c15;
        let mut rounds = 0;
        while end.map_or(rounds < 1_000, |end| tokio::time::Instant::now() < end) {
            rounds += 1;
            let mut bytes = Vec::new();
            for _ in 0..next(&mut state) % 60 {
                bytes.extend_from_slice(PARTS[next(&mut state) % PARTS.len()]);
            }
            let mut pieces: Vec<&[u8]> = Vec::new();
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(1 + next(&mut state) % rest.len());
                pieces.push(piece);
                rest = behind;
            }
            let whole = read(&[&bytes]);
            assert_eq!(read(&pieces), whole, "{bytes:?}");
            let held: usize = whole
                .iter()
                .map(|frame| match frame {
                    Frame::Data { event, data } => {
                        data.len() + event.as_ref().map_or(0, String::len)
                    }
                    Frame::Stray(line) => line.len(),
                })
                .sum();
            // A broken byte becomes a character of three.
            assert!(held <= 3 * bytes.len(), "{bytes:?}");
        }
    }

    proptest! {
        /// With limits so near that they are passed often: it never holds more, and where the bytes are
        /// cut makes no difference to what is read, nor to whether a limit is passed.
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_within_the_limits(
            parts in prop::collection::vec(prop_oneof![
                2 => prop::sample::select(vec!["\n", "\r", "\r\n", "\n\n"]).prop_map(|end| end.as_bytes().to_vec()),
                2 => prop::sample::select(vec!["data:", "data: x", "event: e", ":", "é", "\u{feff}", "error: {}"])
                    .prop_map(|text| text.as_bytes().to_vec()),
                1 => prop::collection::vec(any::<u8>(), 0..30),
            ], 0..40),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            const MAX_LINE: usize = 24;
            const MAX_EVENT: usize = 40;
            let bytes = parts.concat();
            let parser = || Parser::with_limits(MAX_LINE, MAX_EVENT);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            let whole = read_within(parser(), &[&bytes]);
            prop_assert_eq!(&read_within(parser(), &pieces), &whole);
            for frame in whole.into_iter().flatten() {
                // A broken byte becomes a character of three.
                let (held, most) = match frame {
                    Frame::Data { event, data } => {
                        (data.len() + event.map_or(0, |event| event.len()), MAX_EVENT + 4 * MAX_LINE)
                    }
                    Frame::Stray(line) => (line.len(), 3 * MAX_LINE),
                };
                prop_assert!(held <= most, "{held} bytes");
            }
            let mut parser = parser();
            for piece in &pieces {
                if parser.push(piece).is_err() {
                    break;
                }
                while parser.pop().is_some() {}
                let held = parser.line.len() + parser.data.as_ref().map_or(0, String::len);
                prop_assert!(held <= MAX_EVENT + 4 * MAX_LINE, "{held} bytes");
            }
        }
    }
}
