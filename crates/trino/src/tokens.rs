//! Which words, and where: tokens with canonical spellings, bare UUIDs and ARNs as names.

use std::collections::HashMap;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{
    Location, Token, TokenWithSpan, Tokenizer, TokenizerError, Word,
};

use crate::dialect::TrinoDialect;
use crate::{Kind, Names, SqlError, spellings};

/// The tokens of a statement in canonical spelling, with what was typed.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<TokenWithSpan>,
    pub(crate) typed: Typed,
}

/// The spelling the user typed, by the place of the word; only where it is not the canonical one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed(HashMap<(u64, u64), String>);

impl Typed {
    /// Returns what the user typed for the identifier.
    pub(crate) fn spelling<'a>(
        &'a self,
        ident: &'a datafusion::sql::sqlparser::ast::Ident,
    ) -> &'a str {
        self.0.get(&place(ident.span.start)).map_or(ident.value.as_str(), String::as_str)
    }

    /// Returns the tokens with every word as the user typed it.
    pub(crate) fn restored(&self, tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
        let mut tokens = tokens.to_vec();
        for TokenWithSpan { token, span } in &mut tokens {
            if let (Token::Word(word), Some(typed)) = (token, self.0.get(&place(span.start))) {
                word.value.clone_from(typed);
            }
        }
        tokens
    }
}

fn place(location: Location) -> (u64, u64) {
    (location.line, location.column)
}

/// Splits `sql` into tokens. Every word gets its canonical spelling: that of `names`, else the
/// first one typed in this statement.
pub(crate) fn tokenize(sql: &str, names: &Names) -> Result<Tokens, SqlError> {
    let (text, bare_names) = hide_bare_names(sql);
    let mut tokens = Tokenizer::new(&TrinoDialect, &text)
        .tokenize_with_location()
        .map_err(|error| unreadable(&error))?;
    let mut typed = Typed::default();
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut after_colon = false;
    for TokenWithSpan { token, span } in &mut tokens {
        // A parameter's name (`:name`) is case-sensitive.
        let parameter = std::mem::replace(&mut after_colon, *token == Token::Colon);
        let Token::Word(word) = token else { continue };
        if parameter {
            continue;
        }
        if let Some(name) = bare_names.get(&word.value) {
            *word = quoted(name);
            continue;
        }
        let lower = word.value.to_lowercase();
        let canonical = names
            .spelling(&lower)
            .map(str::to_owned)
            .unwrap_or_else(|| seen.entry(lower).or_insert_with(|| word.value.clone()).clone());
        if canonical != word.value {
            typed.0.insert(place(span.start), std::mem::replace(&mut word.value, canonical));
        }
    }
    Ok(Tokens { tokens: spellings::replace(parenthesise_values(tokens)), typed })
}

fn quoted(name: &str) -> Word {
    Word { value: name.to_owned(), quote_style: Some('"'), keyword: Keyword::NoKeyword }
}

fn unreadable(error: &TokenizerError) -> SqlError {
    let TokenizerError { message, location } = error;
    SqlError::new(Kind::Syntax, crate::parse::lower_first(message)).at(
        location.line as usize,
        location.column as usize,
        1,
    )
}

/// Replaces UUIDs and ARNs that stand outside quotes and comments by words of the same length, so
/// that places stay true. Returns the text and what each word stands for.
///
/// CloudTrail Lake's table names are bare UUIDs, which may start with a digit: no lexer of SQL
/// reads them.
fn hide_bare_names(sql: &str) -> (String, HashMap<String, String>) {
    let mut text = String::with_capacity(sql.len());
    let mut names = HashMap::new();
    let mut rest = sql;
    let mut after_word = false;
    while let Some(first) = rest.chars().next() {
        let skipped = quoted_or_comment(rest);
        if skipped > 0 {
            text.push_str(&rest[..skipped]);
            rest = &rest[skipped..];
            after_word = false;
            continue;
        }
        let length = if after_word { 0 } else { uuid(rest).max(arn(rest)) };
        if length > 0 {
            let stand_in = format!("{:_<length$}", format!("bare_name_{}_", names.len()));
            names.insert(stand_in.clone(), rest[..length].to_owned());
            text.push_str(&stand_in);
            rest = &rest[length..];
            continue;
        }
        text.push(first);
        rest = &rest[first.len_utf8()..];
        after_word = first.is_alphanumeric() || matches!(first, '_' | '-' | '$');
    }
    (text, names)
}

