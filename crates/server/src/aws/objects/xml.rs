//! How are answers and errors written?

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An element with text in it, made from the inside out.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// Returns a document: `inner` is XML already.
pub(super) fn document(name: &str, inner: &str) -> Response {
    respond(format!("<{name} xmlns=\"{NAMESPACE}\">{inner}</{name}>"))
}

/// Returns an error; its status is the caller's business.
pub(super) fn error(code: &str, message: &str) -> Response {
    let inner = element("Code", code) + &element("Message", message);
    respond(format!("<Error>{inner}</Error>"))
}

/// Every bucket is in `us-east-1`, which has no name here.
pub(super) fn bucket_location() -> Response {
    document("LocationConstraint", "")
}

fn respond(root: String) -> Response {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{root}");
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().simple().to_string()) {
        headers.insert(HeaderName::from_static("x-amz-request-id"), id);
    }
    response
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML 1.0 has no way to write these.
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns the texts of all elements `name` in a document, which hold nothing but text. What is no
/// XML has none.
pub(super) fn texts(document: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = document;
    while let Some((_, behind)) = rest.split_once(&open) {
        let Some((text, after)) = behind.split_once(&close) else { break };
        found.push(unescaped(text));
        rest = after;
    }
    found
}

fn unescaped(text: &str) -> String {
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        unescaped.push_str(before);
        let (name, after) = behind.split_once(';').unwrap_or((behind, ""));
        unescaped.extend(character(name));
        rest = after;
    }
    unescaped + rest
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        name => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_reads_back() {
        for text in ["a&b<c>\"'", "", "&amp;", "ü\n☃"] {
            let document = format!("<D>{0}{0}</D>", element("Key", text));
            assert_eq!(texts(&document, "Key"), [text, text]);
        }
        assert_eq!(texts("<Key>a&#13;&#x41;&what;b</Key><Key>open", "Key"), ["a\rAb"]);
        assert_eq!(element("a", "\u{1b}"), "<a>\u{fffd}</a>");
    }
}
