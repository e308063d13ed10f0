//! What a client tells about its session in the headers of a request, and what an answer changes in
//! it. The server keeps no sessions: the client sends its own with every statement.
//!
//! <https://trino.io/docs/current/develop/client-protocol.html#client-request-headers>

use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};

use crate::auth::Identity;

/// Settings that mean something here: both are the longest that a statement may take.
pub(super) const TIME_LIMITS: [&str; 2] = ["query_max_run_time", "query_max_execution_time"];

/// A client's session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    /// What `current_user` says.
    pub(super) user: String,
    pub(super) catalog: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) source: Option<String>,
    /// Settings, as the client remembers them.
    pub(super) properties: Vec<(String, String)>,
    /// Statements by the names that PREPARE gave them.
    pub(super) prepared: Vec<(String, String)>,
    pub(super) in_transaction: bool,
    /// Times are given with all their digits, and with the type that says how many.
    pub(super) precise_times: bool,
}

/// Why the headers of a request are refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Nobody is named.
    NoUser,
    /// A header that cannot be read.
    Header(&'static str),
}

impl Session {
    /// Reads the headers of a request that `identity` sent. Where nobody needs to say who they are
    /// (`open`), Trino still wants a name; it is also what keeps web pages out, since none can send
    /// these headers without asking the browser's leave.
    ///
    /// # Errors
    /// A missing name; a header that is not what it should be.
    pub(super) fn of(
        headers: &HeaderMap,
        identity: &Identity,
        open: bool,
    ) -> Result<Session, Refused> {
        let named = one(headers, "x-trino-user")?.or(one(headers, "x-trino-original-user")?);
        let user = match (open, named) {
            (false, _) => identity.user.clone(),
            (true, Some(user)) => user,
            (true, None) if headers.contains_key(AUTHORIZATION) => identity.user.clone(),
            (true, None) => return Err(Refused::NoUser),
        };
        let capabilities = one(headers, "x-trino-client-capabilities")?.unwrap_or_default();
        let precise = |word: &str| word.trim() == "PARAMETRIC_DATETIME";
        let transaction = one(headers, "x-trino-transaction-id")?;
        Ok(Session {
            user,
            catalog: one(headers, "x-trino-catalog")?,
            schema: one(headers, "x-trino-schema")?,
            source: one(headers, "x-trino-source")?,
            properties: pairs(headers, "x-trino-session")?,
            prepared: pairs(headers, "x-trino-prepared-statement")?,
            in_transaction: transaction.is_some_and(|id| !id.eq_ignore_ascii_case("none")),
            precise_times: capabilities.split(',').any(precise),
        })
    }

    /// The statement that was prepared under that name.
    pub(super) fn prepared(&self, name: &str) -> Option<&str> {
        let found = self.prepared.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, statement)| statement.as_str())
    }

    /// The longest that a statement may take, if the session limits it.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let set = self.properties.iter().filter(|(name, _)| TIME_LIMITS.contains(&name.as_str()));
        set.filter_map(|(_, value)| duration(value)).min()
    }
}

fn one(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Refused> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Refused::Header(name))?.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// `name=value, …`, in one header or in several; names and values are encoded as in a URL's query.
fn pairs(headers: &HeaderMap, name: &'static str) -> Result<Vec<(String, String)>, Refused> {
    let mut found = Vec::new();
    for header in headers.get_all(name) {
        let text = header.to_str().map_err(|_| Refused::Header(name))?;
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or(Refused::Header(name))?;
            let read = |text| decoded(text).ok_or(Refused::Header(name));
            found.push((read(key.trim())?, read(value.trim())?));
        }
    }
    Ok(found)
}

fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let bytes = percent_encoding::percent_decode_str(&spaced);
    Some(bytes.decode_utf8().ok()?.into_owned())
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Reads a time as Trino writes it: `90.00s`, `10m`, `1.5h`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(unit);
    let seconds = match unit.trim() {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// What an answer changes in the client's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Catalog(String),
    Schema(String),
    Set(String, String),
    Clear(String),
    Prepare(String, String),
    Deallocate(String),
    Begin(String),
    End,
}

impl Change {
    /// The header that says so.
    pub(super) fn header(&self) -> (HeaderName, String) {
        let name = HeaderName::from_static;
        match self {
            Change::Catalog(catalog) => (name("x-trino-set-catalog"), catalog.clone()),
            Change::Schema(schema) => (name("x-trino-set-schema"), schema.clone()),
            Change::Set(key, value) => {
                (name("x-trino-set-session"), format!("{key}={}", encoded(value)))
            }
            Change::Clear(key) => (name("x-trino-clear-session"), key.clone()),
            Change::Prepare(key, sql) => {
                let value = format!("{}={}", encoded(key), encoded(sql));
                (name("x-trino-added-prepare"), value)
            }
            Change::Deallocate(key) => (name("x-trino-deallocated-prepare"), encoded(key)),
            Change::Begin(id) => (name("x-trino-started-transaction-id"), id.clone()),
            Change::End => (name("x-trino-clear-transaction-id"), "true".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn read(pairs: &[(&'static str, &str)]) -> Result<Session, Refused> {
        Session::of(&headers(pairs), &Identity::anybody(), true)
    }

    #[test]
    fn a_session_is_read_from_its_headers() {
        let session = read(&[
            ("x-trino-user", "ana"),
            ("x-trino-session", "query_max_run_time=1.5m,a.b=x%2Cy+z"),
            ("x-trino-session", "query_max_execution_time=1h"),
            ("x-trino-prepared-statement", "q=SELECT+%27%2B%27%2C%3F"),
            ("x-trino-client-capabilities", "NUMBER,PARAMETRIC_DATETIME"),
            ("x-trino-transaction-id", "NONE"),
        ])
        .unwrap();
        assert_eq!(session.user, "ana");
        assert_eq!(session.properties[1], ("a.b".to_owned(), "x,y z".to_owned()));
        assert_eq!(session.prepared("q"), Some("SELECT '+',?"));
        assert_eq!(session.timeout(), Some(Duration::from_secs(90)));
        assert!(session.precise_times && !session.in_transaction);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert_eq!(read(&[]), Err(Refused::NoUser));
        let with = |name, value| read(&[("x-trino-user", "ana"), (name, value)]);
        for (name, value) in [
            ("x-trino-session", "nothing"),
            ("x-trino-session", "a=%ff"),
            ("x-trino-prepared-statement", "q"),
        ] {
            assert_eq!(with(name, value), Err(Refused::Header(name)), "{value}");
        }
    }
}