/// Returns the bytes of the quoted text or comment that `text` starts with, else 0.
fn quoted_or_comment(text: &str) -> usize {
    let end = |from: usize, pattern: &str| {
        text[from..].find(pattern).map_or(text.len(), |at| from + at + pattern.len())
    };
    match text.as_bytes() {
        [b'\'', ..] => end(1, "'"),
        [b'"', ..] => end(1, "\""),
        [b'`', ..] => end(1, "`"),
        [b'-', b'-', ..] => end(2, "\n"),
        [b'/', b'*', ..] => end(2, "*/"),
        _ => 0,
    }
}

/// Returns the length of the UUID that `text` starts with, else 0.
fn uuid(text: &str) -> usize {
    const LENGTH: usize = 36;
    let bytes = text.as_bytes();
    let shaped = bytes.len() >= LENGTH
        && bytes[..LENGTH].iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
        && !text[LENGTH..].starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
    if shaped { LENGTH } else { 0 }
}

/// Returns the length of the ARN that `text` starts with, else 0.
fn arn(text: &str) -> usize {
    let starts = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("arn:"));
    if !starts {
        return 0;
    }
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '-' | '_' | '.')))
        .unwrap_or(text.len());
    let enough = text[..end].matches(':').count() >= 5 && end >= 20;
    if enough { end } else { 0 }
}

/// Puts parentheses around the single values of `VALUES 1, 2`, which sqlparser wants.
fn parenthesise_values(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out = Vec::with_capacity(tokens.len() + 8);
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let values = is_keyword(&token.token, &[Keyword::VALUES]);
        out.push(token);
        if !values {
            continue;
        }
        loop {
            while let Some(space) = rest.next_if(|next| is_space(&next.token)) {
                out.push(space);
            }
            if rest.peek().is_none_or(|next| matches!(next.token, Token::LParen | Token::EOF)) {
                break;
            }
            let item = item_of_values(&mut rest);
            let (Some(first), Some(last)) = (item.first(), item.last()) else { break };
            let (start, end) = (first.span, last.span);
            out.push(TokenWithSpan { token: Token::LParen, span: start });
            out.extend(item);
            out.push(TokenWithSpan { token: Token::RParen, span: end });
            match rest.next_if(|next| next.token == Token::Comma) {
                Some(comma) => out.push(comma),
                None => break,
            }
        }
    }
    out
}

/// Takes the tokens of one value: up to a comma, a closing parenthesis or a clause.
fn item_of_values(
    rest: &mut std::iter::Peekable<impl Iterator<Item = TokenWithSpan>>,
) -> Vec<TokenWithSpan> {
    const CLAUSES: [Keyword; 7] = [
        Keyword::ORDER,
        Keyword::LIMIT,
        Keyword::OFFSET,
        Keyword::FETCH,
        Keyword::UNION,
        Keyword::EXCEPT,
        Keyword::INTERSECT,
    ];
    let mut depth = 0_usize;
    let mut item = Vec::new();
    while let Some(next) = rest.peek() {
        let ends = match &next.token {
            Token::EOF | Token::SemiColon => true,
            Token::Comma | Token::RParen | Token::RBracket => depth == 0,
            token => depth == 0 && is_keyword(token, &CLAUSES),
        };
        if ends {
            break;
        }
        match next.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth -= 1,
            _ => {}
        }
        item.extend(rest.next());
    }
    item
}

fn is_space(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

fn is_keyword(token: &Token, keywords: &[Keyword]) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && keywords.contains(&word.keyword))
}
