//! `json_exists`, `json_value`, `json_query`, `json_object`, `json_array`: calls with clauses of
//! their own, read by the parser and turned into plain calls
//! (<https://trino.io/docs/current/functions/json.html>).

use datafusion::sql::sqlparser::ast::{Expr, Function};
use datafusion::sql::sqlparser::dialect::{Dialect, Precedence};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Span, Token};

use super::{internal, tree};
use crate::dialect::TrinoDialect;

/// Returns whether a call of this name, in lower case, has such clauses.
pub(crate) fn is_call(name: &str) -> bool {
    matches!(name, "json_exists" | "json_value" | "json_query" | "json_object" | "json_array")
}

/// Reads a call whose name comes next.
///
/// # Errors
/// sqlparser's, with what was expected.
pub(crate) fn parse(parser: &mut Parser, name: &str) -> Result<Expr, ParserError> {
    let span = parser.next_token().span;
    parser.expect_token(&Token::LParen)?;
    let call = match name {
        "json_object" => object(parser, span)?,
        "json_array" => array(parser, span)?,
        _ => path_call(parser, name, span)?,
    };
    parser.expect_token(&Token::RParen)?;
    Ok(call)
}

fn accept(parser: &mut Parser, word: &str) -> bool {
    let next = matches!(
        &parser.peek_token_ref().token,
        Token::Word(next) if next.quote_style.is_none() && next.value.eq_ignore_ascii_case(word)
    );
    if next {
        parser.next_token();
    }
    next
}

fn need(parser: &mut Parser, word: &str) -> Result<(), ParserError> {
    match accept(parser, word) {
        true => Ok(()),
        false => parser.expected(&word.to_uppercase(), parser.peek_token()),
    }
}

/// `FORMAT JSON`: the text is JSON, not a JSON string.
fn formatted(parser: &mut Parser, value: Expr, span: Span) -> Result<Expr, ParserError> {
    if accept(parser, "format") {
        need(parser, "json")?;
        if accept(parser, "encoding") {
            need(parser, "utf8")?;
        }
        return Ok(tree::call("json_parse", vec![value], span));
    }
    Ok(match is_json_call(&value) {
        true => tree::call("json_parse", vec![value], span),
        false => value,
    })
}

fn is_json_call(value: &Expr) -> bool {
    let Expr::Function(Function { name, .. }) = value else { return false };
    matches!(name.to_string().as_str(), "$json_query" | "$json_object" | "$json_array")
}

/// `RETURNING type [FORMAT JSON]`; the type's text.
fn returning(parser: &mut Parser) -> Result<Option<String>, ParserError> {
    if !accept(parser, "returning") {
        return Ok(None);
    }
    let Token::Word(word) = parser.next_token().token else {
        return parser.expected("a type", parser.peek_token());
    };
    let mut name = word.value;
    if parser.consume_token(&Token::LParen) {
        name.push('(');
        loop {
            let token = parser.next_token().token;
            name.push_str(&token.to_string());
            match token {
                Token::RParen => break,
                Token::Number(..) | Token::Comma => {}
                _ => return parser.expected("a length", parser.peek_token()),
            }
        }
    }
    if name.eq_ignore_ascii_case("double") && accept(parser, "precision") {
        name.push_str(" precision");
    }
    let next_is = |parser: &Parser, word: &str| {
        matches!(
            &parser.peek_nth_token_ref(1).token,
            Token::Word(next) if next.value.eq_ignore_ascii_case(word)
        )
    };
    if next_is(parser, "time") && (accept(parser, "with") || accept(parser, "without")) {
        need(parser, "time")?;
        need(parser, "zone")?;
        name.push_str(" with time zone");
    }
    if accept(parser, "format") {
        need(parser, "json")?;
    }
    Ok(Some(name))
}

/// What `ON EMPTY` and `ON ERROR` say: a word, and the value of `DEFAULT`.
#[derive(Default)]
struct Handling {
    empty: Option<(String, Option<Expr>)>,
    error: Option<(String, Option<Expr>)>,
}

fn handling(parser: &mut Parser) -> Result<Handling, ParserError> {
    let mut handling = Handling::default();
    while !matches!(parser.peek_token_ref().token, Token::RParen) {
        let words = ["error", "null", "true", "false", "unknown", "empty", "default"];
        let Some(word) = words.into_iter().find(|word| accept(parser, word)) else {
            return parser.expected("ON EMPTY, ON ERROR or `)`", parser.peek_token());
        };
        let outcome = match word {
            "default" => ("default".to_owned(), Some(parser.parse_expr()?)),
            "empty" if accept(parser, "object") => ("object".to_owned(), None),
            "empty" => {
                accept(parser, "array");
                ("array".to_owned(), None)
            }
            word => (word.to_owned(), None),
        };
        need(parser, "on")?;
        match accept(parser, "empty") {
            true => handling.empty = Some(outcome),
            false => {
                need(parser, "error")?;
                handling.error = Some(outcome);
            }
        }
    }
    Ok(handling)
}

