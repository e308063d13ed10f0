//! The parts of a URL, still escaped.

/// What `java.net.URI` splits a URL into (RFC 2396); parts that are not there are empty.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Parts<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) host: &'a str,
    pub(crate) port: Option<i64>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) fragment: &'a str,
}

/// Splits a URL; none when it is not one.
pub(crate) fn split(url: &str) -> Option<Parts<'_>> {
    if !is_sound(url) {
        return None;
    }
    let (rest, fragment) = cut(url, '#');
    let fragment = fragment.unwrap_or_default();
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    let (scheme, rest) = match rest.find([':', '/', '?']).map(|at| rest.split_at(at)) {
        Some((scheme, after)) if after.starts_with(':') => {
            (Some(scheme).filter(|scheme| is_scheme(scheme))?, &after[1..])
        }
        _ => ("", rest),
    };
    if !scheme.is_empty() && !rest.starts_with('/') {
        // Opaque, such as `mailto:`; nothing after the scheme is no URL at all.
        return (!rest.is_empty()).then(|| Parts { scheme, fragment, ..Parts::default() });
    }
    let (rest, query) = cut(rest, '?');
    let Some(authority) = rest.strip_prefix("//") else {
        return Some(Parts { scheme, path: rest, query, fragment, ..Parts::default() });
    };
    let end = authority.find('/').unwrap_or(authority.len());
    let (authority, path) = authority.split_at(end);
    let (host, port) = host_and_port(authority);
    Some(Parts { scheme, host, port, path, query, fragment })
}

/// Returns whether the text has only characters of a URL, and `%` before two digits.
fn is_sound(url: &str) -> bool {
    let refused = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
    };
    let escapes = url.split('%').skip(1).all(|after| {
        after.len() >= 2 && after.bytes().take(2).all(|digit| digit.is_ascii_hexdigit())
    });
    escapes && !url.chars().any(refused)
}

/// The host and port of an authority; one that names no server has neither.
fn host_and_port(authority: &str) -> (&str, Option<i64>) {
    let server = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (server, ""),
    };
    let named = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    let numbered = host.starts_with('[') && host.ends_with(']');
    match (named || numbered) && port.bytes().all(|digit| digit.is_ascii_digit()) {
        true => (host, port.parse().ok()),
        false => ("", None),
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Decodes `%41` and, in queries, `+`.
pub(crate) fn decode(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) if plus_is_space => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
