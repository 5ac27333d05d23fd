//! Reads the body of a response as it arrives: an event stream, or one JSON answer where a server does
//! not stream. Which of the two is decided by the first byte, since headers are often wrong. Three
//! limits hold: silence, the whole time, and size.

use std::{collections::VecDeque, pin::Pin, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, stream};
use serde_json::Value;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::{
    ApiKey, Chunk, ChunkStream, LlmError, Patience,
    failure::{self, Hints},
    raw,
    sse::{Frame, Parser, TooLarge},
    wire::{
        Piece,
        collect::{Collector, MAX_ANSWER_BYTES},
    },
};

/// The most of a foreign text that is kept for its error.
const MAX_FOREIGN_BYTES: usize = 8 * 1024;
/// Names of fields in an event stream.
const FIELDS: [&str; 4] = ["data", "event", "id", "retry"];

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// The longest silence. Any byte ends it, a comment too.
    pub idle: Duration,
    /// When the whole answer must be there.
    pub total: Instant,
    /// The whole time allowed, for the error text.
    pub total_ms: u64,
}

impl Deadlines {
    /// Waits for `future`, at most until the nearer of the two limits.
    pub async fn hold<F: Future>(&self, provider: &str, future: F) -> Result<F::Output, LlmError> {
        let (at, waited_for) = self.next();
        let held = timeout_at(at, future).await;
        held.map_err(|_| self.over(provider, waited_for))
    }

    /// When patience ends with who is silent from now on, and which one it is.
    fn next(&self) -> (Instant, Patience) {
        let silent_at = Instant::now() + self.idle;
        if silent_at < self.total {
            (silent_at, Patience::Idle)
        } else {
            (self.total, Patience::Total)
        }
    }

    fn over(&self, provider: &str, waited_for: Patience) -> LlmError {
        let after_ms = match waited_for {
            Patience::Idle => u64::try_from(self.idle.as_millis()).unwrap_or(u64::MAX),
            Patience::Connect | Patience::Total => self.total_ms,
        };
        LlmError::TimedOut {
            provider: provider.to_owned(),
            waited_for,
            after_ms,
        }
    }
}

/// The chunks in `body`. The error of a body is the network's words for it.
pub fn chunks<B>(body: B, collector: Collector, deadlines: Deadlines, hints: Hints) -> ChunkStream
where
    B: Stream<Item = Result<Bytes, String>> + Send + Unpin + 'static,
{
    let reader = Reader {
        tail: Vec::new(),
        key: collector.asked().key.clone(),
        body,
        deadlines,
        patience: Box::pin(sleep_until(deadlines.total)),
        collector: Some(collector),
        form: Form::Unknown { mark: 0 },
        sink: Sink {
            seen: VecDeque::new(),
            answers: false,
            foreign: None,
            hints,
        },
    };
    stream::unfold(Stage::Reading(Box::new(reader)), |stage| async {
        let mut reader = match stage {
            Stage::Reading(reader) => reader,
            Stage::Failing(error) => return Some((Err(*error), Stage::Over)),
            Stage::Over => return None,
        };
        match reader.next().await {
            Ok(
                more @ (Chunk::Began(_)
                | Chunk::Text(_)
                | Chunk::Reasoning(_)
                | Chunk::Calling
                | Chunk::Raw(_)),
            ) => Some((Ok(more), Stage::Reading(reader))),
            Ok(answer @ Chunk::Finished(_)) => Some((Ok(answer), Stage::Over)),
            // Who waited in vain knows what was sent: nothing, or comments.
            Err(error @ LlmError::TimedOut { .. }) => Some((Err(error), Stage::Over)),
            Err(error) => {
                cut(&mut reader.tail);
                match raw::kept(&reader.tail, reader.key.as_ref()) {
                    Some(said) => Some((Ok(Chunk::Raw(said)), Stage::Failing(Box::new(error)))),
                    None => Some((Err(error), Stage::Over)),
                }
            }
        }
    })
    .boxed()
}

/// Where the reading stands.
enum Stage<B> {
    Reading(Box<Reader<B>>),
    /// What was sent has been told; what it means comes next.
    Failing(Box<LlmError>),
    Over,
}

struct Reader<B> {
    /// The end of what came, or the beginning where that is no stream of events: for people who want
    /// to see what an error was made of.
    tail: Vec<u8>,
    key: Option<ApiKey>,
    body: B,
    deadlines: Deadlines,
    /// One timer for the whole body: a new one for each read would cost more than the read.
    patience: Pin<Box<Sleep>>,
    /// Gone once the answer is finished.
    collector: Option<Collector>,
    form: Form,
    sink: Sink,
}