/// `json_exists`, `json_value`, `json_query`.
fn path_call(parser: &mut Parser, name: &str, span: Span) -> Result<Expr, ParserError> {
    let input = parser.parse_expr()?;
    if accept(parser, "format") {
        need(parser, "json")?;
    }
    parser.expect_token(&Token::Comma)?;
    let path = Expr::Value(parser.parse_value()?);
    let mut passed = Vec::new();
    if accept(parser, "passing") {
        loop {
            let value = parser.parse_expr()?;
            let value = formatted(parser, value, span)?;
            need(parser, "as")?;
            let ident = parser.parse_identifier()?;
            // As in Trino, a name without quotes is in upper case.
            let name = match ident.quote_style {
                Some(_) => ident.value,
                None => ident.value.to_uppercase(),
            };
            passed.extend([tree::text(&name, ident.span), value]);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
    }
    let returned = match name {
        "json_exists" => None,
        _ => returning(parser)?,
    };
    let (wrapper, quotes) = match name {
        "json_query" => (wrapper(parser)?, quotes(parser)?),
        _ => ("without", "keep"),
    };
    let Handling { empty, error } = handling(parser)?;
    let absent = || ("null".to_owned(), None);
    let (on_empty, if_empty) = empty.unwrap_or_else(absent);
    let (on_error, if_error) = error.unwrap_or_else(|| match name {
        "json_exists" => ("false".to_owned(), None),
        _ => absent(),
    });
    let word = |word: &str| tree::text(word, span);
    let mut args = vec![input, path, word(&on_error)];
    match name {
        "json_exists" => {}
        "json_value" => {
            let kind = returned.clone().unwrap_or_else(|| "varchar".to_owned());
            args.extend([word(&on_empty), word(&kind)]);
            args.extend([if_empty, if_error].map(|value| value.unwrap_or_else(tree::null)));
        }
        _ => args.extend([word(&on_empty), word(wrapper), word(quotes)]),
    }
    args.extend(passed);
    let call = tree::call(&format!("${name}"), args, span);
    Ok(match (name, returned) {
        ("json_query", Some(kind)) => cast(call, &kind, span),
        _ => call,
    })
}

fn cast(value: Expr, kind: &str, span: Span) -> Expr {
    tree::call(internal::CAST, vec![value, tree::text(kind, span)], span)
}

fn wrapper(parser: &mut Parser) -> Result<&'static str, ParserError> {
    let kind = if accept(parser, "without") {
        "without"
    } else if accept(parser, "with") {
        match accept(parser, "conditional") {
            true => "conditional",
            false => {
                accept(parser, "unconditional");
                "unconditional"
            }
        }
    } else {
        return Ok("without");
    };
    accept(parser, "array");
    need(parser, "wrapper")?;
    Ok(kind)
}

fn quotes(parser: &mut Parser) -> Result<&'static str, ParserError> {
    let kind = if accept(parser, "omit") {
        "omit"
    } else if accept(parser, "keep") {
        "keep"
    } else {
        return Ok("keep");
    };
    need(parser, "quotes")?;
    if accept(parser, "on") {
        need(parser, "scalar")?;
        need(parser, "string")?;
    }
    Ok(kind)
}

/// `NULL ON NULL`, `ABSENT ON NULL`.
fn on_null(parser: &mut Parser, otherwise: &'static str) -> Result<&'static str, ParserError> {
    let kind = if accept(parser, "absent") {
        "absent"
    } else if accept(parser, "null") {
        "null"
    } else {
        return Ok(otherwise);
    };
    need(parser, "on")?;
    need(parser, "null")?;
    Ok(kind)
}

fn at_clause(parser: &Parser) -> bool {
    let is = |at: usize, words: &[&str]| {
        matches!(
            &parser.peek_nth_token_ref(at).token,
            Token::Word(next) if words.iter().any(|word| next.value.eq_ignore_ascii_case(word))
        )
    };
    matches!(parser.peek_token_ref().token, Token::RParen)
        || is(0, &["returning"])
        || (is(0, &["absent", "null"]) && is(1, &["on"]))
        || (is(0, &["with", "without"]) && is(1, &["unique"]))
}

fn array(parser: &mut Parser, span: Span) -> Result<Expr, ParserError> {
    let mut values = Vec::new();
    while !at_clause(parser) {
        let value = parser.parse_expr()?;
        values.push(formatted(parser, value, span)?);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let nulls = tree::text(on_null(parser, "absent")?, span);
    let returned = returning(parser)?;
    let call = tree::call("$json_array", std::iter::once(nulls).chain(values).collect(), span);
    Ok(returned.map_or(call.clone(), |kind| cast(call, &kind, span)))
}

fn object(parser: &mut Parser, span: Span) -> Result<Expr, ParserError> {
    let mut members = Vec::new();
    while !at_clause(parser) {
        accept(parser, "key");
        // What stands after a colon is the value, not a member of the key.
        let key = parser.parse_subexpr(TrinoDialect.prec_value(Precedence::Colon))?;
        if !parser.consume_token(&Token::Colon) {
            need(parser, "value")?;
        }
        let value = parser.parse_expr()?;
        members.extend([key, formatted(parser, value, span)?]);
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    let nulls = on_null(parser, "null")?;
    let unique = accept(parser, "with");
    if unique || accept(parser, "without") {
        need(parser, "unique")?;
        accept(parser, "keys");
    }
    let returned = returning(parser)?;
    let unique = if unique { "unique" } else { "any" };
    let mut args = vec![tree::text(nulls, span), tree::text(unique, span)];
    args.extend(members);
    let call = tree::call("$json_object", args, span);
    Ok(returned.map_or(call.clone(), |kind| cast(call, &kind, span)))
}
