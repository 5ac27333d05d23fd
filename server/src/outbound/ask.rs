//! The request that goes over the wire: read from what the workflow says, changed by each redirect. Refuses
//! what cannot be sent before anything is sent, and redirects that would uncover what was encrypted.

use bytes::Bytes;
use reqwest::{
    Method, Response, StatusCode,
    header::{HeaderMap, LOCATION},
};

use super::{Limits, Request, Wants, error::OutboundError, excerpt, headers, target::Target};

/// A request that may be sent, once the guard has looked at its target.
pub struct Ask {
    /// Where to.
    pub target: Target,
    /// How.
    pub method: Method,
    /// Checked, and complete but for host and length.
    pub headers: HeaderMap,
    /// `None` sends no body at all.
    pub body: Option<Bytes>,
    /// How the answer is read.
    pub wants: Wants,
}

impl Ask {
    /// Reads a request.
    pub fn check(request: Request, limits: &Limits) -> Result<Self, OutboundError> {
        let method = method(&request.method)?;
        let target = Target::parse(&request.url)?;
        let body = request.body.filter(|body| !body.is_empty());
        let bytes = body.as_ref().map_or(0, String::len);
        if bytes > limits.body_bytes {
            return Err(OutboundError::BodyTooLarge {
                bytes,
                limit: limits.body_bytes,
            });
        }
        let headers = headers::read(
            &request.headers,
            body.as_deref(),
            request.wants,
            &request.idempotency_key,
        )?;
        Ok(Self {
            target,
            method,
            headers,
            body: body.map(Bytes::from),
            wants: request.wants,
        })
    }

    /// The request that `location` asks for.
    pub fn redirected(mut self, status: StatusCode, location: &str) -> Result<Self, OutboundError> {
        let target = self.target.join(location)?;
        if self.target.is_secure() && !target.is_secure() {
            return Err(OutboundError::BadRedirect {
                origin: self.target.origin(),
                rule: "it leads from https to http, where everybody on the way can read along"
                    .to_owned(),
            });
        }
        let keeps_all = matches!(
            status,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
        );
        if !keeps_all {
            if self.method != Method::HEAD {
                self.method = Method::GET;
            }
            self.body = None;
            headers::drop_content(&mut self.headers);
        }
        if target.origin() != self.target.origin() {
            headers::drop_secrets(&mut self.headers);
        }
        self.target = target;
        Ok(self)
    }
}

/// Where a response sends the request on to; `None` for every other response.
pub fn location(response: &Response) -> Option<String> {
    let moves = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = response.headers().get(LOCATION).filter(|_| moves)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

fn method(raw: &str) -> Result<Method, OutboundError> {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    let wanted = raw.trim_matches(' ');
    known
        .into_iter()
        .find(|method| method.as_str().eq_ignore_ascii_case(wanted))
        .ok_or_else(|| OutboundError::BadMethod {
            method: excerpt::clean(raw, 20),
        })
}