struct Sink {
    /// Understood and not handed out yet.
    seen: VecDeque<Chunk>,
    /// Whether anything in the body belongs to an answer. Where nothing does, its sender is no model
    /// server.
    answers: bool,
    /// The first thing that does not.
    foreign: Option<String>,
    /// What the headers said, for errors that come later.
    hints: Hints,
}

/// What says that UTF-8 follows.
const MARK: &[u8] = "\u{feff}".as_bytes();

enum Form {
    /// Nothing but blanks so far, and so many bytes of the mark that some put before everything.
    Unknown {
        mark: usize,
    },
    Events(Parser),
    Whole(Vec<u8>),
}

/// What is known after some bytes.
enum Progress {
    More,
    /// The stream said that it is done.
    Done,
}

impl<B: Stream<Item = Result<Bytes, String>> + Unpin> Reader<B> {
    async fn next(&mut self) -> Result<Chunk, LlmError> {
        loop {
            if let Some(chunk) = self.sink.seen.pop_front() {
                return Ok(chunk);
            }
            let Some(collector) = &mut self.collector else {
                // Only reached when somebody polls past the end.
                return Err(LlmError::Cancelled);
            };
            let (at, waited_for) = self.deadlines.next();
            self.patience.as_mut().reset(at);
            let read = tokio::select! {
                biased;
                read = self.body.next() => read,
                () = self.patience.as_mut() => {
                    return Err(self.deadlines.over(&collector.asked().provider, waited_for));
                }
            };
            let progress = match read {
                Some(Ok(bytes)) => {
                    keep(&mut self.tail, &bytes, matches!(self.form, Form::Whole(_)));
                    self.form.take(&bytes, collector, &mut self.sink)?
                }
                Some(Err(detail)) if collector.saw_finish() => {
                    tracing::debug!(
                        provider = collector.asked().provider,
                        detail,
                        "connection lost behind the end of an answer"
                    );
                    Progress::Done
                }
                Some(Err(detail)) => return Err(collector.cut_off(&detail)),
                None => self.form.close(collector, &mut self.sink)?,
            };
            match progress {
                Progress::More => {}
                Progress::Done => {
                    // The end of the body is often here already; seeing it lets the connection be used again.
                    let _ = self.body.next().now_or_never();
                    if let Some(collector) = self.collector.take() {
                        self.sink
                            .seen
                            .push_back(Chunk::Finished(Box::new(collector.finish()?)));
                    }
                }
            }
        }
    }
}

/// Of a web page or a single JSON text the beginning says most, of a stream the end.
fn keep(tail: &mut Vec<u8>, bytes: &[u8], beginning: bool) {
    let most = raw::MAX_RAW_BYTES;
    if beginning {
        let room = most.saturating_sub(tail.len());
        tail.extend_from_slice(&bytes[..bytes.len().min(room)]);
        return;
    }
    tail.extend_from_slice(&bytes[bytes.len().saturating_sub(most)..]);
    // Not with each read: what stays is moved.
    if tail.len() > 2 * most {
        cut(tail);
    }
}

/// Leaves the end of what came, as much as is kept.
fn cut(tail: &mut Vec<u8>) {
    tail.drain(..tail.len().saturating_sub(raw::MAX_RAW_BYTES));
}

impl Form {
    fn take(
        &mut self,
        bytes: &[u8],
        collector: &mut Collector,
        sink: &mut Sink,
    ) -> Result<Progress, LlmError> {
        let mut bytes = bytes;
        if let Form::Unknown { mark } = self {
            while let (Some(first), Some(wanted)) = (bytes.first(), MARK.get(*mark))
                && first == wanted
            {
                bytes = &bytes[1..];
                *mark += 1;
            }
            bytes = bytes.trim_ascii_start();
            match bytes.first() {
                None => return Ok(Progress::More),
                // A web page is read to its end as well, for the error to show.
                Some(b'{' | b'[' | b'<') => *self = Form::Whole(Vec::new()),
                Some(_) => *self = Form::Events(Parser::default()),
            }
        }
        match self {
            Form::Unknown { .. } => Ok(Progress::More),
            Form::Whole(whole) => {
                whole.extend_from_slice(bytes);
                if whole.len() > MAX_ANSWER_BYTES {
                    Err(too_much(collector))
                } else {
                    Ok(Progress::More)
                }
            }
            Form::Events(parser) => {
                parser.push(bytes).map_err(|TooLarge| too_much(collector))?;
                drain(parser, collector, sink, false)
            }
        }
    }

