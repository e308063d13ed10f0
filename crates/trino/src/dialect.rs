//! What the parser accepts beyond sqlparser's generic SQL.

use std::any::TypeId;

use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, Ident, ObjectName};
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::rewrite::{json_calls, tree};

/// Trino's dialect.
///
/// It passes for [`GenericDialect`], because sqlparser asks for that one by type in a hundred
/// places (UNNEST among them), and adds what Trino has: lambdas, nested types in CAST, typed
/// literals of any type.
#[derive(Debug, Default)]
pub(crate) struct TrinoDialect;

impl Dialect for TrinoDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }
    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }
    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || c == '_' || c == '$'
    }
    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"' || c == '`'
    }
    fn supports_lambda_functions(&self) -> bool {
        true
    }
    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }
    fn supports_group_by_expr(&self) -> bool {
        true
    }
    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }
    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }
    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }
    fn supports_interval_options(&self) -> bool {
        true
    }
    fn supports_unicode_string_literal(&self) -> bool {
        true
    }
    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }
    fn supports_explain_with_utility_options(&self) -> bool {
        true
    }
    fn allow_extract_custom(&self) -> bool {
        true
    }
    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }
    /// `json ->> 'key' = 'x'` compares what was read, as in PostgreSQL: the arrows bind tighter than
    /// comparisons and arithmetic.
    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::PgOther => GenericDialect.prec_value(Precedence::AtTz) + 1,
            other => GenericDialect.prec_value(other),
        }
    }

    /// `value:member` of other databases is refused where it stands: read as an operator, its
    /// member would swallow a word that belongs to something else.
    fn parse_infix(
        &self,
        parser: &mut Parser,
        _expr: &Expr,
        _precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        let next = parser.peek_token();
        (next.token == Token::Colon).then(|| parser.expected("an operator", next))
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let Token::Word(word) = &parser.peek_token_ref().token else { return None };
        if word.quote_style.is_some() {
            return None;
        }
        let (keyword, name) = (word.keyword, word.value.to_ascii_lowercase());
        match parser.peek_nth_token_ref(1).token {
            Token::LParen => match keyword {
                Keyword::CAST => Some(parse_cast(parser, CastKind::Cast)),
                Keyword::TRY_CAST => Some(parse_cast(parser, CastKind::TryCast)),
                _ if json_calls::is_call(&name) => Some(json_calls::parse(parser, &name)),
                Keyword::TRIM => parse_trim(parser),
                _ => None,
            },
            Token::SingleQuotedString(_) if is_literal_type(&name) => {
                Some(parse_literal(parser, &name))
            }
            _ => None,
        }
    }
}

/// Types whose literals are `TYPE 'text'` and which sqlparser does not read as such. (`DATE`,
/// `TIME`, `TIMESTAMP` and `INTERVAL` it does.)
fn is_literal_type(name: &str) -> bool {
    matches!(
        name,
        "json"
            | "ipaddress"
            | "uuid"
            | "varchar"
            | "double"
            | "real"
            | "decimal"
            | "bigint"
            | "integer"
            | "smallint"
            | "tinyint"
            | "boolean"
    )
}

fn parse_literal(parser: &mut Parser, type_name: &str) -> Result<Expr, ParserError> {
    parser.next_token();
    let value = parser.parse_value()?;
    let span = value.span;
    match type_name {
        // A literal of type json is JSON text; a cast would make a JSON string of it.
        "json" => Ok(tree::call("json_parse", vec![Expr::Value(value)], span)),
        // The literal has the precision and the scale that its text has.
        "decimal" => {
            let text = value.to_string();
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
            let scale = text.split_once('.').map_or(0, |(_, fraction)| digits(fraction));
            let name = format!("decimal({}, {scale})", digits(&text).max(1));
            Ok(cast(CastKind::Cast, Expr::Value(value), &name))
        }
        _ => Ok(cast(CastKind::Cast, Expr::Value(value), type_name)),
    }
}

/// `CAST(expr AS type)`: the type is kept as text, since sqlparser's tree has no room for Trino's
/// (`array(row(x integer))`, `map(varchar, json)`, `ipaddress`); the rewrite of casts reads it.
fn parse_cast(parser: &mut Parser, kind: CastKind) -> Result<Expr, ParserError> {
    parser.next_token();
    parser.expect_token(&Token::LParen)?;
    let expr = parser.parse_expr()?;
    parser.expect_keyword(Keyword::AS)?;
    let type_name = parse_type_text(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(cast(kind, expr, &type_name))
}

fn cast(kind: CastKind, expr: Expr, type_name: &str) -> Expr {
    let name = ObjectName::from(vec![Ident::with_quote('"', type_name)]);
    let data_type = DataType::Custom(name, Vec::new());
    Expr::Cast { kind, expr: Box::new(expr), data_type, array: false, format: None }
}

/// `TRIM(LEADING FROM x)`, which sqlparser reads only with characters to trim, and
/// `TRIM(x, characters)`, which it does not read; none for what it reads.
fn parse_trim(parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
    let word = |at: usize| match &parser.peek_nth_token_ref(at).token {
        Token::Word(word) => word.keyword,
        _ => Keyword::NoKeyword,
    };
    let name = match (word(2), word(3)) {
        (Keyword::LEADING, Keyword::FROM) => "ltrim",
        (Keyword::TRAILING, Keyword::FROM) => "rtrim",
        (Keyword::BOTH, Keyword::FROM) => "trim",
        (Keyword::LEADING | Keyword::TRAILING | Keyword::BOTH, _) => return None,
        _ => return Some(parse_trim_of_both(parser)),
    };
    let span = parser.next_token().span;
    (0..3).for_each(|_| parser.advance_token());
    let value = parser.parse_expr();
    let end = |parser: &mut Parser| parser.expect_token(&Token::RParen);
    Some(value.and_then(|value| end(parser).map(|_| tree::call(name, vec![value], span))))
}

/// `TRIM(x)`, `TRIM(x, characters)`, `TRIM(characters FROM x)`.
fn parse_trim_of_both(parser: &mut Parser) -> Result<Expr, ParserError> {
    let span = parser.next_token().span;
    parser.expect_token(&Token::LParen)?;
    let mut args = vec![parser.parse_expr()?];
    if parser.consume_token(&Token::Comma) {
        args.push(parser.parse_expr()?);
    } else if parser.parse_keyword(Keyword::FROM) {
        args.insert(0, parser.parse_expr()?);
    }
    parser.expect_token(&Token::RParen)?;
    Ok(tree::call("trim", args, span))
}

/// Reads tokens up to the parenthesis that ends the cast.
fn parse_type_text(parser: &mut Parser) -> Result<String, ParserError> {
    let mut text = String::new();
    let mut depth = 0_usize;
    loop {
        match &parser.peek_token_ref().token {
            Token::RParen if depth == 0 && !text.is_empty() => return Ok(text),
            Token::LParen => depth += 1,
            Token::RParen if depth > 0 => depth -= 1,
            Token::Word(_)
            | Token::Number(..)
            | Token::Comma
            | Token::Lt
            | Token::Gt
            | Token::Colon => {}
            Token::LBracket | Token::RBracket => {}
            _ => return parser.expected("a type", parser.peek_token()),
        }
        let token = parser.next_token().token;
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&token.to_string());
    }
}
