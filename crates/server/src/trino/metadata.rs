//! What drivers ask about tables and about themselves, beside what the engine answers: the tables
//! of `system.jdbc`, `system.runtime` and `system.metadata`, columns of `information_schema` that the
//! engine's has not, `version()` and the words about the session.
//!
//! Each such table is a query (`tables`) over the engine's `information_schema`, put before the
//! statement as a WITH; its name in the statement gives way to one of the same length, so that
//! places in errors stay true. Values are bound.

use std::collections::BTreeMap;

use traillake_query::Value;

use super::commands::Statement;
use super::info;
use super::session::Session;
use super::tables::{self, Table};
use super::words::{Token, TokenKind, tokens};
use crate::auth::Identity;
use crate::error::Result;
use crate::http::Inner;
use crate::state::{Listing, QueryRecord};

/// Queries that `system.runtime.queries` has.
const QUERIES: u64 = 100;

/// Returns the statement with everything in place that the engine does not know.
///
/// # Errors
/// When the server's state cannot be read.
pub(super) async fn complete(
    statement: Statement,
    server: &Inner,
    identity: &Identity,
    session: &Session,
    store: &str,
) -> Result<Statement> {
    let Statement { sql, mut parameters, mut shift } = statement;
    let found = find(&sql, session);
    if found.words.is_empty() && found.tables.is_empty() {
        return Ok(Statement { sql, parameters, shift });
    }
    for name in found.words.values() {
        let value = match *name {
            ":m_ver" => Value::Text(info::version()),
            ":m_user" => Value::Text(session.user.clone()),
            ":m_catalog" => text_or_null(session.catalog.as_deref()),
            _ => Value::Text(session.schema.clone().unwrap_or_else(|| store.to_owned())),
        };
        parameters.named.insert(name[1..].to_owned(), value);
    }
    let mut definitions = Vec::new();
    for table in &found.wanted {
        let query = match table.query {
            "" => {
                let user = Some(identity.user.clone());
                let newest = Listing { user, limit: QUERIES, ..Listing::default() };
                let (query, values) = queries(&server.state.listed(newest).await?.queries);
                parameters.named.extend(values);
                query
            }
            query => query.to_owned(),
        };
        definitions.push(format!("{} AS ({query})", table.name));
    }
    let before = found.before(&definitions);
    shift.lines_before = before.matches('\n').count();
    Ok(Statement { sql: before + &found.apply(&sql), parameters, shift })
}

fn text_or_null(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.to_owned()))
}

/// What of a statement the engine does not know.
#[derive(Default)]
struct Found {
    /// Where a table's name stands, from byte to byte, and what replaces it.
    tables: BTreeMap<(usize, usize), &'static str>,
    /// The same of words that stand for values.
    words: BTreeMap<(usize, usize), &'static str>,
    /// The tables, each once.
    wanted: Vec<&'static Table>,
    /// `WITH` and `RECURSIVE` of the statement itself.
    with: Option<(usize, usize)>,
    recursive: bool,
}

fn find(sql: &str, session: &Session) -> Found {
    let tokens = tokens(sql);
    let mut found = Found::default();
    let Some(first) = tokens.first() else { return found };
    let queries = ["SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN"];
    if !first.is_symbol('(') && !queries.iter().any(|word| first.is(word)) {
        return found;
    }
    if first.is("WITH") {
        found.recursive = tokens.get(1).is_some_and(|token| token.is("RECURSIVE"));
        let last = &tokens[usize::from(found.recursive)];
        found.with = Some((first.at, last.at + last.text.len()));
    }
    let tables_fit = !first.is("EXPLAIN");
    let mut at = 0;
    while at < tokens.len() {
        let chain = chain(&tokens[at..]);
        if chain.is_empty() {
            at += 1;
            continue;
        }
        let in_system = session.catalog.as_deref() == Some("system");
        if let Some((table, parts)) = tables::named(&chain, in_system).filter(|_| tables_fit) {
            let last = &tokens[at + 2 * (parts - 1)];
            found.tables.insert((tokens[at].at, last.at + last.text.len()), table.name);
            if !found.wanted.iter().any(|wanted| wanted.name == table.name) {
                found.wanted.push(table);
            }
        } else if chain.len() == 1 {
            found.word(&tokens[at..]);
        }
        at += 2 * chain.len() - 1;
    }
    found
}

