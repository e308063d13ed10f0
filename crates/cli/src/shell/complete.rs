//! What the tab key knows: tables, columns, functions, key words, the shell's own commands.

use std::collections::BTreeMap;

use reedline::{Completer, CompletionResult, Span, Suggestion};

use super::meta;

/// Key words worth completing.
const KEY_WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "DISTINCT",
    "BETWEEN",
    "LIKE",
    "IS NOT NULL",
    "IS NULL",
    "CROSS JOIN UNNEST(",
    "LEFT JOIN",
    "JOIN",
    "WITH",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST(",
    "DESC",
    "EXPLAIN",
    "DESCRIBE",
    "SHOW TABLES",
];
/// Suggestions shown at once.
const SHOWN: usize = 60;

/// Words by their lower-case form.
#[derive(Clone, Debug)]
pub struct Words(BTreeMap<String, String>);

impl Default for Words {
    fn default() -> Words {
        let mut words = Words(BTreeMap::new());
        words.extend(KEY_WORDS.iter().chain(&meta::NAMES).map(|word| (*word).to_owned()));
        words
    }
}

impl Words {
    /// Adds words; the first spelling of a word stays.
    pub fn extend(&mut self, words: impl IntoIterator<Item = String>) {
        for word in words {
            self.0.entry(word.to_lowercase()).or_insert(word);
        }
    }

    /// Returns the words that begin like the one before `position`, and where that one begins.
    fn matching(&self, line: &str, position: usize) -> (usize, Vec<&str>) {
        let before = &line[..position];
        let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '\\' | '$');
        let start = before.len()
            - before.chars().rev().take_while(|c| in_word(*c)).map(char::len_utf8).sum::<usize>();
        let typed = before[start..].to_lowercase();
        if typed.is_empty() {
            return (start, Vec::new());
        }
        let found = self.0.range(typed.clone()..).take_while(|(word, _)| word.starts_with(&typed));
        (start, found.map(|(_, word)| word.as_str()).take(SHOWN).collect())
    }
}

impl Completer for Words {
    fn complete(&mut self, line: &str, position: usize) -> CompletionResult {
        let (start, found) = self.matching(line, position);
        let suggestions: Vec<Suggestion> = (found.into_iter())
            .map(|word| Suggestion {
                value: word.to_owned(),
                span: Span::new(start, position),
                append_whitespace: false,
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    #[test]
    fn words_complete_in_whatever_case_in_their_own_spelling() {
        let mut words = Words::default();
        words.extend(["eventName".to_owned(), "eventTime".to_owned(), "events".to_owned()]);
        assert_eq!(
            words.matching("select EVENT", 12),
            (7, vec!["eventName", "events", "eventTime"])
        );
        assert_eq!(words.matching("select userIdentity.", 20), (20, vec![]));
        assert_eq!(words.matching("\\ti", 3), (0, vec!["\\timing"]));
    }
}
