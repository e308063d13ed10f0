//! Spellings the parser does not read, or reads otherwise: replaced among the tokens, one function
//! a spelling. Places stay true.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Functions with a lambda among their arguments; elsewhere `->` before a literal reads JSON.
const LAMBDA_TAKERS: [&str; 16] = [
    "all_match",
    "any_match",
    "array_filter",
    "array_sort",
    "array_transform",
    "filter",
    "map_filter",
    "map_zip_with",
    "none_match",
    "reduce",
    "reduce_agg",
    "regexp_replace",
    "transform",
    "transform_keys",
    "transform_values",
    "zip_with",
];

/// Replaces all of them.
pub(crate) fn replace(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut tokens = tokens;
    numbers(&mut tokens);
    unicode_escapes(&mut tokens);
    json_arrows(&mut tokens);
    group_by_quantifier(&mut tokens);
    null_tests(values_subqueries(tables(tokens)))
}

/// `m -> 'key'` of DuckDB and PostgreSQL reads a member of JSON, `x -> f(x)` is a lambda: the arrow
/// becomes `#>`, which nobody types, where it cannot be a lambda's.
fn json_arrows(tokens: &mut [TokenWithSpan]) {
    let mut calls: Vec<bool> = Vec::new();
    let mut arrows = Vec::new();
    let significant = significant(tokens);
    for (at, place) in significant.iter().enumerate() {
        let before = |back: usize| at.checked_sub(back).map(|at| &tokens[significant[at]].token);
        match &tokens[*place].token {
            Token::LParen => calls.push(matches!(before(1), Some(Token::Word(word))
                if LAMBDA_TAKERS.contains(&word.value.to_ascii_lowercase().as_str()))),
            Token::RParen => {
                calls.pop();
            }
            Token::Arrow => {
                let next = significant.get(at + 1).map(|next| &tokens[*next].token);
                let reads_json =
                    matches!(next, Some(Token::SingleQuotedString(_) | Token::Number(..)));
                let parameter = match before(1) {
                    Some(Token::Word(_)) => {
                        matches!(before(2), Some(Token::LParen | Token::Comma))
                    }
                    Some(Token::RParen) => true,
                    _ => false,
                };
                let lambda = parameter && (calls.last() == Some(&true) || !reads_json);
                if !lambda {
                    arrows.push(*place);
                }
            }
            _ => {}
        }
    }
    arrows.into_iter().for_each(|place| tokens[place].token = Token::HashArrow);
}

/// `0x1F`, `0b101`, `0o17`, `1_000`.
fn numbers(tokens: &mut [TokenWithSpan]) {
    for at in 0..tokens.len() {
        if let Token::Number(digits, _) = &mut tokens[at].token {
            digits.retain(|c| c != '_');
        }
        let width = tokens[at].span.end.column.saturating_sub(tokens[at].span.start.column);
        let next = tokens.get(at + 1).map(|next| &next.token);
        let (number, taken) = match (&tokens[at].token, next) {
            // `X'1F'` is one wider than `0x1F`.
            (Token::HexStringLiteral(digits), _) if width as usize == digits.len() + 2 => {
                (i64::from_str_radix(digits, 16).ok(), 1)
            }
            (Token::Number(zero, false), Some(Token::Word(word))) if zero == "0" => {
                let word = word.value.to_ascii_lowercase();
                let number = match word.split_at_checked(1) {
                    Some(("b", digits)) => i64::from_str_radix(digits, 2).ok(),
                    Some(("o", digits)) => i64::from_str_radix(digits, 8).ok(),
                    _ => None,
                };
                (number, 2)
            }
            _ => (None, 1),
        };
        if let Some(number) = number {
            tokens[at].token = Token::Number(number.to_string(), false);
            tokens[at + 1..at + taken].iter_mut().for_each(|rest| rest.token = space());
        }
    }
}

/// `U&'d#0061t' UESCAPE '#'`: the tokenizer has read the escapes with a backslash only.
fn unicode_escapes(tokens: &mut [TokenWithSpan]) {
    let places = significant(tokens);
    for window in places.windows(3) {
        let [text, keyword, escape] = window else { continue };
        let (
            Token::UnicodeStringLiteral(literal),
            Token::Word(word),
            Token::SingleQuotedString(escape_text),
        ) = (&tokens[*text].token, &tokens[*keyword].token, &tokens[*escape].token)
        else {
            continue;
        };
        let mut escape_chars = escape_text.chars();
        let (Some(character), None) = (escape_chars.next(), escape_chars.next()) else { continue };
        if !word.value.eq_ignore_ascii_case("uescape") {
            continue;
        }
        if let Some(decoded) = unescaped(literal, character) {
            tokens[*text].token = Token::SingleQuotedString(decoded);
            for place in [*keyword, *escape] {
                tokens[place].token = space();
            }
        }
    }
}