/// The parts of the name that comes first, in lower case: `a.b.c`.
fn chain(tokens: &[Token<'_>]) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = tokens.iter();
    while let Some(name) = rest.next().and_then(Token::name) {
        parts.push(name.to_lowercase());
        if !rest.next().is_some_and(|token| token.is_symbol('.')) {
            break;
        }
    }
    parts
}

impl Found {
    /// `current_user`, `version()` and their like.
    fn word(&mut self, tokens: &[Token<'_>]) {
        let called = |at: usize, symbol| tokens.get(at).is_some_and(|next| next.is_symbol(symbol));
        let first = tokens[0];
        if first.kind != TokenKind::Word {
            return;
        }
        let range = |last: &Token<'_>| (first.at, last.at + last.text.len());
        if first.is("version") && called(1, '(') && called(2, ')') {
            self.words.insert(range(&tokens[2]), ":m_ver");
        }
        for (word, name) in [
            ("current_user", ":m_user"),
            ("current_catalog", ":m_catalog"),
            ("current_schema", ":m_schema"),
        ] {
            if first.is(word) && !called(1, '(') {
                self.words.insert(range(&first), name);
            }
        }
    }

    /// The WITH that stands before the statement.
    fn before(&self, definitions: &[String]) -> String {
        if definitions.is_empty() {
            return String::new();
        }
        let recursive = if self.recursive { "RECURSIVE " } else { "" };
        let comma = if self.with.is_some() { "," } else { "" };
        format!("WITH {recursive}{}{comma}\n", definitions.join(", "))
    }

    /// The statement with its names replaced.
    fn apply(&self, sql: &str) -> String {
        let mut all: BTreeMap<(usize, usize), &str> = BTreeMap::new();
        all.extend(self.tables.iter().chain(&self.words).map(|(place, name)| (*place, *name)));
        if let (Some(with), false) = (self.with, self.wanted.is_empty()) {
            all.insert(with, "");
        }
        let (mut out, mut from) = (String::with_capacity(sql.len()), 0);
        for ((start, end), name) in all {
            let width = sql[start..end].chars().count();
            out += &sql[from..start];
            out += &format!("{name:width$}");
            from = end;
        }
        out + &sql[from..]
    }
}

/// The asker's queries as rows of values to bind, newest first.
fn queries(records: &[QueryRecord]) -> (String, BTreeMap<String, Value>) {
    let mut values = BTreeMap::new();
    let mut rows = Vec::new();
    for (row, record) in records.iter().enumerate() {
        let said = |name| record.details.get(name).and_then(serde_json::Value::as_str);
        let time = |at: Option<chrono::DateTime<chrono::Utc>>| {
            at.map_or(Value::Null, |at| Value::Timestamp(at.timestamp_micros()))
        };
        let cells = [
            Value::Text(record.id.to_string()),
            Value::Text(info::state_of(record.status).to_owned()),
            Value::Text(said("user").unwrap_or(&record.user).to_owned()),
            text_or_null(said("source")),
            Value::Text(said("statement").unwrap_or(&record.sql).to_owned()),
            time(Some(record.submitted_at)),
            time(record.started_at),
            time(record.ended_at),
            text_or_null(record.error_kind.as_deref()),
        ];
        let names = cells.into_iter().enumerate().map(|(column, value)| {
            let name = format!("m_{row}_{column}");
            let mark = format!(":{name}");
            values.insert(name, value);
            mark
        });
        rows.push(format!("({})", names.collect::<Vec<_>>().join(", ")));
    }
    let none = "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)".to_owned();
    let end = if rows.is_empty() { " WHERE false" } else { "" };
    let rows = if rows.is_empty() { none } else { rows.join(", ") };
    let query = format!("{}{rows}{}{end}", tables::QUERIES.0, tables::QUERIES.1);
    (query, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_way_to_names_of_the_same_length() {
        let session = Session { catalog: Some("traillake".to_owned()), ..Session::default() };
        for (sql, expected) in [
            (
                "SELECT table_cat FROM \"system\".\"jdbc\".\"catalogs\" -- system.jdbc.tables",
                "SELECT table_cat FROM jdbc_catalogs              -- system.jdbc.tables",
            ),
            (
                "WITH a AS (SELECT 1) SELECT * FROM system.jdbc.types t, a",
                "     a AS (SELECT 1) SELECT * FROM jdbc_types        t, a",
            ),
            ("SELECT version(), 'version()'", "SELECT :m_ver   , 'version()'"),
            ("SELECT current_user", "SELECT :m_user     "),
            ("SELECT x.current_user FROM events x", "SELECT x.current_user FROM events x"),
            ("SHOW TABLES FROM system.jdbc", "SHOW TABLES FROM system.jdbc"),
            ("SELECT * FROM information_schema.tables", "SELECT * FROM information_schema.tables"),
        ] {
            let found = find(sql, &session);
            assert_eq!(found.apply(sql), expected);
        }
    }

    #[test]
    fn every_name_fits_where_it_stands() {
        for table in tables::all() {
            let typed = format!("{}.{}", table.schema, table.table);
            assert!(table.name.len() <= typed.len(), "{typed}");
        }
    }
}
