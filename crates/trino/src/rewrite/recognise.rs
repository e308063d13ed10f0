//! Mistakes recognised where the parser stopped: each has a hint.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::mistakes::at_token;
use crate::names::edit_distance;
use crate::{Kind, SqlError};

/// Keywords that follow another word so often that they are typed without the space.
const RUN_TOGETHER: [&str; 9] =
    ["ORDER", "LIMIT", "GROUP", "WHERE", "FROM", "HAVING", "AND", "UNION", "DESC"];

/// Keywords that are mistyped so often that a word near one stands for it.
const MISTYPED: [&str; 14] = [
    "SELECT", "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "BETWEEN", "UNION",
    "DISTINCT", "JOIN", "EXPLAIN", "DESCRIBE",
];

/// The clauses of a query in the order they stand.
const CLAUSES: [Keyword; 8] = [
    Keyword::FROM,
    Keyword::WHERE,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::WINDOW,
    Keyword::ORDER,
    Keyword::OFFSET,
    Keyword::LIMIT,
];

/// Returns the mistake at the token where the parser stopped, when it is a known one.
pub(crate) fn recognise(tokens: &[TokenWithSpan], at: usize) -> Option<SqlError> {
    let place = Place { tokens, at };
    place
        .run_together()
        .or_else(|| place.placeholder())
        .or_else(|| place.second_select())
        .or_else(|| place.colon())
        .or_else(|| place.clause_out_of_order())
        .or_else(|| place.mistyped())
        .or_else(|| place.comma())
        .or_else(|| place.quotes())
}

struct Place<'a> {
    tokens: &'a [TokenWithSpan],
    at: usize,
}

