//! Who may knock, until people log in: requests that name this server as their host and, where they
//! change something or open a socket, do not come from a foreign page. `Host` is checked on every
//! request, because a foreign name that was made to point here (DNS rebinding) makes a foreign page
//! "same origin". Programs that are no browsers send no `Origin` and pass.
//!
//! Refused here: deciding what a person may do. That comes with the login.

use std::net::SocketAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{WebState, pages, problem::Problem};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Paths that answer under any name: whoever watches over this process may know it by another.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// Hosts and origins that are this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrance {
    loopback: Vec<Host>,
    public: Option<Origin>,
}

/// A text that is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin: write it like https://troupe.example or http://10.0.0.5:3000, without a path"
)]
pub struct BadOrigin(pub String);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    name: String,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    secure: bool,
    host: Host,
}

impl Entrance {
    /// The loopback names at the port that is listened on, and the origin that browsers use where
    /// it is another.
    pub fn new(bound: SocketAddr, public_url: Option<&str>) -> Result<Self, BadOrigin> {
        let mut names = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "[::1]".to_owned(),
        ];
        if bound.ip().is_loopback() {
            let own = if bound.is_ipv6() {
                format!("[{}]", bound.ip())
            } else {
                bound.ip().to_string()
            };
            if !names.contains(&own) {
                names.push(own);
            }
        }
        let loopback = names
            .into_iter()
            .map(|name| Host {
                name,
                port: bound.port(),
            })
            .collect();
        let public = public_url
            .map(|raw| {
                Origin::parse(raw.trim_end_matches('/')).ok_or_else(|| BadOrigin(raw.to_owned()))
            })
            .transpose()?;
        Ok(Self { loopback, public })
    }

    pub(super) fn is_host(&self, raw: &str) -> bool {
        let is = |host: &Host, secure| Host::parse(raw, secure).as_ref() == Some(host);
        self.loopback.iter().any(|host| is(host, false))
            || self
                .public
                .as_ref()
                .is_some_and(|public| is(&public.host, public.secure))
    }

    /// The public origin; or a loopback one that is also the host asked for: a page of another
    /// program on this machine is not ours, nor is one that calls us by another name.
    fn is_origin(&self, raw: &str, host: Option<&str>) -> bool {
        let Some(origin) = Origin::parse(raw) else {
            return false;
        };
        self.public.as_ref() == Some(&origin)
            || (!origin.secure
                && self.loopback.contains(&origin.host)
                && host.and_then(|host| Host::parse(host, false)).as_ref() == Some(&origin.host))
    }
}

impl Host {
    /// Reads `name` or `name:port`.
    fn parse(raw: &str, secure: bool) -> Option<Self> {
        let authority: Authority = raw.parse().ok()?;
        if raw.contains('@') || authority.host().is_empty() {
            return None;
        }
        // Read here, because `Authority::port` takes a number that is too large for none at all.
        let port = match raw.strip_prefix(authority.host())? {
            "" if secure => 443,
            "" => 80,
            rest => {
                let digits = rest.strip_prefix(':')?;
                if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                digits.parse().ok()?
            }
        };
        Some(Self {
            name: authority.host().to_ascii_lowercase(),
            port,
        })
    }
}

impl Origin {
    /// Reads `http://name:port` or `https://name:port`, with nothing behind.
    fn parse(raw: &str) -> Option<Self> {
        let (scheme, authority) = raw.split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        if authority.contains(['/', '?', '#']) {
            return None;
        }
        Host::parse(authority, secure).map(|host| Self { secure, host })
    }
}

/// Lets the request pass or answers it with a problem.
pub async fn guard(State(state): State<WebState>, request: Request, next: Next) -> Response {
    let entrance = &state.config.entrance;
    match check(entrance, request.method(), request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => refuse(request.uri().path(), problem),
    }
}

/// A refusal in the form that whoever asked can read: server functions answer otherwise than the API.
pub fn refuse(path: &str, problem: Problem) -> Response {
    if pages::is_server_function(path) {
        (problem.status(), axum::Json(problem.into_api_error())).into_response()
    } else {
        problem.into_response()
    }
}

