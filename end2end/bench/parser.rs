//! How fast an event stream is read: the parser's own source, compiled alone, over a stream as OpenRouter sends it,
//! in pieces of 16 KiB. Prints megabytes a second, the median of 15 rounds.

use std::time::Instant;

#[allow(dead_code)]
#[path = "../../server/src/llm/sse.rs"]
mod sse;

const PIECE: usize = 16 * 1024;
const ROUNDS: usize = 15;

fn main() {
    let chunk = concat!(
        ": OPENROUTER PROCESSING\n\n",
        r#"data: {"id":"gen-1790000001-AbCdEfGhIjKlMnOpQrSt","object":"chat.completion.chunk","created":1790000001,"#,
        r#""model":"acme/echo-2-20260101","provider":"Acme","system_fingerprint":null,"choices":[{"index":0,"delta":"#,
        r#"{"role":"assistant","content":"Grüße "},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}"#,
        "\n\n"
    );
    let bytes = chunk.repeat(64 * 1024 * 1024 / chunk.len());
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            let mut parser = sse::Parser::default();
            let mut events = 0;
            for piece in bytes.as_bytes().chunks(PIECE) {
                parser.push(piece).expect("within the limits");
                while let Some(frame) = parser.pop() {
                    events += usize::from(matches!(std::hint::black_box(frame), sse::Frame::Data { .. }));
                }
            }
            assert_eq!(events, bytes.len() / chunk.len());
            bytes.len() as f64 / 1e6 / began.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!("{:.0}", rates[ROUNDS / 2]);
}
