//! Addresses of model servers, from what people paste and what variables hold.

use reqwest::Url;

/// The base address in `raw`, up to and without `/chat/completions`; the error says what is wrong.
pub fn parse(raw: &str) -> Result<Url, String> {
    let raw = raw.trim().trim_end_matches('/');
    let raw = raw.strip_suffix("/chat/completions").unwrap_or(raw);
    let mut url = Url::parse(raw).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("it must begin with http:// or https://".to_owned());
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Whether the address leads to this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// Where Ollama listens, from what `OLLAMA_HOST` may hold: a host, host and port, or an address.
/// `0.0.0.0` is an address to listen on, not to call.
pub fn ollama_url(host: &str) -> String {
    let host = host.trim().trim_end_matches('/');
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, "v1"));
    let authority = if authority.is_empty() {
        "127.0.0.1"
    } else {
        authority
    };
    let authority = authority.replacen("0.0.0.0", "127.0.0.1", 1);
    let after_host = authority.rsplit(']').next().unwrap_or_default();
    let port = if after_host.contains(':') || host.contains("://") {
        ""
    } else {
        ":11434"
    };
    format!("{scheme}://{authority}{port}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ollama_is_found_where_its_variable_points() {
        for (host, url) in [
            ("", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0", "http://127.0.0.1:11434/v1"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080/v1"),
            ("box", "http://box:11434/v1"),
            ("http://box:1/", "http://box:1/v1"),
            ("https://box/ollama/v1", "https://box/ollama/v1"),
            ("[::1]", "http://[::1]:11434/v1"),
            ("[::1]:9", "http://[::1]:9/v1"),
        ] {
            assert_eq!(ollama_url(host), url, "{host}");
        }
    }
}
