//! Terms, and where a text holds one as a whole token.

use std::cell::RefCell;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use memchr::memmem::Finder;

/// Terms ready to be looked for.
#[derive(Debug)]
pub(crate) struct Terms {
    terms: Vec<String>,
    finder: Which,
    /// What must stand in JSON text that spells a term with escapes.
    escapes: Vec<Finder<'static>>,
}

#[derive(Debug)]
enum Which {
    None,
    One(Box<Finder<'static>>),
    Many(AhoCorasick),
}

thread_local! {
    /// The last terms of this thread: batches of one query come one after another.
    static LAST: RefCell<Option<Arc<Terms>>> = const { RefCell::new(None) };
}

impl Terms {
    /// Returns the terms made ready; those made last are kept.
    ///
    /// # Errors
    /// An empty term, which every event would hold; more terms than an automaton can take.
    pub(crate) fn of(terms: Vec<&str>) -> Result<Arc<Terms>> {
        let last = LAST.with_borrow(Option::clone);
        if let Some(last) = last.filter(|last| last.terms == terms) {
            return Ok(last);
        }
        let made = Arc::new(Terms::new(terms)?);
        LAST.set(Some(Arc::clone(&made)));
        Ok(made)
    }

    fn new(terms: Vec<&str>) -> Result<Terms> {
        if terms.contains(&"") {
            return exec_err!("a term to look for must not be empty");
        }
        let finder = match terms.as_slice() {
            [] => Which::None,
            [term] => Which::One(Box::new(Finder::new(term).into_owned())),
            _ => Which::Many(AhoCorasick::new(&terms).map_err(|error| {
                exec_datafusion_err!("too many terms to look for at once: {error}")
            })?),
        };
        let has = |wanted: fn(char) -> bool| terms.iter().any(|term| term.contains(wanted));
        // Any character may be spelled `\u0041`; the others have an escape of their own.
        let escapes: &[&str] = if has(|c| c < ' ' || matches!(c, '"' | '\\')) {
            &["\\"]
        } else if has(|c| c == '/') {
            &["\\u", "\\/"]
        } else {
            &["\\u"]
        };
        let escapes = escapes.iter().map(|escape| Finder::new(escape).into_owned()).collect();
        Ok(Terms { finder, escapes, terms: terms.into_iter().map(str::to_owned).collect() })
    }

    /// Returns whether any term stands anywhere in the bytes, whole or not.
    pub(crate) fn occur(&self, bytes: &[u8]) -> bool {
        match &self.finder {
            Which::None => false,
            Which::One(finder) => finder.find(bytes).is_some(),
            Which::Many(automaton) => automaton.is_match(bytes),
        }
    }

    /// Returns whether JSON text may hold any term, spelled in whatever way.
    pub(crate) fn may_occur_in_json(&self, bytes: &[u8]) -> bool {
        self.occur(bytes) || self.escapes.iter().any(|escape| escape.find(bytes).is_some())
    }

    /// Calls `found` with the number of every term that the text holds as a whole token.
    pub(crate) fn each_whole(&self, text: &str, mut found: impl FnMut(usize)) {
        match &self.finder {
            Which::None => {}
            Which::One(finder) => {
                let (mut from, length) = (0, finder.needle().len());
                while let Some(at) = finder.find(&text.as_bytes()[from..]) {
                    let start = from + at;
                    if is_whole(text, start, start + length) {
                        return found(0);
                    }
                    from = start + 1;
                }
            }
            Which::Many(automaton) => {
                for place in automaton.find_overlapping_iter(text) {
                    if is_whole(text, place.start(), place.end()) {
                        found(place.pattern().as_usize());
                    }
                }
            }
        }
    }
}

/// Whether what stands from `start` to `end` is no part of a longer run of letters and digits. A
/// percent escape, as in the policies that IAM answers with, ends such a run.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let (Some(before), Some(inside), Some(after)) =
        (text.get(..start), text.get(start..end), text.get(end..))
    else {
        return false;
    };
    let goes_on = |left: Option<char>, right: Option<char>| {
        left.is_some_and(char::is_alphanumeric) && right.is_some_and(char::is_alphanumeric)
    };
    let follows = goes_on(before.chars().next_back(), inside.chars().next());
    (!follows || ends_with_escape(before))
        && !goes_on(inside.chars().next_back(), after.chars().next())
}

fn ends_with_escape(text: &str) -> bool {
    matches!(text.as_bytes(), [.., b'%', high, low]
        if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(terms: &[&str], text: &str, expected: &[&str]) {
        let terms = Terms::of(terms.to_vec()).unwrap();
        let mut found = Vec::new();
        terms.each_whole(text, |number| found.push(terms.terms[number].as_str()));
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_token_ends_where_letters_and_digits_do() {
        let bucket = &["my-bucket"];
        for text in [
            "my-bucket",
            "arn:aws:s3:::my-bucket/key",
            "my-bucket.s3.amazonaws.com",
            "s3://my-bucket",
            "not-my-bucket-2",
            "xmy-bucket my-bucket",
            "arn%3Aaws%3As3%3A%3A%3Amy-bucket%2Fkey",
        ] {
            check(bucket, text, bucket);
        }
        for text in
            ["my-buckets", "xmy-bucket", "2my-bucket", "My-bucket", "émy-bucket", "my_bucket"]
        {
            check(bucket, text, &[]);
        }
        for text in ["10.0.0.10", "110.0.0.1", "10.0.0.1a", "10.0.00.1"] {
            check(&["10.0.0.1"], text, &[]);
        }
        check(&["10.0.0.1"], "from 10.0.0.1/32, 10.0.0.10", &["10.0.0.1"]);
        check(&["/tmp/"], "rm /tmp/x", &["/tmp/"]);
        check(&["a.a"], "xa.a.a", &["a.a"]);
    }

    #[test]
    fn terms_that_overlap_are_all_found() {
        let terms = &["10.0.0.1", "0.0.1", "AKIA1", "AKIA", "AKIA"];
        check(terms, "10.0.0.1 AKIA1", &["0.0.1", "10.0.0.1", "AKIA1"]);
        check(terms, "AKIA", &["AKIA"]);
        check(&[], "AKIA", &[]);
    }

    #[test]
    fn an_empty_term_is_refused() {
        assert!(Terms::of(vec!["a", ""]).is_err());
    }
}