    /// The body is at its end. Only an end that makes sense is `Done`.
    fn close(&mut self, collector: &mut Collector, sink: &mut Sink) -> Result<Progress, LlmError> {
        match self {
            Form::Unknown { .. } => {
                Err(collector.cut_off("the connection ended before the first word"))
            }
            Form::Whole(whole) => {
                // What follows the first value is nobody's: an error that is sent bare may have the end
                // mark of a stream behind it.
                let mut values = serde_json::Deserializer::from_slice(whole).into_iter::<Value>();
                let value = match values.next() {
                    Some(Ok(value)) => value,
                    Some(Err(_)) | None => {
                        return Err(garbled(collector, &String::from_utf8_lossy(whole)));
                    }
                };
                take_value(&value, collector, sink)?;
                match sink.foreign.take() {
                    Some(text) => Err(garbled(collector, &text)),
                    None => Ok(Progress::Done),
                }
            }
            Form::Events(parser) => {
                parser.close().map_err(|TooLarge| too_much(collector))?;
                match drain(parser, collector, sink, true)? {
                    Progress::Done => Ok(Progress::Done),
                    Progress::More if collector.saw_finish() => Ok(Progress::Done),
                    Progress::More => Err(match sink.foreign.take() {
                        Some(text) if !sink.answers => garbled(collector, &text),
                        Some(_) | None => collector.cut_off("the connection ended in the middle"),
                    }),
                }
            }
        }
    }
}

fn drain(
    parser: &mut Parser,
    collector: &mut Collector,
    sink: &mut Sink,
    at_end: bool,
) -> Result<Progress, LlmError> {
    while let Some(frame) = parser.pop() {
        match frame {
            Frame::Data { data, .. } if data.trim() == "[DONE]" => return Ok(Progress::Done),
            Frame::Data { event, data } => match serde_json::from_str::<Value>(&data) {
                Ok(value) if event.as_deref() == Some("error") => {
                    let complaint = failure::complaint_in(&value).unwrap_or(&value);
                    return Err(complain(collector, complaint, sink.hints));
                }
                Ok(value) => take_value(&value, collector, sink)?,
                // Half an event is what a cut connection leaves behind.
                Err(_) if at_end && collector.saw_finish() => return Ok(Progress::Done),
                Err(_) if at_end => {
                    return Err(collector.cut_off("the connection ended in the middle"));
                }
                Err(_) => return Err(garbled(collector, &data)),
            },
            Frame::Stray(line) => take_stray(&line, collector, sink)?,
        }
    }
    Ok(Progress::More)
}

/// Errors come before everything else that a chunk may say.
fn take_value(value: &Value, collector: &mut Collector, sink: &mut Sink) -> Result<(), LlmError> {
    if let Some(complaint) = failure::complaint_in(value) {
        return Err(complain(collector, complaint, sink.hints));
    }
    let answers = value.get("choices").is_some() || value.get("usage").is_some();
    match answers {
        true => sink.answers = true,
        false => sink.meet(&value.to_string()),
    }
    sink.seen.extend(collector.take(Piece::read(value))?);
    Ok(())
}

impl Sink {
    /// Keeps the beginning of the first thing that is no part of an answer.
    fn meet(&mut self, text: &str) {
        let beginning = &text[..text.floor_char_boundary(MAX_FOREIGN_BYTES)];
        self.foreign.get_or_insert_with(|| beginning.to_owned());
    }
}

/// Some servers put an error between the events: as bare JSON, or as a field called `error`.
fn take_stray(line: &str, collector: &Collector, sink: &mut Sink) -> Result<(), LlmError> {
    let json = line.strip_prefix("error:").unwrap_or(line);
    match serde_json::from_str::<Value>(json) {
        Ok(value) => match failure::complaint_in(&value) {
            Some(complaint) => Err(complain(collector, complaint, sink.hints)),
            None if json.len() < line.len() => Err(complain(collector, &value, sink.hints)),
            None => {
                sink.meet(line);
                Ok(())
            }
        },
        Err(_) => {
            // Half the name of a field is what a cut connection leaves behind.
            if !FIELDS.iter().any(|field| field.starts_with(line)) {
                sink.meet(line);
            }
            Ok(())
        }
    }
}

fn complain(collector: &Collector, complaint: &Value, hints: Hints) -> LlmError {
    failure::of_complaint(collector.asked(), None, complaint, hints)
}

fn garbled(collector: &Collector, text: &str) -> LlmError {
    let asked = collector.asked();
    LlmError::Garbled {
        provider: asked.provider.clone(),
        detail: asked.detail_of_body(text),
    }
}

fn too_much(collector: &Collector) -> LlmError {
    let provider = collector.asked().provider.clone();
    LlmError::TooMuch {
        provider,
        limit_mib: MAX_ANSWER_BYTES / 1024 / 1024,
    }
}

#[cfg(test)]
mod tests;
