//! The URL of a request, parsed once: what the guard looks at is what the connection is made from. Refuses
//! other schemes, user names and passwords, and spellings that two parsers could read in two ways.

use std::net::IpAddr;

use url::{Host, Url};

use super::error::OutboundError;

/// The longest URL that is sent.
const MAX_URL_BYTES: usize = 8 * 1024;

/// An http or https URL with a host and a port.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: Host<String>,
    port: u16,
}

impl Target {
    /// Reads what a workflow says.
    pub fn parse(raw: &str) -> Result<Self, OutboundError> {
        Self::read(raw, None).map_err(|rule| OutboundError::BadUrl { rule })
    }

    /// Reads a `Location`, which may be relative to this URL.
    pub fn join(&self, location: &str) -> Result<Self, OutboundError> {
        Self::read(location, Some(&self.url)).map_err(|rule| OutboundError::BadRedirect {
            origin: self.origin(),
            rule,
        })
    }

    fn read(raw: &str, base: Option<&Url>) -> Result<Self, String> {
        let raw = raw.trim_matches(' ');
        if raw.len() > MAX_URL_BYTES {
            return Err(format!("it is longer than {MAX_URL_BYTES} bytes"));
        }
        // The parser would drop line breaks and turn backslashes round, each a way to look like another URL.
        if raw.chars().any(char::is_control) {
            return Err("it holds a line break or another control character".to_owned());
        }
        if raw.contains('\\') {
            return Err("it holds a backslash (write %5C if one is meant)".to_owned());
        }
        let mut url = Url::options()
            .base_url(base)
            .parse(raw)
            .map_err(|error| error.to_string())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("it does not begin with http:// or https://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "it holds a user name or password (send an Authorization header instead)"
                    .to_owned(),
            );
        }
        let host = url.host().ok_or("it has no host")?.to_owned();
        if let Host::Domain(name) = &host {
            let name = name.strip_suffix('.').unwrap_or(name);
            if name.split('.').any(str::is_empty) {
                return Err("its host has an empty part between dots".to_owned());
            }
        }
        let port = url.port_or_known_default().ok_or("it has no port")?;
        if port == 0 {
            return Err("port 0 is none".to_owned());
        }
        url.set_fragment(None);
        Ok(Self { url, host, port })
    }

    /// The URL, to send.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The port, also where the URL leaves it out.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as it stands in the URL; what the connection is made for.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The address, where the host is one.
    pub fn literal(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// The name without its last dot, where the host is one.
    pub fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Domain(name) => Some(name.strip_suffix('.').unwrap_or(name)),
            Host::Ipv4(_) | Host::Ipv6(_) => None,
        }
    }

    /// Scheme, host and port: as much of a URL as is shown, since the rest may hold a secret.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Whether what goes there is encrypted.
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }
}
