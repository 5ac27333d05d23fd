//! Any bytes, cut anywhere, against what the parser promises: it does not panic, it holds no more than its
//! limits allow, and where the bytes are cut changes neither what is read nor whether a limit is passed.
//! What it reads is held against a second reading of the whole, written the slow and plain way.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The limits of the product are not used here: these are near enough to be passed.
#[allow(dead_code)]
#[path = "../../src/llm/sse.rs"]
mod sse;

use sse::{Frame, Parser};

const MAX_LINE: usize = 64;
const MAX_EVENT: usize = 100;

fuzz_target!(|input: &[u8]| {
    // The first bytes say where the rest is cut.
    let Some((cuts, bytes)) = input.split_at_checked(4) else {
        return;
    };
    let whole = read([bytes]);
    assert_eq!(whole, plainly(bytes), "the plain reading differs");
    let mut places: Vec<usize> = cuts
        .iter()
        .map(|cut| usize::from(*cut).min(bytes.len()))
        .collect();
    places.sort_unstable();
    let mut from = 0;
    let pieces = places.into_iter().chain([bytes.len()]).map(|to| {
        let piece = &bytes[from..to];
        from = to;
        piece
    });
    assert_eq!(read(pieces), whole, "a cut made a difference");
    assert_eq!(
        read(bytes.chunks(1)),
        whole,
        "byte by byte it is another stream"
    );
});

/// All frames; `None` in the end where a limit was passed.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Option<Frame>> {
    let mut parser = Parser::with_limits(MAX_LINE, MAX_EVENT);
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
    frames.iter().flatten().for_each(bounded);
    frames
}

fn bounded(frame: &Frame) {
    // A broken byte becomes a character of three.
    match frame {
        Frame::Data { event, data } => {
            assert!(data.len() <= MAX_EVENT + 3 * MAX_LINE);
            assert!(
                event
                    .as_ref()
                    .is_none_or(|event| event.len() <= 3 * MAX_LINE)
            );
        }
        Frame::Stray(line) => assert!(line.len() <= 3 * MAX_LINE),
    }
}

/// The same from the words of the standard: lines first, then fields, then events.
fn plainly(bytes: &[u8]) -> Vec<Option<Frame>> {
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut at = 0;
    while at < bytes.len() {
        let newline = match &bytes[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
        if newline == 0 {
            lines.last_mut().expect("never empty").push(bytes[at]);
        } else {
            lines.push(Vec::new());
        }
        at += newline.max(1);
    }
    // The last one has no end; an empty one was never begun.
    let unfinished = lines.pop().filter(|line| !line.is_empty());
    let mut frames = Vec::new();
    let (mut event, mut data): (Option<String>, Option<String>) = (None, None);
    for (number, line) in lines.iter().chain(&unfinished).enumerate() {
        if line.len() > MAX_LINE {
            frames.push(None);
            return frames;
        }
        let text = String::from_utf8_lossy(line);
        let text = if number == 0 {
            text.trim_start_matches('\u{feff}')
        } else {
            &text
        };
        if text.is_empty() {
            end(&mut frames, &mut event, &mut data);
            continue;
        }
        let (name, value) = match text.find(':') {
            Some(colon) => (&text[..colon], &text[colon + 1..]),
            None => (text, ""),
        };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "" | "id" | "retry" => {}
            "event" => event = Some(value.to_owned()),
            "data" => match &mut data {
                None => data = Some(value.to_owned()),
                Some(known) if known.len() + value.len() >= MAX_EVENT => {
                    frames.push(None);
                    return frames;
                }
                Some(known) => *known = format!("{known}\n{value}"),
            },
            _ => frames.push(Some(Frame::Stray(text.to_owned()))),
        }
    }
    end(&mut frames, &mut event, &mut data);
    frames
}

fn end(frames: &mut Vec<Option<Frame>>, event: &mut Option<String>, data: &mut Option<String>) {
    let event = event.take();
    if let Some(data) = data.take()
        && !data.trim().is_empty()
    {
        frames.push(Some(Frame::Data { event, data }));
    }
}
