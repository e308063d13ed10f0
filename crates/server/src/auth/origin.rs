//! Where a request comes from. A web page can send requests to a server on its reader's machine, and
//! with a name of its own that it points at 127.0.0.1 it can read the answers. It cannot choose
//! `Host` and `Origin`: they must be those of this server.

use axum::http::HeaderName;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;

use crate::error::{Error, Result};

/// Checks that a request was sent to one of `hosts` or to loopback, and by no page of another place.
///
/// # Errors
/// [`Error::Forbidden`].
pub(crate) fn check(head: &Parts, hosts: &[String]) -> Result<()> {
    let host = head.uri.authority().map(|authority| authority.as_str().to_owned());
    let host = match host {
        Some(host) => host,
        None => header(head, HOST)?.ok_or_else(|| Error::forbidden("`Host` is missing"))?,
    };
    let name = without_port(&host);
    let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&name);
    if !loopback && !hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        let reason = format!("this server is not `{}`; `--host` gives it names", visible(name));
        return Err(Error::forbidden(reason));
    }
    // A browser names no origin when a page asks for what it takes to be an image.
    let site = header(head, HeaderName::from_static("sec-fetch-site"))?;
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(Error::forbidden("pages of another place may not ask here"));
    }
    match header(head, ORIGIN)? {
        None => Ok(()),
        Some(origin) if origin.split_once("://").is_some_and(|(_, from)| from == host) => Ok(()),
        Some(origin) => {
            Err(Error::forbidden(format!("pages of `{}` may not ask here", visible(&origin))))
        }
    }
}

fn header(head: &Parts, name: HeaderName) -> Result<Option<String>> {
    let mut values = head.headers.get_all(&name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Error::forbidden(format!("`{name}` stands there twice")));
    }
    let text = first.map(|value| value.to_str().map(str::to_owned));
    text.transpose().map_err(|_| Error::forbidden(format!("`{name}` is not text")))
}

/// The host of `host:port`; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            if name.contains(':') && !name.ends_with(']') { host } else { name }
        }
        _ => host,
    }
}

fn visible(text: &str) -> std::borrow::Cow<'_, str> {
    crate::formats::escape::visible(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn check_one(host: &str, origin: Option<&str>) -> bool {
        let mut request = Request::builder().uri("/v1/query").header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        check(&head, &["lake.example.com".to_owned()]).is_ok()
    }

    #[test]
    fn only_this_server_is_answered_for() {
        for (host, origin, expected) in [
            ("127.0.0.1:8585", None, true),
            ("localhost:8585", None, true),
            ("[::1]:8585", None, true),
            ("[::1]", None, true),
            ("lake.example.com", None, true),
            ("LAKE.example.com:443", None, true),
            ("127.0.0.1:8585", Some("http://127.0.0.1:8585"), true),
            ("lake.example.com", Some("https://lake.example.com"), true),
            ("evil.example", None, false),
            ("127.0.0.1.evil.example:8585", None, false),
            ("localhost.evil.example", None, false),
            ("lake.example.com.evil.example", None, false),
            ("127.0.0.1:8585", Some("http://evil.example"), false),
            ("127.0.0.1:8585", Some("http://127.0.0.1:9999"), false),
            ("127.0.0.1:8585", Some("null"), false),
            ("", None, false),
        ] {
            assert_eq!(check_one(host, origin), expected, "{host} {origin:?}");
        }
    }

    #[test]
    fn two_hosts_are_none() {
        let request = Request::builder().header(HOST, "localhost").header(HOST, "evil.example");
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert!(check(&head, &[]).is_err());
    }
}
