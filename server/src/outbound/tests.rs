//! Against a server of bare TCP, because what matters is where bytes are cut and connections end.

mod answers;
mod redirects;
mod server;
mod time;

use domain::time::Timestamp;

use self::server::{Act, Server};
use super::*;

/// It is always 2026-01-01T00:00:00Z: a date in a header is counted from there to the millisecond.
struct NewYear;

impl Clock for NewYear {
    fn now(&self) -> Timestamp {
        Timestamp(1_767_225_600_000)
    }
}

/// May call 127.0.0.2 and 127.0.0.3, and no other part of this machine.
fn outbound(names: FixedResolver, limits: Limits) -> Outbound {
    let allowed = "127.0.0.2, 127.0.0.3".parse().expect("a list");
    let guard = Guard::new(Arc::new(names), allowed);
    Outbound::new(guard, limits, Arc::new(NewYear))
}

fn small() -> Limits {
    Limits {
        answer_bytes: 1_000,
        body_bytes: 1_000,
        ..Limits::default()
    }
}

fn get(url: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: None,
        wants: Wants::Text,
        idempotency_key: "run-1:fetch:1".to_owned(),
        total_ms: None,
    }
}

fn post(url: &str, body: &str, headers: &[(&str, &str)]) -> Request {
    Request {
        method: "post".to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: Some(body.to_owned()),
        ..get(url)
    }
}

async fn ask(request: Request) -> Result<Answer, TaskError> {
    let outbound = outbound(FixedResolver::default(), small());
    outbound.request(request, CancellationToken::new()).await
}

/// The answer or the error in one line.
fn told(result: &Result<Answer, TaskError>) -> String {
    match result {
        Ok(answer) => format!("{} {}", answer.status, answer.body),
        Err(error) => {
            let passes = if error.retryable {
                "passing"
            } else {
                "lasting"
            };
            let after = error
                .retry_after_ms
                .map_or(String::new(), |ms| format!(" after {ms} ms"));
            format!("{passes} {}{after}: {}", error.code, error.message)
        }
    }
}
