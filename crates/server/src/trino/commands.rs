//! Statements about the session: answered here, since the client keeps its session itself. What
//! they change is told in the headers of the answer.
//!
//! Statements that were prepared are found here too. Their parameters are bound, never pasted.

use serde_json::{Value as Json, json};
use traillake_query::{Parameters, Value};
use uuid::Uuid;

use super::faults::{Fault, Shift};
use super::session::{Change, Session, TIME_LIMITS, duration};
use super::words::{Words, place, tokens};
use super::{kill, literals};
use crate::queries::check_length;

/// What a statement asks for.
pub(super) enum Meant {
    /// It is answered already.
    Answered(Answered),
    /// It is a query.
    Query(Statement),
    /// A query is to end, by its id.
    Kill(String),
    /// The columns that a query would have.
    ColumnsOf(Statement),
}

/// A query to run.
#[derive(Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) parameters: Parameters,
    pub(super) shift: Shift,
}

/// An answer that needs no query: rows, or nothing but what it changes.
#[derive(Default)]
pub(super) struct Answered {
    /// What it does, for a statement that has no rows.
    pub(super) update_type: Option<&'static str>,
    pub(super) columns: Vec<(&'static str, &'static str)>,
    pub(super) rows: Vec<Vec<Json>>,
    pub(super) changes: Vec<Change>,
}

impl Answered {
    pub(super) fn changing(update_type: &'static str, changes: Vec<Change>) -> Answered {
        Answered {
            update_type: Some(update_type),
            // As Trino answered what has no rows for long: drivers of that time end in an error
            // where there are no columns.
            columns: vec![("result", "boolean")],
            rows: vec![vec![json!(true)]],
            changes,
        }
    }
}

/// Returns what a statement asks for; `schemas` are those that the client may name.
///
/// # Errors
/// A statement about the session that is not one, or that names what is not there.
pub(super) fn read(sql: &str, session: &Session, schemas: &[String]) -> Result<Meant, Fault> {
    let mut words = Words::of(sql);
    match prepared(&mut words, session, schemas)? {
        Some(meant) => Ok(meant),
        None => unprepared(sql, session, schemas),
    }
}

fn unprepared(sql: &str, session: &Session, schemas: &[String]) -> Result<Meant, Fault> {
    let mut words = Words::of(sql);
    if let Some(answered) = about_session(&mut words, session, schemas)? {
        return Ok(Meant::Answered(answered));
    }
    if let Some(id) = kill::read(&mut words)? {
        return Ok(Meant::Kill(id));
    }
    let (parameters, shift) = (Parameters::default(), Shift::default());
    Ok(Meant::Query(Statement { sql: sql.to_owned(), parameters, shift }))
}

/// PREPARE, EXECUTE, DEALLOCATE PREPARE, DESCRIBE INPUT and OUTPUT.
fn prepared(
    words: &mut Words<'_>,
    session: &Session,
    schemas: &[String],
) -> Result<Option<Meant>, Fault> {
    if words.take(&["PREPARE"]) {
        let name = words.name().ok_or_else(|| expected("a name", words))?;
        if !words.take(&["FROM"]) || words.ended() {
            return Err(expected("FROM and a statement", words));
        }
        let sql = words.rest().to_owned();
        let change = Change::Prepare(name, sql);
        return Ok(Some(Meant::Answered(Answered::changing("PREPARE", vec![change]))));
    }
    if words.take(&["DEALLOCATE", "PREPARE"]) {
        let name = last_name(words)?;
        known(session, &name)?;
        let changes = vec![Change::Deallocate(name)];
        return Ok(Some(Meant::Answered(Answered::changing("DEALLOCATE", changes))));
    }
    if words.take(&["EXECUTE", "IMMEDIATE"]) {
        let (line, column) = words.place();
        let sql = words.string().ok_or_else(|| expected("a statement in quotes", words))?;
        let values = using(words)?;
        let shift = Shift { lines_before: 0, starts_at: (line, column + 1) };
        return executed(sql, values, shift, session, schemas).map(Some);
    }
    if words.take(&["EXECUTE"]) {
        let name = words.name().ok_or_else(|| expected("a name", words))?;
        let sql = statement_of(session, &name)?.to_owned();
        let values = using(words)?;
        return executed(sql, values, Shift::default(), session, schemas).map(Some);
    }
    let mut described = words.clone();
    if described.take(&["DESCRIBE", "INPUT"]) && !described.ended() {
        let name = last_name(&mut described)?;
        return Ok(Some(Meant::Answered(inputs(statement_of(session, &name)?))));
    }
    let mut described = words.clone();
    if described.take(&["DESCRIBE", "OUTPUT"]) && !described.ended() {
        let name = last_name(&mut described)?;
        let sql = statement_of(session, &name)?.to_owned();
        let positional = vec![Value::Null; question_marks(&sql)];
        let parameters = Parameters { positional, ..Parameters::default() };
        let statement = Statement { sql, parameters, shift: Shift::default() };
        return Ok(Some(Meant::ColumnsOf(statement)));
    }
    Ok(None)
}

