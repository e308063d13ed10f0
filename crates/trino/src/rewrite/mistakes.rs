//! Mistakes that are seen in published queries, each with a hint: those no parser should see, and
//! the parser's own errors in our words.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::recognise::recognise;
use super::unsupported;
use crate::parse::{ParseFault, Rest, lower_first};
use crate::{Kind, SqlError};

/// Operators of other languages, and SQL's.
const OPERATORS: [(&[Token], &str, &str); 6] = [
    (&[Token::DoubleEq], "==", "="),
    (&[Token::Overlap], "&&", "AND"),
    (&[Token::Eq, Token::Lt], "=<", "<="),
    (&[Token::Eq, Token::Gt], "=>", ">="),
    (&[Token::RArrow], "=>", ">="),
    (&[Token::Assignment], ":=", "="),
];

/// Finds mistakes that no parser should see: placeholders left in, doubled keywords, operators of
/// other languages, constructs that are not run.
pub(crate) fn check(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let words: Vec<&TokenWithSpan> = significant(tokens).collect();
    for (at, token) in words.iter().enumerate() {
        let next = words.get(at + 1).map(|next| &next.token);
        match &token.token {
            Token::Placeholder(name) if name.starts_with('$') => {
                return Err(placeholder(name, token));
            }
            Token::Word(word)
                if word.keyword == Keyword::FROM && keyword_is(next, Keyword::FROM) =>
            {
                return Err(at_token(Kind::Syntax, "`FROM` stands twice", words[at + 1])
                    .with_hint("remove one `FROM`"));
            }
            Token::Comma if keyword_is(next, Keyword::FROM) => {
                return Err(at_token(Kind::Syntax, "a column is missing after the comma", token)
                    .with_hint("remove the comma before `FROM`"));
            }
            Token::Char(c) if matches!(c, '‘' | '’' | '“' | '”') => {
                let message = format!("`{c}` is a typographic quote");
                return Err(at_token(Kind::Syntax, message, token)
                    .with_hint("use straight quotes: 'text', \"name\""));
            }
            _ => {}
        }
        operator(&words[at..])?;
    }
    unsupported::check(&words)
}

fn operator(tokens: &[&TokenWithSpan]) -> Result<(), SqlError> {
    for (spelling, typed, meant) in OPERATORS {
        let stands = spelling.len() <= tokens.len()
            && spelling.iter().zip(tokens).all(|(token, typed)| *token == typed.token)
            && tokens
                .windows(2)
                .take(spelling.len() - 1)
                .all(|pair| pair[0].span.end == pair[1].span.start);
        if stands {
            return Err(at_token(
                Kind::Syntax,
                format!("`{typed}` is no operator of SQL"),
                tokens[0],
            )
            .with_hint(format!("write `{meant}`")));
        }
    }
    Ok(())
}

pub(crate) fn placeholder(name: &str, token: &TokenWithSpan) -> SqlError {
    at_token(Kind::Parameter, format!("`{name}` is a placeholder that was not filled in"), token)
        .with_hint("put the table's name there, such as `events`, or use a parameter `:name`")
}

/// Turns the parser's error into ours: a recognised mistake, else what was expected and where.
pub(crate) fn explain(fault: ParseFault, tokens: &[TokenWithSpan]) -> SqlError {
    let error = match fault {
        ParseFault::Sql(error) => return error,
        ParseFault::Parser(error) => error,
    };
    let message = match error {
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        ParserError::RecursionLimitExceeded => {
            return SqlError::new(Kind::Unsupported, "the statement is nested too deeply");
        }
    };
    let (text, place) = split_place(&message);
    let found = place.and_then(|place| position(tokens, place));
    let end = || tokens.iter().position(|token| token.token == Token::EOF);
    if let Some(mistake) = found.and_then(|at| recognise(tokens, at)) {
        return mistake;
    }
    let text = text.trim_start_matches("sql parser error: ");
    let error = SqlError::new(Kind::Syntax, quote_found(&lower_first(text)));
    match (found.or_else(|| text.ends_with("found: EOF").then(end).flatten()), place) {
        (Some(at), _) => place_at(error, &tokens[at]),
        (None, Some((line, column))) => error.at(line, column, 1),
        (None, None) => error,
    }
}

/// What stands after a whole statement.
pub(crate) fn after_the_end(Rest { next, ended }: Rest, tokens: &[TokenWithSpan]) -> SqlError {
    let place = (next.span.start.line as usize, next.span.start.column as usize);
    if ended {
        return at_token(Kind::Syntax, "a second statement starts here", &next)
            .with_hint("run one statement at a time");
    }
    let at = position(tokens, place);
    if let Some(mistake) = at.and_then(|at| recognise(tokens, at)) {
        return mistake;
    }
    let found = at.map_or(&next, |at| &tokens[at]);
    let message = format!("expected the end of the statement, found `{}`", found.token);
    at_token(Kind::Syntax, message, found)
}

fn significant(tokens: &[TokenWithSpan]) -> impl Iterator<Item = &TokenWithSpan> {
    tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)))
}

fn keyword_is(token: Option<&Token>, keyword: Keyword) -> bool {
    matches!(token, Some(Token::Word(word)) if word.keyword == keyword)
}

pub(crate) fn at_token(kind: Kind, message: impl Into<String>, token: &TokenWithSpan) -> SqlError {
    place_at(SqlError::new(kind, message), token)
}

fn place_at(error: SqlError, token: &TokenWithSpan) -> SqlError {
    let start = token.span.start;
    if start.line == 0 {
        return error;
    }
    error.at(start.line as usize, start.column as usize, token.token.to_string().chars().count())
}

fn position(tokens: &[TokenWithSpan], (line, column): (usize, usize)) -> Option<usize> {
    tokens.iter().position(|token| {
        let start = token.span.start;
        (start.line as usize, start.column as usize) == (line, column)
    })
}

/// Takes ` at Line: 1, Column: 8` off a message.
fn split_place(message: &str) -> (&str, Option<(usize, usize)>) {
    let Some((text, place)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let numbers = place.split_once(", Column: ").and_then(|(line, column)| {
        Some((line.parse().ok()?, column.trim_end_matches('.').trim().parse().ok()?))
    });
    (text, numbers)
}

/// `expected: x, found: y` with the found token quoted.
fn quote_found(message: &str) -> String {
    match message.split_once(", found: ") {
        Some((expected, "EOF")) => {
            format!("{}, but the statement ends", expected.replacen("expected: ", "expected ", 1))
        }
        Some((expected, found)) => {
            format!("{}, found `{found}`", expected.replacen("expected: ", "expected ", 1))
        }
        None => message.to_owned(),
    }
}
