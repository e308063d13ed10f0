//! One read-only statement: tokens, syntax tree, rewrites, headers as typed.

use datafusion::arrow::datatypes::Schema;
use datafusion::common::format::{ExplainFormat, ExplainStatementOptions};
use datafusion::sql::parser::{ExplainStatement, Statement};
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::dialect::TrinoDialect;
use crate::explain::placed;
use crate::rewrite::{self, conditions, headers::Headers, mistakes, recognise, tree};
use crate::tokens::{Tokens, tokenize};
use crate::{Kind, Names, Parameters, SqlError, nesting};

/// Nesting of expressions and queries at which parsing stops with an error.
const DEPTH_MAX: usize = 100;

/// What a statement does. All of them only read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// SELECT, VALUES, TABLE or WITH.
    Query,
    /// EXPLAIN of a query; with `analyze` it is run too.
    Explain {
        /// `EXPLAIN ANALYZE`.
        analyze: bool,
    },
    /// `EXPLAIN (TYPE VALIDATE)` of a query: whether it could be run.
    Validate,
    /// SHOW TABLES, COLUMNS, SCHEMAS, CATALOGS or FUNCTIONS.
    Show,
    /// DESCRIBE of a table.
    Describe,
}

/// A table as the statement names it; see [`Parsed::resolve_tables`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// Catalog, schema and table, as many as were typed, in canonical spelling.
    pub parts: Vec<String>,
    /// Line of the first part, from 1.
    pub line: usize,
    /// Column of the first part in characters, from 1.
    pub column: usize,
    /// Characters to underline.
    pub length: usize,
}

/// A parsed statement, ready for `SessionState::statement_to_plan` once its parameters are bound
/// and its tables resolved.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statement in DataFusion's syntax tree.
    pub statement: Statement,
    /// What it does.
    pub kind: StatementKind,
    /// Things the user should know: accepted, but not as typed.
    pub notes: Vec<String>,
    headers: Headers,
}

/// Parses one statement of CloudTrail Lake's SQL.
///
/// # Errors
/// [`SqlError`] with the place of the fault.
pub fn parse(sql: &str, names: &Names) -> Result<Parsed, SqlError> {
    let Tokens { tokens, typed } = tokenize(sql, names)?;
    nesting::check(&tokens)?;
    mistakes::check(&tokens)?;
    let words = statement_words(&tokens);
    let mut parser = Parser::new(&TrinoDialect)
        .with_recursion_limit(DEPTH_MAX)
        .with_tokens_with_locations(tokens.clone());
    let outcome = parse_statement(&mut parser, &words);
    let as_typed = || typed.restored(&tokens);
    let (kind, mut statement) = outcome.map_err(|fault| mistakes::explain(fault, &as_typed()))?;
    expect_end(&mut parser).map_err(|at| mistakes::after_the_end(at, &as_typed()))?;

    let mut notes = Vec::new();
    conditions::balance(&mut statement);
    let headers = Headers::of(&statement, &typed);
    rewrite::apply(&mut statement, &typed, names, &mut notes)
        .map_err(|error| placed(error, names, sql))?;
    let statement = match kind {
        StatementKind::Explain { analyze } => explain(statement, analyze),
        _ => Statement::Statement(Box::new(statement)),
    };
    Ok(Parsed { statement, kind, notes, headers })
}

/// The first words of the statement that are not comments: enough to tell its kind.
fn statement_words(tokens: &[TokenWithSpan]) -> Vec<Keyword> {
    tokens
        .iter()
        .filter_map(|token| match &token.token {
            Token::Word(word) => Some(word.keyword),
            Token::LParen => Some(Keyword::SELECT),
            _ => None,
        })
        .take(2)
        .collect()
}

type Outcome = Result<(StatementKind, ast::Statement), ParseFault>;

/// Why a statement was not parsed.
#[derive(Debug)]
pub(crate) enum ParseFault {
    Sql(SqlError),
    Parser(ParserError),
}

impl From<ParserError> for ParseFault {
    fn from(error: ParserError) -> Self {
        Self::Parser(error)
    }
}

fn parse_statement(parser: &mut Parser, words: &[Keyword]) -> Outcome {
    match words.first() {
        Some(Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE) => {
            Ok((StatementKind::Query, ast::Statement::Query(parser.parse_query()?)))
        }
        Some(Keyword::EXPLAIN) => {
            parser.next_token();
            let kind = parse_explain_options(parser)?;
            Ok((kind, ast::Statement::Query(parser.parse_query()?)))
        }
        Some(Keyword::SHOW) => Ok((StatementKind::Show, parser.parse_statement()?)),
        Some(Keyword::DESCRIBE | Keyword::DESC) => {
            Ok((StatementKind::Describe, parser.parse_statement()?))
        }
        _ => Err(not_read_only(parser)),
    }
}