/// `USING value, …`, or the end of the statement.
fn using(words: &mut Words<'_>) -> Result<Vec<Value>, Fault> {
    match words.take(&["USING"]) {
        true => literals::list(words),
        false if words.ended() => Ok(Vec::new()),
        false => Err(expected("USING", words)),
    }
}

fn executed(
    sql: String,
    positional: Vec<Value>,
    shift: Shift,
    session: &Session,
    schemas: &[String],
) -> Result<Meant, Fault> {
    let (asked, given) = (question_marks(&sql), positional.len());
    if asked != given {
        let message = format!("{asked} parameters stand in the statement, {given} are given");
        return Err(Fault::new("INVALID_PARAMETER_USAGE", message));
    }
    match unprepared(&sql, session, schemas)? {
        Meant::Query(statement) => {
            let parameters = Parameters { positional, ..Parameters::default() };
            Ok(Meant::Query(Statement { parameters, shift, ..statement }))
        }
        answered => Ok(answered),
    }
}

fn question_marks(sql: &str) -> usize {
    tokens(sql).iter().filter(|token| token.is_symbol('?')).count()
}

/// A parameter can be of any type here.
fn inputs(sql: &str) -> Answered {
    let positions = 0..question_marks(sql);
    Answered {
        columns: vec![("Position", "bigint"), ("Type", "varchar")],
        rows: positions.map(|position| vec![json!(position), json!("unknown")]).collect(),
        ..Answered::default()
    }
}

fn known<'a>(session: &'a Session, name: &str) -> Result<&'a str, Fault> {
    let missing = || Fault::new("NOT_FOUND", format!("there is no prepared statement `{name}`"));
    session.prepared(name).ok_or_else(missing)
}

/// Returns a prepared statement, to be looked at: it came in a header, and may be no longer than
/// one that comes in a body.
fn statement_of<'a>(session: &'a Session, name: &str) -> Result<&'a str, Fault> {
    let sql = known(session, name)?;
    check_length(sql).map_err(|error| Fault::of(&error, Shift::default()))?;
    Ok(sql)
}

/// USE, SET and RESET SESSION, SHOW SESSION, SET TIME ZONE and transactions.
fn about_session(
    words: &mut Words<'_>,
    session: &Session,
    schemas: &[String],
) -> Result<Option<Answered>, Fault> {
    if words.take(&["USE"]) {
        return used(words, schemas).map(Some);
    }
    if words.take(&["SET", "SESSION"]) {
        return set(words).map(Some);
    }
    if words.take(&["RESET", "SESSION"]) {
        let name = property(words)?;
        end(words)?;
        return Ok(Some(Answered::changing("RESET SESSION", vec![Change::Clear(name)])));
    }
    if words.take(&["SHOW", "SESSION"]) {
        return shown(words, session).map(Some);
    }
    if words.take(&["SET", "TIME", "ZONE"]) {
        let zone = words.string().or_else(|| words.name()).unwrap_or_default();
        end(words)?;
        return match zone.to_ascii_lowercase().as_str() {
            "utc" | "z" | "+00:00" | "local" => {
                Ok(Some(Answered::changing("SET TIME ZONE", Vec::new())))
            }
            _ => Err(Fault::new("NOT_SUPPORTED", "times are in UTC here; write `AT TIME ZONE`")),
        };
    }
    transaction(words, session)
}

/// Nothing is written, so a transaction has nothing to do; drivers begin and end some all the same.
fn transaction(words: &mut Words<'_>, session: &Session) -> Result<Option<Answered>, Fault> {
    if words.take(&["START", "TRANSACTION"]) {
        let begin = Change::Begin(Uuid::new_v4().to_string());
        return Ok(Some(Answered::changing("START TRANSACTION", vec![begin])));
    }
    for name in ["COMMIT", "ROLLBACK"] {
        if words.take(&[name]) {
            words.take(&["WORK"]);
            end(words)?;
            return match session.in_transaction {
                true => Ok(Some(Answered::changing(name, vec![Change::End]))),
                false => Err(Fault::new("NOT_IN_TRANSACTION", "no transaction was begun")),
            };
        }
    }
    Ok(None)
}

/// `USE schema`, `USE catalog.schema`.
fn used(words: &mut Words<'_>, schemas: &[String]) -> Result<Answered, Fault> {
    let start = words.place();
    let first = words.name().ok_or_else(|| expected("a schema", words))?;
    let second = match words.symbol('.') {
        true => Some(words.name().ok_or_else(|| expected("a schema", words))?),
        false => None,
    };
    end(words)?;
    let (catalog, schema) = match second {
        Some(schema) => (first, schema),
        None => (super::CATALOG.to_owned(), first),
    };
    let fault =
        |name, message| Fault { line: start.0, column: start.1, ..Fault::new(name, message) };
    if ![super::CATALOG, "system", "awsdatacatalog"].contains(&catalog.to_lowercase().as_str()) {
        return Err(fault("CATALOG_NOT_FOUND", format!("there is no catalog `{catalog}`")));
    }
    if !schemas.iter().any(|known| known.eq_ignore_ascii_case(&schema)) {
        return Err(fault("SCHEMA_NOT_FOUND", format!("there is no schema `{schema}`")));
    }
    Ok(Answered::changing("USE", vec![Change::Catalog(catalog), Change::Schema(schema)]))
}