impl<'a> Place<'a> {
    fn found(&self) -> &'a TokenWithSpan {
        &self.tokens[self.at]
    }

    /// The tokens before the place, the last one first.
    fn before(&self) -> impl Iterator<Item = &'a TokenWithSpan> {
        let before = self.tokens[..self.at].iter().rev();
        before.filter(|token| !matches!(token.token, Token::Whitespace(_)))
    }

    fn after(&self) -> impl Iterator<Item = &'a TokenWithSpan> {
        let after = self.tokens[self.at + 1..].iter();
        after.filter(|token| !matches!(token.token, Token::Whitespace(_)))
    }

    /// `eventNameORDER BY`, `DESCLIMIT 10`.
    fn run_together(&self) -> Option<SqlError> {
        for token in std::iter::once(self.found()).chain(self.before().take(2)) {
            let Some(word) = plain_word(&token.token) else { continue };
            let run = RUN_TOGETHER.iter().find(|keyword| {
                word.to_uppercase().len() > keyword.len()
                    && word.get(word.len() - keyword.len()..) == Some(**keyword)
            });
            if let Some(keyword) = run {
                let first = &word[..word.len() - keyword.len()];
                let message = format!("`{word}` looks like two words run together");
                return Some(
                    at_token(Kind::Syntax, message, token)
                        .with_hint(format!("write `{first} {keyword}`")),
                );
            }
        }
        None
    }

    /// `FROM <your-table>`, `FROM {table}`, `FROM [events]`.
    fn placeholder(&self) -> Option<SqlError> {
        let opens = matches!(self.found().token, Token::Lt | Token::LBrace | Token::LBracket);
        let after = self.before().next().and_then(|token| keyword(&token.token));
        if !opens || !matches!(after, Some(Keyword::FROM | Keyword::JOIN)) {
            return None;
        }
        let inside: String = self.tokens[self.at + 1..]
            .iter()
            .take_while(|t| !matches!(t.token, Token::Gt | Token::RBrace | Token::RBracket))
            .take(16)
            .map(|token| token.token.to_string())
            .collect();
        Some(super::mistakes::placeholder(&inside, self.found()))
    }

    /// `… SELECT`, also after a colon where a semicolon was meant.
    fn second_select(&self) -> Option<SqlError> {
        let is_select = |token: &TokenWithSpan| keyword(&token.token) == Some(Keyword::SELECT);
        let colon = self.found().token == Token::Colon;
        let found = is_select(self.found());
        (found || (colon && self.after().next().is_some_and(is_select))).then(|| {
            at_token(Kind::Syntax, "a second SELECT starts here", self.found()).with_hint(
                "run one statement at a time, or join them with UNION ALL; a query inside \
                 another stands in parentheses",
            )
        })
    }

    /// `requestParameters:bucketName`.
    fn colon(&self) -> Option<SqlError> {
        (self.found().token == Token::Colon).then(|| {
            at_token(Kind::Unsupported, "`:` before a member is not supported", self.found())
                .with_hint("write `x.member` or `json_extract`")
        })
    }

    /// `… LIMIT 10 WHERE x`.
    fn clause_out_of_order(&self) -> Option<SqlError> {
        let found = keyword(&self.found().token)?;
        let rank = |keyword| CLAUSES.iter().position(|clause| *clause == keyword);
        let own = rank(found)?;
        let mut depth = 0_usize;
        let mut later = None;
        for token in self.before() {
            match &token.token {
                Token::RParen => depth += 1,
                Token::LParen if depth == 0 => break,
                Token::LParen => depth -= 1,
                token if depth == 0 => {
                    let clause = keyword(token).and_then(rank);
                    later = clause.filter(|clause| *clause > own).or(later);
                }
                _ => {}
            }
        }
        let later = format!("{:?}", CLAUSES[later?]);
        let (name, later) = (by(&format!("{found:?}")), by(&later));
        Some(
            at_token(Kind::Syntax, format!("`{name}` stands after `{later}`"), self.found())
                .with_hint(format!("`{name}` belongs before `{later}`")),
        )
    }

    /// `SELECT * FORM events`.
    fn mistyped(&self) -> Option<SqlError> {
        std::iter::once(self.found()).chain(self.before().take(1)).find_map(mistyped)
    }

    /// `SELECT eventName eventID readOnly`.
    fn comma(&self) -> Option<SqlError> {
        let word = plain_word(&self.found().token)?;
        let mut before = self.before();
        let aliased = plain_word(&before.next()?.token).is_some();
        let item = matches!(before.next()?.token, Token::Word(_) | Token::RParen | Token::RBracket);
        let more = self.after().next().is_some_and(|next| {
            matches!(next.token, Token::Comma) || keyword(&next.token) == Some(Keyword::FROM)
        });
        (aliased && item && more).then(|| {
            at_token(Kind::Syntax, format!("`{word}` is one name too many"), self.found())
                .with_hint("a comma is missing between the columns")
        })
    }

    /// `'it's'`, `AS 'name'`.
    fn quotes(&self) -> Option<SqlError> {
        let before = self.before().next()?;
        match (&before.token, &self.found().token) {
            (Token::SingleQuotedString(_), Token::Word(_)) => Some(
                at_token(Kind::Syntax, "a text ends before this word", self.found())
                    .with_hint("a quote inside a text is written twice: 'it''s'"),
            ),
            (token, Token::SingleQuotedString(text)) if keyword(token) == Some(Keyword::IN) => {
                Some(
                    at_token(Kind::Syntax, "a list stands in parentheses", self.found())
                        .with_hint(format!("write `IN ('{text}')`")),
                )
            }
            _ => None,
        }
    }
}

/// Returns the mistake when the word is nearly a keyword.
pub(crate) fn mistyped(token: &TokenWithSpan) -> Option<SqlError> {
    let word = plain_word(&token.token)?;
    let letters: Vec<char> = word.to_uppercase().chars().collect();
    let near = MISTYPED.iter().find(|keyword| {
        let keyword: Vec<char> = keyword.chars().collect();
        let swapped = {
            let (mut a, mut b) = (letters.clone(), keyword.clone());
            a.sort_unstable();
            b.sort_unstable();
            a == b
        };
        letters.len() > 2 && (swapped || edit_distance(&letters, &keyword) == 1)
    })?;
    Some(
        at_token(Kind::Syntax, format!("`{word}` is no word of SQL here"), token)
            .with_hint(format!("did you mean `{near}`?")),
    )
}

fn by(clause: &str) -> String {
    match clause {
        "GROUP" | "ORDER" => format!("{clause} BY"),
        other => other.to_owned(),
    }
}

/// Returns the word when it is neither quoted nor a keyword.
fn plain_word(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) if word.quote_style.is_none() && word.keyword == Keyword::NoKeyword => {
            Some(&word.value)
        }
        _ => None,
    }
}

fn keyword(token: &Token) -> Option<Keyword> {
    match token {
        Token::Word(word) if word.quote_style.is_none() && word.keyword != Keyword::NoKeyword => {
            Some(word.keyword)
        }
        _ => None,
    }
}
