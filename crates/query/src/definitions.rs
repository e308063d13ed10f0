//! Statements that define tables: Athena's scripts carry them before the questions.
//!
//! A lake's tables are fixed, so what defines Athena's table of a trail is done already, and is
//! answered so with a note. Every other such statement is refused by its name. No parser is asked:
//! Hive's definitions (Amazon Athena User Guide, "DDL statements") are not Trino's SQL, and their
//! first words tell enough.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use traillake_trino::{Kind, SqlError, TableName};

use crate::notes::{Note, NoteKind};
use crate::resolve::Resolver;
use crate::views::ATHENA;

/// Returns the note beside the empty answer of a statement that defines what is there already; none
/// when the statement is no definition.
///
/// # Errors
/// [`Kind::NotReadOnly`] for a definition of anything else.
pub(crate) fn answered(sql: &str, resolver: &Resolver<'_>) -> Option<Result<Note, SqlError>> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().ok()?;
    let tokens = tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut words = Words { tokens: tokens.collect(), at: 0 };
    let first = words.tokens.first().cloned()?;
    let asked = words.asked()?;
    if let Some(second) = words.second_statement() {
        let error = SqlError::new(Kind::Syntax, "a second statement starts here");
        return Some(Err(place(error.with_hint("run one statement at a time"), second)));
    }
    Some(match asked {
        Asked::Database => Ok(accepted("any database may stand before a table's name".into())),
        Asked::Refused { name, hint } => Err(place(refused(name).with_hint(hint), &first)),
        Asked::Table { name, table } => match resolver.resolve(&table) {
            Ok((found, _)) if found.table == ATHENA => {
                let typed = table.parts.join(".");
                Ok(accepted(format!("`{typed}` is `{}`, which is always there", found.full_name())))
            }
            Ok(_) => Err(place(refused(name).with_hint(HINT), &first)),
            Err(_) => {
                let typed = table.parts.join(".");
                let hint = format!(
                    "a trail's events are in `{ATHENA}`; to read them as `{typed}`, write \
                     `\"{typed}\" = \"{ATHENA}\"` under `[tables]` in traillake.toml"
                );
                Err(place(refused(name).with_hint(hint), &first))
            }
        },
    })
}

/// The answer beside the note.
pub(crate) fn no_rows() -> RecordBatch {
    let field = Field::new("result", DataType::Utf8View, true);
    RecordBatch::new_empty(Arc::new(Schema::new(vec![field])))
}

const HINT: &str = "use one SELECT, VALUES, EXPLAIN, SHOW or DESCRIBE";

fn refused(name: &str) -> SqlError {
    let message = format!("`{name}` statements cannot be run: a query only reads");
    SqlError::new(Kind::NotReadOnly, message)
}

fn accepted(text: String) -> Note {
    Note::new(NoteKind::Accepted, format!("nothing was changed: {text}"))
}

fn place(error: SqlError, token: &TokenWithSpan) -> SqlError {
    let start = token.span.start;
    let length = token.token.to_string().chars().count();
    error.at(start.line as usize, start.column as usize, length)
}

/// What a definition is about.
enum Asked {
    Database,
    /// A table of a trail's log files, perhaps.
    Table {
        name: &'static str,
        table: TableName,
    },
    Refused {
        name: &'static str,
        hint: &'static str,
    },
}

/// The tokens of a statement that are not white space, and how many were read.
struct Words {
    tokens: Vec<TokenWithSpan>,
    at: usize,
}

impl Words {
    fn asked(&mut self) -> Option<Asked> {
        let keeps = "`traillake query --output FILE` keeps an answer";
        if self.take(&["INSERT", "INTO"]) {
            return Some(Asked::Refused { name: "INSERT INTO", hint: HINT });
        }
        if self.take(&["UNLOAD"]) {
            return Some(Asked::Refused { name: "UNLOAD", hint: keeps });
        }
        if self.take(&["MSCK", "REPAIR", "TABLE"]) {
            return Some(Asked::Table { name: "MSCK REPAIR TABLE", table: self.table()? });
        }
        if self.take(&["DROP", "TABLE"]) {
            self.take(&["IF", "EXISTS"]);
            return Some(Asked::Table { name: "DROP TABLE", table: self.table()? });
        }
        if self.take(&["ALTER", "TABLE"]) {
            let table = self.table()?;
            let adds = self.take(&["ADD"]) && {
                self.take(&["IF", "NOT", "EXISTS"]);
                self.take(&["PARTITION"])
            };
            return Some(match adds {
                true => Asked::Table { name: "ALTER TABLE", table },
                false => Asked::Refused { name: "ALTER TABLE", hint: HINT },
            });
        }
        self.take(&["CREATE"]).then_some(())?;
        self.take(&["OR", "REPLACE"]);
        if self.take(&["VIEW"]) {
            let hint = "put the view's query before the question: WITH name AS (SELECT …) SELECT …";
            return Some(Asked::Refused { name: "CREATE VIEW", hint });
        }
        if self.take(&["DATABASE"]) || self.take(&["SCHEMA"]) {
            return Some(Asked::Database);
        }
        self.take(&["EXTERNAL"]);
        self.take(&["TABLE"]).then_some(())?;
        self.take(&["IF", "NOT", "EXISTS"]);
        let table = self.table()?;
        Some(match self.selects() {
            true => Asked::Refused { name: "CREATE TABLE AS", hint: keeps },
            false => Asked::Table { name: "CREATE TABLE", table },
        })
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        matches!(self.tokens.get(at).map(|token| &token.token),
            Some(Token::Word(found))
                if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
    }

    /// Reads `words` when they come next.
    fn take(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(more, word)| self.is_word(self.at + more, word));
        self.at += if found { words.len() } else { 0 };
        found
    }

    /// Reads the name of a table.
    fn table(&mut self) -> Option<TableName> {
        let start = self.tokens.get(self.at)?.span.start;
        let mut parts = Vec::new();
        loop {
            let Token::Word(word) = &self.tokens.get(self.at)?.token else { return None };
            parts.push(word.value.clone());
            self.at += 1;
            match self.tokens.get(self.at).map(|token| &token.token) {
                Some(Token::Period) => self.at += 1,
                _ => break,
            }
        }
        let length = parts.join(".").chars().count();
        let (line, column) = (start.line as usize, start.column as usize);
        Some(TableName { parts, line, column, length })
    }

    /// Whether a query fills the table: `AS SELECT …`, unlike `STORED AS INPUTFORMAT …`.
    fn selects(&self) -> bool {
        let mut depth = 0_usize;
        for at in self.at..self.tokens.len() {
            match self.tokens[at].token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ if depth == 0 && self.is_word(at, "AS") && self.is_query(at + 1) => return true,
                _ => {}
            }
        }
        false
    }

    fn is_query(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| token.token == Token::LParen)
            || ["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|word| self.is_word(at, word))
    }

    /// The first token behind a semicolon.
    fn second_statement(&self) -> Option<&TokenWithSpan> {
        let end = self.tokens.iter().position(|token| token.token == Token::SemiColon)?;
        let rest = self.tokens[end..].iter();
        rest.clone().find(|token| !matches!(token.token, Token::SemiColon | Token::EOF))
    }
}