/// `SET SESSION name = value`. A setting of Trino's that means nothing here is remembered by the
/// client as any other: programs set what they know.
fn set(words: &mut Words<'_>) -> Result<Answered, Fault> {
    let name = property(words)?;
    if !words.symbol('=') {
        return Err(expected("`=`", words));
    }
    let place = words.place();
    let text = match <[Value; 1]>::try_from(literals::list(words)?) {
        Ok([Value::Text(text) | Value::Typed { text, .. }]) => text,
        Ok([Value::Integer(number)]) => number.to_string(),
        Ok([Value::Double(number)]) => number.to_string(),
        Ok([Value::Boolean(truth)]) => truth.to_string(),
        _ => return Err(Fault::syntax("a setting is one value", place)),
    };
    if TIME_LIMITS.contains(&name.as_str()) && duration(&text).is_none() {
        let message = format!("`{text}` is no time: write `90s` or `10m`");
        return Err(Fault::new("INVALID_SESSION_PROPERTY", message));
    }
    Ok(Answered::changing("SET SESSION", vec![Change::Set(name, text)]))
}

/// `name`, `catalog.name`: plain names only, since they stand in a header.
fn property(words: &mut Words<'_>) -> Result<String, Fault> {
    let place = words.place();
    let mut name = words.name().ok_or_else(|| expected("the name of a setting", words))?;
    if words.symbol('.') {
        let second = words.name().ok_or_else(|| expected("the name of a setting", words))?;
        name = format!("{name}.{second}");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    match name.chars().all(plain) {
        true => Ok(name),
        false => Err(Fault::syntax(format!("`{name}` is no name of a setting"), place)),
    }
}

fn shown(words: &mut Words<'_>, session: &Session) -> Result<Answered, Fault> {
    if words.take(&["LIKE"]) {
        words.string().ok_or_else(|| expected("a pattern", words))?;
        if words.take(&["ESCAPE"]) {
            words.string().ok_or_else(|| expected("a character", words))?;
        }
    }
    end(words)?;
    let set = |name: &str| {
        let mut set = session.properties.iter().rev();
        set.find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let limits = TIME_LIMITS.map(|name| {
        vec![
            json!(name),
            json!(set(name).unwrap_or_default()),
            json!(""),
            json!("varchar"),
            json!("The longest that a statement may take"),
        ]
    });
    let others = session.properties.iter();
    let others = others.filter(|(name, _)| !TIME_LIMITS.contains(&name.as_str()));
    let others = others.map(|(name, value)| {
        vec![json!(name), json!(value), json!(""), json!("varchar"), json!("Means nothing here")]
    });
    Ok(Answered {
        columns: ["Name", "Value", "Default", "Type", "Description"]
            .map(|name| (name, "varchar"))
            .to_vec(),
        rows: limits.into_iter().chain(others).collect(),
        ..Answered::default()
    })
}

fn last_name(words: &mut Words<'_>) -> Result<String, Fault> {
    let name = words.name().ok_or_else(|| expected("a name", words))?;
    end(words)?;
    Ok(name)
}

pub(super) fn end(words: &Words<'_>) -> Result<(), Fault> {
    match words.ended() {
        true => Ok(()),
        false => Err(expected("the end of the statement", words)),
    }
}

pub(super) fn expected(what: &str, words: &Words<'_>) -> Fault {
    let found = words.peek();
    let at = place(words.sql, found.map_or(words.sql.len(), |token| token.at));
    let found = found.map_or("the end", |token| token.text);
    Fault::syntax(format!("{what} is expected, not `{found}`"), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_statement_is_no_longer_than_one_in_a_body() {
        for (bytes, refused) in [(262_144, false), (262_145, true)] {
            let sql = format!("SELECT '{}'", "x".repeat(bytes - "SELECT ''".len()));
            let prepared = vec![("q".to_owned(), sql)];
            let session = Session { prepared, ..Session::default() };
            for sql in ["EXECUTE q", "DESCRIBE INPUT q", "DESCRIBE OUTPUT q"] {
                let fault = read(sql, &session, &[]).err();
                let message = fault.map(|fault| fault.message).unwrap_or_default();
                let named = message.contains("262145 bytes; the limit is 262144");
                assert_eq!((message.is_empty(), named), (!refused, refused), "{sql}: {message}");
            }
            // A client gets rid of it all the same.
            assert!(read("DEALLOCATE PREPARE q", &session, &[]).is_ok());
        }
    }
}