/// `EXPLAIN [ANALYZE] [VERBOSE] [(TYPE …, FORMAT …)]`; returns what is asked for.
fn parse_explain_options(parser: &mut Parser) -> Result<StatementKind, ParseFault> {
    let analyze = parser.parse_keyword(Keyword::ANALYZE);
    let _verbose = parser.parse_keyword(Keyword::VERBOSE);
    let mut kind = StatementKind::Explain { analyze };
    let options = matches!(
        (&parser.peek_nth_token_ref(0).token, &parser.peek_nth_token_ref(1).token),
        (Token::LParen, Token::Word(word))
            if matches!(word.value.to_ascii_lowercase().as_str(), "type" | "format")
    );
    if !options {
        return Ok(kind);
    }
    parser.next_token();
    loop {
        let (name, value) = (parser.next_token(), parser.next_token());
        let lower = |token: &TokenWithSpan| token.token.to_string().to_ascii_lowercase();
        match (lower(&name).as_str(), lower(&value).as_str()) {
            ("format", "text") | ("type", "logical" | "distributed") => {}
            ("type", "validate") if !analyze => kind = StatementKind::Validate,
            _ => return Err(ParseFault::Sql(no_option(&name, &value))),
        }
        if !parser.consume_token(&Token::Comma) {
            parser.expect_token(&Token::RParen)?;
            return Ok(kind);
        }
    }
}

/// Returns why `EXPLAIN` has no such option: an answer of another form would be taken for that one.
fn no_option(name: &TokenWithSpan, value: &TokenWithSpan) -> SqlError {
    let typed = format!("{} {}", name.token, value.token).to_ascii_uppercase();
    let message = format!("`EXPLAIN ({typed})` is not supported");
    let hint = match typed.as_str() {
        "FORMAT JSON" | "FORMAT GRAPHVIZ" => {
            "EXPLAIN answers lines of text: write `(FORMAT TEXT)`, or nothing"
        }
        "TYPE IO" => {
            "EXPLAIN says how many files, rows and bytes of each table may be read: write \
             `(TYPE LOGICAL)`, or nothing"
        }
        _ => "there are `(TYPE LOGICAL)`, `DISTRIBUTED` and `VALIDATE`, and `(FORMAT TEXT)`",
    };
    tree::error_at(Kind::Unsupported, message, name.span).with_hint(hint)
}

fn not_read_only(parser: &Parser) -> ParseFault {
    let token = parser.peek_token();
    let (line, column) = (token.span.start.line as usize, token.span.start.column as usize);
    let length = token.token.to_string().chars().count();
    if let Some(mistake) = recognise::mistyped(&token) {
        return ParseFault::Sql(mistake);
    }
    let error = match &token.token {
        Token::EOF => SqlError::new(Kind::Syntax, "the statement is empty")
            .with_hint("start with SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE"),
        Token::Word(word) if word.keyword != Keyword::NoKeyword => SqlError::new(
            Kind::NotReadOnly,
            format!("`{}` statements cannot be run: a query only reads", word.value.to_uppercase()),
        )
        .with_hint("start with SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE")
        .at(line, column, length),
        other => SqlError::new(Kind::Syntax, format!("a statement cannot start with `{other}`"))
            .with_hint("start with SELECT, WITH, VALUES, EXPLAIN, SHOW or DESCRIBE")
            .at(line, column, length),
    };
    ParseFault::Sql(error)
}

/// What stands after the statement.
pub(crate) struct Rest {
    pub(crate) next: TokenWithSpan,
    /// Whether a semicolon has ended the statement.
    pub(crate) ended: bool,
}

fn expect_end(parser: &mut Parser) -> Result<(), Rest> {
    let mut ended = false;
    while parser.consume_token(&Token::SemiColon) {
        ended = true;
    }
    match parser.peek_token() {
        next if next.token == Token::EOF => Ok(()),
        next => Err(Rest { next, ended }),
    }
}

fn explain(statement: ast::Statement, analyze: bool) -> Statement {
    let options = ExplainStatementOptions {
        analyze,
        verbose: false,
        format: (!analyze).then_some(ExplainFormat::Indent),
        ..ExplainStatementOptions::default()
    };
    let statement = Box::new(Statement::Statement(Box::new(statement)));
    Statement::Explain(ExplainStatement { options, statement })
}

impl Parsed {
    /// Binds the parameters. Must be called (also with none) before the statement is planned.
    ///
    /// # Errors
    /// A parameter without a value, a value without a parameter, a value that does not fit.
    pub fn bind(&mut self, parameters: &Parameters) -> Result<(), SqlError> {
        self.tree().map_or(Ok(()), |tree| rewrite::parameters::bind(tree, parameters))
    }

    /// Calls `resolve` for every table the statement reads (not for its own WITH names); the name
    /// it returns replaces the typed one, which stays usable as a qualifier.
    ///
    /// # Errors
    /// The first error of `resolve`.
    pub fn resolve_tables(
        &mut self,
        resolve: impl FnMut(&TableName) -> Result<Option<Vec<String>>, SqlError>,
    ) -> Result<(), SqlError> {
        self.tree().map_or(Ok(()), |tree| rewrite::tables::resolve(tree, resolve))
    }

    /// Returns the headers of the answer as the user typed them; `schema` is the plan's.
    /// Trino's rules: an alias or the last part of a name, else `_colN`; duplicates are allowed.
    pub fn headers(&self, schema: &Schema) -> Vec<String> {
        self.headers.of_schema(schema)
    }

    fn tree(&mut self) -> Option<&mut ast::Statement> {
        let mut statement = &mut self.statement;
        loop {
            match statement {
                Statement::Explain(explain) => statement = &mut explain.statement,
                Statement::Statement(tree) => return Some(tree),
                _ => return None,
            }
        }
    }
}

/// Lower-cases the first letter: sqlparser's messages are sentences, ours are not.
pub(crate) fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
