//! Which kind of statement is it, and which file does its answer make? Its first word tells.

use serde::{Deserialize, Serialize};

/// Athena's kinds of statements:
/// <https://docs.aws.amazon.com/athena/latest/APIReference/API_QueryExecution.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Kind {
    /// Defines tables.
    Ddl,
    /// Asks for rows.
    Dml,
    /// Shows what is there.
    Utility,
}

impl Kind {
    /// Returns the kind of a statement.
    pub(super) fn of(sql: &str) -> Kind {
        match first_word(sql).as_str() {
            "SHOW" | "DESCRIBE" | "DESC" | "EXPLAIN" => Kind::Utility,
            "CREATE" if is_select(sql) => Kind::Dml,
            "CREATE" | "ALTER" | "DROP" | "MSCK" => Kind::Ddl,
            _ => Kind::Dml,
        }
    }

    /// Returns Athena's word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Ddl => "DDL",
            Kind::Dml => "DML",
            Kind::Utility => "UTILITY",
        }
    }

    /// Returns what the name of the answer's file ends in. Rows make a table of comma-separated
    /// values with a header; everything else makes lines of text.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Kind::Dml => "csv",
            Kind::Ddl | Kind::Utility => "txt",
        }
    }
}

/// Returns Athena's word for what a statement does: `SELECT`, `SHOW`, `CREATE`.
pub(super) fn deed(sql: &str) -> String {
    match first_word(sql).as_str() {
        "WITH" | "VALUES" | "TABLE" | "" => "SELECT".to_owned(),
        "CREATE" if is_select(sql) => "CREATE_TABLE_AS_SELECT".to_owned(),
        word => word.to_owned(),
    }
}

/// `CREATE TABLE … AS SELECT …`: a word `SELECT` after `CREATE` is enough to tell.
fn is_select(sql: &str) -> bool {
    sql.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.eq_ignore_ascii_case("SELECT"))
}

/// The first word in upper case, behind white space, comments and opening parentheses.
fn first_word(sql: &str) -> String {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        rest = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else {
            break;
        };
    }
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    rest[..end].to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_tells() {
        for (sql, kind, does) in [
            ("SELECT 1", Kind::Dml, "SELECT"),
            (" ((select 1))", Kind::Dml, "SELECT"),
            ("-- SHOW\n/* SHOW */ with a AS (SELECT 1) SELECT * FROM a", Kind::Dml, "SELECT"),
            ("VALUES 1", Kind::Dml, "SELECT"),
            ("show tables", Kind::Utility, "SHOW"),
            ("DESCRIBE events", Kind::Utility, "DESCRIBE"),
            ("EXPLAIN SELECT 1", Kind::Utility, "EXPLAIN"),
            ("CREATE EXTERNAL TABLE t (a string)", Kind::Ddl, "CREATE"),
            ("CREATE TABLE t AS SELECT 1", Kind::Dml, "CREATE_TABLE_AS_SELECT"),
            ("MSCK REPAIR TABLE t", Kind::Ddl, "MSCK"),
            ("INSERT INTO t SELECT 1", Kind::Dml, "INSERT"),
            ("", Kind::Dml, "SELECT"),
            ("-- nothing", Kind::Dml, "SELECT"),
            ("/* open", Kind::Dml, "SELECT"),
        ] {
            assert_eq!((Kind::of(sql), deed(sql).as_str()), (kind, does), "{sql}");
        }
    }
}
