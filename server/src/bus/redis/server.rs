//! Where Redis is and what is kept there. Refused here: showing the password to anyone.

use std::fmt;

use redis::{Client, IntoConnectionInfo, io::tcp::TcpSettings};

/// The stream of all events, behind the prefix.
const STREAM: &str = "events";

/// A key that never holds anything: writing nothing to it tells whether Redis takes writes.
const PROBE: &str = "events:probe";

/// A Redis server, and the part of it that is ours.
#[derive(Clone)]
pub struct Server {
    client: Client,
    at: String,
    prefix: String,
    max_len: u64,
}

/// The text is no address of a Redis server. It is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "REDIS_URL cannot be understood: write redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], rediss:// for TLS, or unix:///PATH"
)]
pub struct BadUrl;

impl Server {
    /// Reads the address. `prefix` goes before every key and channel; the stream keeps about
    /// `max_len` events.
    pub fn parse(url: &str, prefix: &str, max_len: u64) -> Result<Self, BadUrl> {
        let info = url.trim().into_connection_info().map_err(|_| BadUrl)?;
        let at = info.addr().to_string();
        // One request waits for one reply here: nothing is gained by collecting small writes.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self {
            client: Client::open(info).map_err(|_| BadUrl)?,
            at,
            prefix: prefix.to_owned(),
            max_len,
        })
    }

    /// Host and port, or a path, for people.
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn max_len(&self) -> u64 {
        self.max_len
    }

    pub(super) fn stream(&self) -> String {
        format!("{}{STREAM}", self.prefix)
    }

    pub(super) fn probe(&self) -> String {
        format!("{}{PROBE}", self.prefix)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("at", &self.at)
            .field("prefix", &self.prefix)
            .field("max_len", &self.max_len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_passwords_not_shown() {
        for (url, at) in [
            ("redis://127.0.0.1:6379", "127.0.0.1:6379"),
            (
                " redis://somebody:s3cret@example.test/2 ",
                "example.test:6379",
            ),
            ("rediss://:s3cret@example.test:7000", "example.test:7000"),
            ("unix:///run/redis.sock?pass=s3cret", "/run/redis.sock"),
        ] {
            let server = Server::parse(url, "p:", 10).expect(url);
            assert_eq!(server.at(), at);
            assert!(!format!("{server:?}").contains("s3cret"));
        }
        for url in [
            "",
            "127.0.0.1:6379",
            "http://127.0.0.1:s3cret",
            "redis://s3cret@:x",
        ] {
            let error = Server::parse(url, "", 10).expect_err(url);
            assert!(!error.to_string().contains("s3cret"));
        }
    }
}