/// Returns the text with `#XXXX`, `#+XXXXXX` and `##` decoded; none when an escape is none.
fn unescaped(text: &str, escape: char) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(escape) {
        out.push_str(&rest[..at]);
        rest = &rest[at + escape.len_utf8()..];
        if let Some(after) = rest.strip_prefix(escape) {
            out.push(escape);
            rest = after;
            continue;
        }
        let (digits, after) = match rest.strip_prefix('+') {
            Some(long) => long.split_at_checked(6)?,
            None => rest.split_at_checked(4)?,
        };
        out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// `GROUP BY ALL x` is `GROUP BY x`, ALL being the default quantifier of grouping sets; `GROUP BY
/// AUTO` groups by whatever is not aggregated, which the parser calls ALL.
fn group_by_quantifier(tokens: &mut [TokenWithSpan]) {
    const ENDS: [Keyword; 8] = [
        Keyword::HAVING,
        Keyword::ORDER,
        Keyword::LIMIT,
        Keyword::OFFSET,
        Keyword::FETCH,
        Keyword::UNION,
        Keyword::EXCEPT,
        Keyword::INTERSECT,
    ];
    let places = significant(tokens);
    for (at, window) in places.windows(3).enumerate() {
        let [group, by, quantifier] = window else { continue };
        if keyword(&tokens[*group].token) != Some(Keyword::GROUP)
            || keyword(&tokens[*by].token) != Some(Keyword::BY)
        {
            continue;
        }
        let Token::Word(word) = &tokens[*quantifier].token else { continue };
        let next = places.get(at + 3).map(|next| &tokens[*next].token);
        let ends = match next {
            None | Some(Token::EOF | Token::SemiColon | Token::RParen) => true,
            Some(next) => keyword(next).is_some_and(|keyword| ENDS.contains(&keyword)),
        };
        match (word.value.to_ascii_uppercase().as_str(), ends) {
            ("ALL", false) => tokens[*quantifier].token = space(),
            ("AUTO", true) if word.quote_style.is_none() => {
                tokens[*quantifier].token = Token::make_keyword("ALL");
            }
            _ => {}
        }
    }
}

/// `TABLE events` is `SELECT * FROM events`.
fn tables(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    const BEFORE: [Keyword; 6] = [
        Keyword::UNION,
        Keyword::ALL,
        Keyword::DISTINCT,
        Keyword::EXCEPT,
        Keyword::INTERSECT,
        Keyword::EXPLAIN,
    ];
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.into_iter().peekable();
    let mut begins = true;
    while let Some(token) = rest.next() {
        let named = matches!(rest.peek().map(|next| &next.token), Some(Token::Whitespace(_)));
        if begins && named && keyword(&token.token) == Some(Keyword::TABLE) {
            let words = [Token::make_keyword("SELECT"), Token::Mul, Token::make_keyword("FROM")];
            out.extend(words.map(|word| TokenWithSpan { token: word, span: token.span }));
            begins = false;
            continue;
        }
        if !is_space(&token.token) {
            begins = token.token == Token::LParen
                || keyword(&token.token).is_some_and(|keyword| BEFORE.contains(&keyword));
        }
        out.push(token);
    }
    out
}

/// `ANY (VALUES 1, 2)`: a query for the parser where it wants one.
fn values_subqueries(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    const BEFORE: [Keyword; 5] =
        [Keyword::ANY, Keyword::ALL, Keyword::SOME, Keyword::IN, Keyword::EXISTS];
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // The depths at which a query was begun here.
    let (mut depth, mut begun) = (0_usize, Vec::new());
    let mut before: [Option<Token>; 2] = [None, None];
    for token in tokens {
        let span = token.span;
        let values = keyword(&token.token) == Some(Keyword::VALUES);
        let wanted = before[1] == Some(Token::LParen)
            && before[0].as_ref().and_then(keyword).is_some_and(|word| BEFORE.contains(&word));
        if values && wanted {
            let words = [
                Token::make_keyword("SELECT"),
                Token::Mul,
                Token::make_keyword("FROM"),
                Token::LParen,
            ];
            out.extend(words.map(|word| TokenWithSpan { token: word, span }));
            begun.push(depth);
        }
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                if begun.last() == Some(&depth) {
                    begun.pop();
                    out.push(TokenWithSpan { token: Token::RParen, span });
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        if !is_space(&token.token) {
            before = [before[1].take(), Some(token.token.clone())];
        }
        out.push(token);
    }
    out
}

/// `x ISNULL`, `x NOTNULL` of PostgreSQL.
fn null_tests(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut called = vec![false; tokens.len()];
    let mut before_parenthesis = false;
    for (at, token) in tokens.iter().enumerate().rev() {
        called[at] = before_parenthesis;
        if !is_space(&token.token) {
            before_parenthesis = token.token == Token::LParen;
        }
    }
    let mut out = Vec::with_capacity(tokens.len());
    for (token, called) in tokens.into_iter().zip(called) {
        let word = match &token.token {
            Token::Word(word) if word.quote_style.is_none() && !called => {
                word.value.to_ascii_uppercase()
            }
            _ => String::new(),
        };
        let words: &[&str] = match word.as_str() {
            "ISNULL" => &["IS", "NULL"],
            "NOTNULL" => &["IS", "NOT", "NULL"],
            _ => {
                out.push(token);
                continue;
            }
        };
        let span = token.span;
        out.extend(
            words.iter().map(|word| TokenWithSpan { token: Token::make_keyword(word), span }),
        );
    }
    out
}

fn significant(tokens: &[TokenWithSpan]) -> Vec<usize> {
    (0..tokens.len()).filter(|at| !is_space(&tokens[*at].token)).collect()
}

fn is_space(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

fn space() -> Token {
    Token::Whitespace(datafusion::sql::sqlparser::tokenizer::Whitespace::Space)
}

fn keyword(token: &Token) -> Option<Keyword> {
    match token {
        Token::Word(Word { keyword, quote_style: None, .. }) => Some(*keyword),
        _ => None,
    }
}
