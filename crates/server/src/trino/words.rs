//! The words of a statement: enough to tell what a driver asks for, and to leave everything else as
//! it was typed.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// `SELECT`, `events`.
    Word,
    /// `"events"`.
    Quoted,
    /// `'text'`.
    Text,
    /// `12`, `1.5`, `1e3`.
    Number,
    /// Any other character; also a quote that is never closed.
    Symbol,
}

/// A token, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    /// As typed, quotes included.
    pub(super) text: &'a str,
    /// The byte it starts at.
    pub(super) at: usize,
}

impl Token<'_> {
    /// Whether it is that word, in any case.
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_symbol(&self, symbol: char) -> bool {
        self.kind == TokenKind::Symbol && self.text.starts_with(symbol)
    }

    /// The name that it writes, in lower case unless it is quoted.
    pub(super) fn name(&self) -> Option<String> {
        match self.kind {
            TokenKind::Word => Some(self.text.to_lowercase()),
            TokenKind::Quoted => Some(unquoted(self.text, '"')),
            _ => None,
        }
    }

    /// The text that it writes.
    pub(super) fn string(&self) -> Option<String> {
        (self.kind == TokenKind::Text).then(|| unquoted(self.text, '\''))
    }
}

fn unquoted(text: &str, quote: char) -> String {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    inner.replace(&format!("{quote}{quote}"), &quote.to_string())
}

/// Splits a statement into tokens; white space and comments are none.
pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let (kind, length) = match first {
            c if c.is_whitespace() => (None, c.len_utf8()),
            '-' if rest.starts_with("--") => (None, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => {
                (None, rest[2..].find("*/").map_or(rest.len(), |end| end + 4))
            }
            '\'' => closed(rest, '\'', TokenKind::Text),
            '"' => closed(rest, '"', TokenKind::Quoted),
            c if c.is_alphabetic() || c == '_' => {
                let ends = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$' | '@'));
                (Some(TokenKind::Word), rest.find(ends).unwrap_or(rest.len()))
            }
            c if c.is_ascii_digit() => (Some(TokenKind::Number), number(rest)),
            c => (Some(TokenKind::Symbol), c.len_utf8()),
        };
        if let Some(kind) = kind {
            found.push(Token { kind, text: &rest[..length], at });
        }
        at += length;
    }
    found
}

/// A quoted piece: a doubled quote inside it stands for one.
fn closed(rest: &str, quote: char, kind: TokenKind) -> (Option<TokenKind>, usize) {
    let mut from = 1;
    while let Some(end) = rest[from..].find(quote) {
        from += end + 1;
        if !rest[from..].starts_with(quote) {
            return (Some(kind), from);
        }
        from += 1;
    }
    (Some(TokenKind::Symbol), rest.len())
}

fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(|byte| byte.is_ascii_digit() || *byte == b'_') {
            at += 1;
        }
        at
    };
    let mut at = digits(0);
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        if bytes.get(at + 1 + sign).is_some_and(u8::is_ascii_digit) {
            at = digits(at + 1 + sign);
        }
    }
    at
}

/// Reads a statement token by token.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    pub(super) sql: &'a str,
    tokens: Vec<Token<'a>>,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn of(sql: &'a str) -> Words<'a> {
        Words { sql, tokens: tokens(sql), at: 0 }
    }

    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// Reads `words` when they come next.
    pub(super) fn take(&mut self, words: &[&str]) -> bool {
        let next = self.tokens[self.at..].iter();
        let found = self.tokens.len() - self.at >= words.len()
            && next.zip(words).all(|(token, word)| token.is(word));
        self.at += if found { words.len() } else { 0 };
        found
    }

    /// Reads a symbol when it comes next.
    pub(super) fn symbol(&mut self, symbol: char) -> bool {
        let found = self.peek().is_some_and(|token| token.is_symbol(symbol));
        self.at += usize::from(found);
        found
    }

    /// Reads a name when one comes next.
    pub(super) fn name(&mut self) -> Option<String> {
        let name = self.peek()?.name()?;
        self.at += 1;
        Some(name)
    }

    /// Reads a text when one comes next.
    pub(super) fn string(&mut self) -> Option<String> {
        let text = self.peek()?.string()?;
        self.at += 1;
        Some(text)
    }

    /// Whether nothing is left but semicolons.
    pub(super) fn ended(&self) -> bool {
        self.tokens[self.at..].iter().all(|token| token.is_symbol(';'))
    }

    /// What was not read yet, as typed.
    pub(super) fn rest(&self) -> &'a str {
        self.peek().map_or("", |token| self.sql[token.at..].trim_end())
    }

    /// The line and column, both from 1, of the next token; of the end, when there is none.
    pub(super) fn place(&self) -> (usize, usize) {
        place(self.sql, self.peek().map_or(self.sql.len(), |token| token.at))
    }
}

/// Returns the line and the column, in characters and both from 1, of a byte of `sql`.
pub(super) fn place(sql: &str, at: usize) -> (usize, usize) {
    let before = &sql[..at];
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_split_as_it_was_typed() {
        let sql = "SELECT 'it''s -- no', \"a\"\"b\" /* c */ FROM t -- end\nWHERE x>=1.5e-3;'open";
        let texts: Vec<&str> = tokens(sql).iter().map(|token| token.text).collect();
        let expected = [
            "SELECT",
            "'it''s -- no'",
            ",",
            "\"a\"\"b\"",
            "FROM",
            "t",
            "WHERE",
            "x",
            ">",
            "=",
            "1.5e-3",
            ";",
            "'open",
        ];
        assert_eq!(texts, expected);
        assert_eq!(tokens(sql)[1].string().unwrap(), "it's -- no");
        assert_eq!(tokens(sql)[3].name().unwrap(), "a\"b");
        assert_eq!(place(sql, sql.find("WHERE").unwrap()), (2, 1));
    }
}
