//! The place of what an error names.
//!
//! The engine keeps the places of columns and functions only. A literal or a field that a message
//! names is looked for among the words of the statement instead.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan};

use crate::Names;
use crate::tokens::tokenize;

/// Returns where `sql` holds the literal, the field or the index that `message` names; none when
/// that cannot be told.
pub(super) fn of_named(message: &str, names: &Names, sql: &str) -> Option<Span> {
    let mut tokens = tokenize(sql, names).ok()?.tokens;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let statement = Words { tokens: &tokens, message: message.split(';').next()? };
    let mut fields = (0..tokens.len()).filter(|at| statement.is_field(*at));
    // A misspelt field is wrong wherever it stands; of two equal literals one may be right.
    if let Some(first) = fields.next() {
        return Some(tokens[first].span);
    }
    let is_value = |at: &usize| {
        let is_number = statement.is_compared_number(*at) || statement.is_index(*at);
        is_number || statement.is_literal(*at) || statement.is_column(*at)
    };
    let mut values = (0..tokens.len()).filter(is_value);
    let (only, second) = (values.next()?, values.next());
    second.is_none().then(|| tokens[only].span)
}

/// The words of a statement, and what is said about one of them.
struct Words<'a> {
    tokens: &'a [TokenWithSpan],
    message: &'a str,
}

impl Words<'_> {
    fn before(&self, at: usize, back: usize) -> Option<&Token> {
        at.checked_sub(back).map(|at| &self.tokens[at].token)
    }

    fn after(&self, at: usize) -> Option<&Token> {
        self.tokens.get(at + 1).map(|next| &next.token)
    }

    /// `row.name` where the message says that there is no such field.
    fn is_field(&self, at: usize) -> bool {
        let Token::Word(word) = &self.tokens[at].token else { return false };
        let named = self.message.split_once("has no field `").map(|(_, rest)| rest);
        named.and_then(|rest| rest.strip_suffix('`')).is_some_and(|name| {
            name.to_lowercase() == word.value.to_lowercase()
                && self.before(at, 1) == Some(&Token::Period)
        })
    }

    /// A name of which the message says that it is ambiguous, where it does not name something.
    fn is_column(&self, at: usize) -> bool {
        let Token::Word(word) = &self.tokens[at].token else { return false };
        let named = self.message.strip_prefix("column `").and_then(|rest| rest.split_once('`'));
        let is_named = named.is_some_and(|(name, rest)| {
            rest.starts_with(" is ambiguous") && name.eq_ignore_ascii_case(&word.value)
        });
        let names = match self.before(at, 1) {
            Some(Token::Word(before)) => {
                matches!(before.keyword, Keyword::AS | Keyword::NoKeyword)
            }
            Some(before) => matches!(before, Token::RParen | Token::Number(..)),
            None => true,
        };
        is_named && !names
    }

    /// A text that the message quotes. What a column holds may read like a text that the column is
    /// compared with, so such a text is meant only where comparing is the fault.
    fn is_literal(&self, at: usize) -> bool {
        let Token::SingleQuotedString(text) = &self.tokens[at].token else { return false };
        let quoted = [format!("'{text}'"), format!("`{text}`")];
        let quoted = quoted.iter().any(|quoted| self.message.contains(quoted))
            || self.message.ends_with(&format!(": {text}"));
        let compared =
            self.before(at, 1).is_some_and(compares) || self.after(at).is_some_and(compares);
        let faulty = self.message.contains("is compared with")
            || (self.message.starts_with("cannot cast") && !self.casts());
        !text.is_empty() && quoted && (!compared || faulty)
    }

    /// Whether the statement casts; where it does not, comparing does.
    fn casts(&self) -> bool {
        self.tokens.iter().any(|token| match &token.token {
            Token::Word(word) => matches!(word.keyword, Keyword::CAST | Keyword::TRY_CAST),
            token => *token == Token::DoubleColon,
        })
    }

    /// A number that a text is compared with.
    fn is_compared_number(&self, at: usize) -> bool {
        let Token::Number(digits, _) = &self.tokens[at].token else { return false };
        self.message.starts_with(&format!("`{digits}` is compared with text"))
    }

    /// `array[5]` of an array with fewer elements.
    fn is_index(&self, at: usize) -> bool {
        let Token::Number(digits, _) = &self.tokens[at].token else { return false };
        let index = match (self.before(at, 2), self.before(at, 1), self.after(at)) {
            (_, Some(Token::LBracket), Some(Token::RBracket)) => digits.clone(),
            (Some(Token::LBracket), Some(Token::Minus), Some(Token::RBracket)) => {
                format!("-{digits}")
            }
            _ => return false,
        };
        match self.message.split_once(": ") {
            Some((what, rest)) if what.starts_with("array subscript") => {
                rest.split(' ').next() == Some(index.as_str())
            }
            _ => self.message == "SQL array indices start at 1" && index == "0",
        }
    }
}

fn compares(token: &Token) -> bool {
    match token {
        Token::Eq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq => true,
        Token::Word(word) => matches!(word.keyword, Keyword::LIKE | Keyword::BETWEEN),
        _ => false,
    }
}
