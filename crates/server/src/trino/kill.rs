//! `CALL system.runtime.kill_query(query_id => '…', message => '…')`: how Trino's clients end a
//! query by its id, by whatever protocol it was asked.
//!
//! <https://trino.io/docs/current/connector/system.html#system-connector-procedures>

use traillake_query::Value;

use super::commands::{end as end_of, expected};
use super::faults::{Fault, Shift};
use super::literals;
use super::words::Words;
use crate::queries::Queries;
use crate::state::QueryStatus;

/// What the procedure takes, in this order where they have no names.
const ARGUMENTS: [&str; 2] = ["query_id", "message"];

/// Returns the id of the query that is to end; none where the statement calls something else.
///
/// # Errors
/// Arguments that the procedure does not take.
pub(super) fn read(words: &mut Words<'_>) -> Result<Option<String>, Fault> {
    if !words.take(&["CALL"]) || !is_named(words) {
        return Ok(None);
    }
    let place = words.place();
    let mut given: [Option<String>; 2] = [None, None];
    let mut next = 0;
    while !words.symbol(')') {
        if next > 0 && !words.symbol(',') {
            return Err(expected("`,` or `)`", words));
        }
        let place = words.place();
        let wrong = |message: String| invalid(message, place);
        let at = match named_argument(words) {
            Some(name) => ARGUMENTS.iter().position(|known| *known == name),
            None => Some(next),
        };
        let argument = at.and_then(|at| given.get_mut(at));
        let argument = argument.ok_or_else(|| wrong(format!("it takes {}", listed())))?;
        let Value::Text(text) = literals::one(words)? else {
            return Err(wrong("an argument is a text in quotes".to_owned()));
        };
        if argument.replace(text).is_some() {
            return Err(wrong("an argument stands twice".to_owned()));
        }
        next += 1;
    }
    end_of(words)?;
    let [id, _message] = given;
    id.map(Some).ok_or_else(|| invalid(format!("it takes {}", listed()), place))
}

/// Reads the name of the procedure and the parenthesis behind it, where they come next.
fn is_named(words: &mut Words<'_>) -> bool {
    let mut parts = Vec::new();
    while let Some(part) = words.name() {
        parts.push(part);
        if !words.symbol('.') {
            break;
        }
    }
    parts == ["system", "runtime", "kill_query"] && words.symbol('(')
}

/// Reads `name =>`, where it comes next.
fn named_argument(words: &mut Words<'_>) -> Option<String> {
    let mut ahead = words.clone();
    let name = ahead.name()?;
    if !(ahead.symbol('=') && ahead.symbol('>')) {
        return None;
    }
    *words = ahead;
    Some(name)
}

fn listed() -> String {
    format!("`{}` and `{}`", ARGUMENTS[0], ARGUMENTS[1])
}

fn invalid(message: String, (line, column): (usize, usize)) -> Fault {
    let message = format!("`kill_query` cannot be called so: {message}");
    Fault { line, column, ..Fault::new("INVALID_PROCEDURE_ARGUMENT", message) }
}

/// Ends a query of that user.
///
/// # Errors
/// When they have no such query, or it is over already.
pub(super) async fn end(queries: &Queries, user: &str, id: &str) -> Result<(), Fault> {
    let found = queries.cancel(user, id).await;
    let record = found.map_err(|error| Fault::of(&error, Shift::default()))?;
    match record.status {
        QueryStatus::Queued | QueryStatus::Running => Ok(()),
        _ => Err(Fault::new("NOT_SUPPORTED", format!("the query `{id}` does not run any more"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_names_or_places() {
        let call = |arguments: &str| format!("CALL system.runtime.kill_query({arguments})");
        for (sql, expected) in [
            (call("query_id => 'a', message => 'Query cancelled by Superset'"), Ok(Some("a"))),
            (call("message => '', QUERY_ID=>'a'"), Ok(Some("a"))),
            (call("'a', 'why'"), Ok(Some("a"))),
            (call("'a'") + ";", Ok(Some("a"))),
            (call("'it''s'"), Ok(Some("it's"))),
            ("call SYSTEM.\"runtime\".kill_query('a')".to_owned(), Ok(Some("a"))),
            (call(""), Err("INVALID_PROCEDURE_ARGUMENT")),
            (call("message => 'why'"), Err("INVALID_PROCEDURE_ARGUMENT")),
            (call("id => 'a'"), Err("INVALID_PROCEDURE_ARGUMENT")),
            (call("'a', query_id => 'b'"), Err("INVALID_PROCEDURE_ARGUMENT")),
            (call("'a', 'b', 'c'"), Err("INVALID_PROCEDURE_ARGUMENT")),
            (call("7"), Err("INVALID_PROCEDURE_ARGUMENT")),
            (call("'a' 'b'"), Err("SYNTAX_ERROR")),
            (call("upper('a')"), Err("SYNTAX_ERROR")),
            (call("'a'") + " x", Err("SYNTAX_ERROR")),
            (call("'a'").replace(')', ""), Err("SYNTAX_ERROR")),
            ("CALL system.sync_partition_metadata('a')".to_owned(), Ok(None)),
            ("SELECT kill_query('a')".to_owned(), Ok(None)),
        ] {
            let found = read(&mut Words::of(&sql)).map_err(|fault| fault.name);
            assert_eq!(found, expected.map(|id| id.map(str::to_owned)), "{sql}");
        }
    }
}