fn check(
    entrance: &Entrance,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    if OPEN.contains(&uri.path()) {
        return Ok(());
    }
    let host = host(uri, headers)?;
    if !entrance.is_host(host) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "host_not_allowed",
            "This server does not answer under that name. Open it under the address that it printed at its start.",
        ));
    }
    let only_reads =
        *method == Method::GET || *method == Method::HEAD || *method == Method::OPTIONS;
    if only_reads && !headers.contains_key(header::UPGRADE) {
        return Ok(());
    }
    let foreign = |code: &str| {
        Problem::new(
            StatusCode::FORBIDDEN,
            code,
            "The request comes from a page of another site, so it was not carried out.",
        )
    };
    for origin in headers.get_all(header::ORIGIN) {
        if !origin
            .to_str()
            .is_ok_and(|origin| entrance.is_origin(origin, Some(host)))
        {
            return Err(foreign("origin_not_allowed"));
        }
    }
    for site in headers.get_all(SEC_FETCH_SITE) {
        if site != "same-origin" && site != "none" {
            return Err(foreign("cross_site"));
        }
    }
    Ok(())
}

/// The one host that the request names.
pub(super) fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a str, Problem> {
    let bad = || Problem::bad_request("bad_host", "The request must name exactly one host.");
    let mut named = headers.get_all(header::HOST).iter();
    let header = named
        .next()
        .map(|host| host.to_str().map_err(|_| bad()))
        .transpose()?;
    if named.next().is_some() {
        return Err(bad());
    }
    match (uri.authority().map(Authority::as_str), header) {
        (Some(host), None) | (None, Some(host)) => Ok(host),
        (Some(one), Some(other)) if one.eq_ignore_ascii_case(other) => Ok(one),
        (Some(_), Some(_)) | (None, None) => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entrance(public: Option<&str>) -> Entrance {
        Entrance::new("127.0.0.1:3000".parse().expect("an address"), public).expect("an entrance")
    }

    /// What becomes of a request, in a word.
    fn verdict(public: Option<&str>, line: &str) -> String {
        let mut words = line.split_whitespace();
        let method: Method = words.next().expect("a method").parse().expect("a method");
        let uri: Uri = words.next().expect("a path").parse().expect("a path");
        let mut headers = HeaderMap::new();
        for word in words {
            let (name, value) = word.split_once('=').expect("name=value");
            headers.append(
                name.parse::<HeaderName>().expect("a name"),
                value.parse().expect("a value"),
            );
        }
        match check(&entrance(public), &method, &uri, &headers) {
            Ok(()) => "pass".to_owned(),
            Err(problem) => problem.into_api_error().code,
        }
    }

    fn check_all(public: Option<&str>, cases: &[(&str, &str)]) {
        for (line, expected) in cases {
            assert_eq!(verdict(public, line), *expected, "{line}");
        }
    }

    #[test]
    fn the_host_must_be_ours_on_every_request() {
        check_all(
            None,
            &[
                ("GET / host=127.0.0.1:3000", "pass"),
                ("GET / host=localhost:3000", "pass"),
                ("GET / host=LOCALHOST:3000", "pass"),
                ("GET / host=[::1]:3000", "pass"),
                ("GET http://localhost:3000/ host=localhost:3000", "pass"),
                ("GET http://localhost:3000/", "pass"),
                ("GET / host=localhost", "host_not_allowed"),
                ("GET / host=localhost:3001", "host_not_allowed"),
                ("GET / host=localhost.:3000", "host_not_allowed"),
                ("GET / host=evil.example", "host_not_allowed"),
                ("GET / host=evil.example:3000", "host_not_allowed"),
                ("GET / host=127.0.0.1.evil.example:3000", "host_not_allowed"),
                ("GET / host=localhost:3000@evil.example", "host_not_allowed"),
                ("GET / host=evil@localhost:3000", "host_not_allowed"),
                ("GET / host=localhost:", "host_not_allowed"),
                ("GET / host=localhost:68536", "host_not_allowed"),
                ("GET / host=localhost:+3000", "host_not_allowed"),
                ("GET / host=localhost:03000x", "host_not_allowed"),
                ("GET / host=0.0.0.0:3000", "host_not_allowed"),
                ("GET / host=127.0.0.2:3000", "host_not_allowed"),
                ("GET http://evil.example/ host=localhost:3000", "bad_host"),
                ("GET /", "bad_host"),
                ("GET / host=localhost:3000 host=evil.example", "bad_host"),
                ("GET /healthz host=evil.example", "pass"),
                ("GET /readyz", "pass"),
                ("GET /metrics host=evil.example", "host_not_allowed"),
                (
                    "POST /api/v1/agents host=evil.example:3000 origin=http://evil.example:3000",
                    "host_not_allowed",
                ),
            ],
        );
    }

    #[test]
    fn whoever_changes_something_must_not_come_from_elsewhere() {
        check_all(
            None,
            &[
                ("POST / host=localhost:3000", "pass"),
                (
                    "POST / host=localhost:3000 origin=http://localhost:3000",
                    "pass",
                ),
                (
                    "POST / host=localhost:3000 origin=http://localhost:3000 sec-fetch-site=same-origin",
                    "pass",
                ),
                ("POST / host=localhost:3000 sec-fetch-site=none", "pass"),
                (
                    "POST / host=127.0.0.1:3000 origin=http://localhost:3000",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=localhost:3000 origin=https://localhost:3000",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=localhost:3000 origin=http://localhost:3001",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=localhost:3000 origin=http://localhost:3000/",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=localhost:3000 origin=http://localhost:3000.evil.example",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=localhost:3000 origin=null",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=localhost:3000 origin=file://",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=localhost:3000 origin=http://evil.example",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=localhost:3000 origin=http://localhost:3000 origin=http://evil.example",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=localhost:3000 origin=http://localhost:3000 sec-fetch-site=cross-site",
                    "cross_site",
                ),
                (
                    "POST / host=localhost:3000 sec-fetch-site=same-site",
                    "cross_site",
                ),
                (
                    "PUT / host=localhost:3000 origin=http://evil.example",
                    "origin_not_allowed",
                ),
                (
                    "DELETE / host=localhost:3000 sec-fetch-site=cross-site",
                    "cross_site",
                ),
                (
                    "PATCH / host=localhost:3000 origin=null",
                    "origin_not_allowed",
                ),
            ],
        );
    }

    #[test]
    fn reading_is_harmless_but_sockets_are_not_reading() {
        check_all(
            None,
            &[
                (
                    "GET /runs host=localhost:3000 origin=http://evil.example sec-fetch-site=cross-site",
                    "pass",
                ),
                (
                    "HEAD /runs host=localhost:3000 sec-fetch-site=cross-site",
                    "pass",
                ),
                (
                    "GET /ws/events host=localhost:3000 upgrade=websocket",
                    "pass",
                ),
                (
                    "GET /ws/events host=localhost:3000 upgrade=websocket origin=http://localhost:3000",
                    "pass",
                ),
                (
                    "GET /ws/events host=localhost:3000 upgrade=websocket origin=http://evil.example",
                    "origin_not_allowed",
                ),
                (
                    "GET /ws/events host=localhost:3000 upgrade=websocket origin=http://127.0.0.1:3000",
                    "origin_not_allowed",
                ),
                (
                    "GET /ws/events host=localhost:3000 upgrade=websocket origin=null",
                    "origin_not_allowed",
                ),
                (
                    "GET /ws/events host=localhost:3000 upgrade=websocket sec-fetch-site=cross-site",
                    "cross_site",
                ),
                (
                    "GET /ws/events host=evil.example upgrade=websocket",
                    "host_not_allowed",
                ),
                (
                    "CONNECT http://localhost:3000/ws/events origin=http://evil.example",
                    "origin_not_allowed",
                ),
            ],
        );
    }

    #[test]
    fn a_public_address_is_one_more_door() {
        let public = Some("https://Troupe.example/");
        check_all(
            public,
            &[
                ("GET / host=troupe.example", "pass"),
                ("GET / host=troupe.example:443", "pass"),
                ("GET / host=localhost:3000", "pass"),
                ("GET / host=troupe.example:80", "host_not_allowed"),
                ("GET / host=troupe.example:3000", "host_not_allowed"),
                (
                    "POST / host=troupe.example origin=https://troupe.example",
                    "pass",
                ),
                (
                    "POST / host=127.0.0.1:3000 origin=https://troupe.example",
                    "pass",
                ),
                (
                    "POST / host=troupe.example origin=http://troupe.example",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=troupe.example origin=http://localhost:3000",
                    "origin_not_allowed",
                ),
                (
                    "POST / host=troupe.example origin=https://sub.troupe.example",
                    "origin_not_allowed",
                ),
            ],
        );
    }

    #[test]
    fn what_is_no_origin_is_no_public_address() {
        let bound = "127.0.0.1:3000".parse().expect("an address");
        for raw in [
            "troupe.example",
            "ftp://troupe.example",
            "https://",
            "https://a/b",
            "https://a@b",
            "https://a:99999",
            "",
        ] {
            assert_eq!(
                Entrance::new(bound, Some(raw)),
                Err(BadOrigin(raw.to_owned())),
                "{raw}"
            );
        }
    }
}
