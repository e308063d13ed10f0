//! What is told of an answer beside its rows? What is known before them stands in the head of the
//! response; what is known only when the last was given stands at the end of an answer in JSON, and
//! for whoever asks for trailers (`TE: trailers`) behind any body. `Link` says where it stands after
//! that, in the history.

use std::fmt::Write as _;

use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_TYPE, LINK, TE, TRAILER};
use axum::http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::queries::Running;

const QUERY_ID: &str = "x-traillake-query-id";
const SNAPSHOTS: &str = "x-traillake-snapshots";
const WARNING: &str = "x-traillake-warning";
/// What an answer in JSON ends with.
const END: &str = "x-traillake-end";

/// The headers of a format, whatever is asked, and what each says.
pub(super) const OF_FORMAT: [(&str, &str); 2] = [
    ("accept-ranges", "`none`: an answer is made while it is sent, and no part of it can be had"),
    ("cache-control", "`no-store`"),
];
/// The other headers of an answer, the trailer among them, and what each says.
pub(super) const OF_ANSWER: [(&str, &str); 6] = [
    (QUERY_ID, "The id of the query"),
    (SNAPSHOTS, "Which state of each store it saw, as JSON: store, round, time of the commit"),
    (
        WARNING,
        "A warning, as a string of JSON: one header for each that is known before the rows. All of \
         them come with the end",
    ),
    (
        "link",
        "`</v1/queries/ID>; rel=\"status\"`: where row count, warnings, statistics and the error, if \
         there was one, are told when the query is over",
    ),
    ("trailer", "`x-traillake-end`, for who sends `TE: trailers`"),
    (
        END,
        "A trailer, behind the body, for who sends `TE: trailers`: row count, all warnings and \
         statistics, as JSON",
    ),
];

/// Whether a request asks for what is told behind a body.
pub(super) fn wants_trailers(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(TE).into_iter().filter_map(|value| value.to_str().ok());
    let mut codings = codings.flat_map(|text| text.split(','));
    codings.any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Returns the headers of a format, whatever is asked.
pub(super) fn of_format(content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    headers
}

/// Returns the headers of an answer. Of the warnings they have those that are known already; those
/// about an empty answer come with its end.
pub(super) fn headers(
    running: &Running,
    content_type: &'static str,
    with_trailers: bool,
) -> HeaderMap {
    let id = running.id();
    let mut headers = of_format(content_type);
    headers.insert(QUERY_ID, value_of(&id.to_string()));
    headers.insert(SNAPSHOTS, value_of(&running.snapshots().to_string()));
    // The relation of <https://www.rfc-editor.org/rfc/rfc8631#section-4.1>.
    headers.insert(LINK, value_of(&format!("</v1/queries/{id}>; rel=\"status\"")));
    for warning in running.warnings() {
        headers.append(WARNING, value_of(&json!(warning).to_string()));
    }
    if with_trailers {
        headers.insert(TRAILER, HeaderValue::from_static(END));
    }
    headers
}

/// Returns what is told behind the body of an answer.
pub(super) fn trailers(running: &Running) -> HeaderMap {
    let end = tail(running);
    // As an object of its own: the members behind the rows.
    let end = format!("{{{}", end.trim_start_matches(',').trim_end());
    let mut trailers = HeaderMap::new();
    trailers.insert(END, value_of(&end));
    trailers
}

/// Returns what an answer in JSON starts with, up to its rows.
pub(super) fn head(running: &Running) -> String {
    let columns: Vec<Value> = running
        .schema
        .fields()
        .iter()
        .map(|field| json!({"name": field.name(), "type": traillake_query::type_name(field)}))
        .collect();
    format!(
        "{{\"query_id\":\"{}\",\"snapshots\":{},\"columns\":{},\"rows\":",
        running.id(),
        running.snapshots(),
        Value::from(columns)
    )
}

/// Returns what an answer in JSON ends with, after its rows.
pub(super) fn tail(running: &Running) -> String {
    let read = running.statistics();
    let statistics = json!({
        "files_total": read.files_total,
        "files_read": read.files_read,
        "row_groups_read": read.row_groups_read,
        "rows_read": read.rows_read,
        "bytes_read": read.bytes_read,
        "requests": read.requests,
        "opening_requests": read.opening_requests,
    });
    format!(
        ",\"row_count\":{},\"warnings\":{},\"statistics\":{statistics}}}\n",
        running.rows(),
        json!(running.warnings()),
    )
}

/// Returns a text of JSON, or one of ASCII, as a header holds it: other characters are escaped, so
/// that no name in a warning keeps it from being told.
fn value_of(text: &str) -> HeaderValue {
    let mut ascii = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            ' '..='~' => ascii.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]).iter() {
                    let _ = write!(ascii, "\\u{unit:04x}");
                }
            }
        }
    }
    // Nothing else is left in it, and so there is no text that a header does not hold.
    HeaderValue::try_from(ascii).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_holds_every_text() {
        let text = "größe 東京 🦀 \"q\" \u{7f}\n\r\n";
        let value = value_of(&json!([text]).to_string());
        let told = value.to_str().unwrap();
        assert!(told.starts_with("[\"gr\\u00f6\\u00dfe \\u6771"), "{told}");
        assert_eq!(serde_json::from_str::<Value>(told).unwrap(), json!([text]));
    }

    #[test]
    fn trailers_are_for_who_asks_for_them() {
        for (values, expected) in [
            (vec![], false),
            (vec!["gzip"], false),
            (vec!["trailers"], true),
            (vec!["gzip;q=0.5, Trailers"], true),
            (vec!["gzip", "trailers"], true),
            (vec!["trailersx"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(TE, HeaderValue::from_static(value));
            }
            assert_eq!(wants_trailers(&headers), expected, "{values:?}");
        }
    }
}
