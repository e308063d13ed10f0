//! Lists of indicators as analysts share them: one a line, with comments, often defanged so that
//! nobody clicks on them.

use std::collections::HashSet;
use std::net::IpAddr;

/// Spellings that defang an indicator, and what they stand for.
const DEFANGED: &[(&str, &str)] = &[
    ("[.]", "."),
    ("(.)", "."),
    ("{.}", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("[:]", ":"),
    ("[://]", "://"),
    ("[/]", "/"),
    ("[@]", "@"),
    ("[at]", "@"),
    ("(at)", "@"),
];

/// Spellings of a scheme at the start of an indicator.
const SCHEMES: &[(&str, &str)] =
    &[("hxxps", "https"), ("hxxp", "http"), ("fxp", "ftp"), ("meow", "http")];

/// Terms to look for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Each once, in the order given.
    pub terms: Vec<String>,
    /// Those that were defanged: as given, and as they are looked for.
    pub refanged: Vec<(String, String)>,
    /// Networks: no event holds one, only addresses in it.
    pub networks: Vec<String>,
}

impl Terms {
    /// Returns the terms of `given`, in which white space around a term does not count.
    pub fn of<'a>(given: impl IntoIterator<Item = &'a str>) -> Terms {
        let mut terms = Terms::default();
        let mut known = HashSet::new();
        for text in given.into_iter().map(str::trim).filter(|text| !text.is_empty()) {
            let term = refang(text);
            if !known.insert(term.clone()) {
                continue;
            }
            if term != text {
                terms.refanged.push((text.to_owned(), term.clone()));
            }
            if is_network(&term) {
                terms.networks.push(term.clone());
            }
            terms.terms.push(term);
        }
        terms
    }
}

/// Returns the indicators of a list: its lines, without comments. A comment begins with `#` at the
/// start of a line or after white space.
pub fn lines(list: &str) -> impl Iterator<Item = &str> {
    list.trim_start_matches('\u{feff}').lines().map(|line| {
        let mut from = 0;
        while let Some(at) = line[from..].find('#').map(|at| from + at) {
            if line[..at].chars().next_back().is_none_or(char::is_whitespace) {
                return &line[..at];
            }
            from = at + 1;
        }
        line
    })
}

/// Returns what a defanged indicator stands for.
fn refang(text: &str) -> String {
    let mut term = text.to_owned();
    for (defanged, plain) in DEFANGED {
        while let Some(at) = find_ignoring_case(&term, defanged) {
            term.replace_range(at..at + defanged.len(), plain);
        }
    }
    for (defanged, plain) in SCHEMES {
        let scheme = term.get(..defanged.len()).is_some_and(|s| s.eq_ignore_ascii_case(defanged));
        if scheme && term[defanged.len()..].starts_with("://") {
            term.replace_range(..defanged.len(), plain);
        }
    }
    term
}

fn find_ignoring_case(text: &str, part: &str) -> Option<usize> {
    let windows = text.as_bytes().windows(part.len());
    windows.into_iter().position(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// Whether the term is a network such as `10.0.0.0/8`.
fn is_network(term: &str) -> bool {
    term.split_once('/').is_some_and(|(address, bits)| {
        address.parse::<IpAddr>().is_ok() && bits.parse::<u8>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_its_lines_without_comments() {
        let list = "\u{feff}# seen 2026-03-11\r\n\r\n  203.0.113.7  # exit node\nAKIA#1\n\
                    aws-cli/2 Python\n203.0.113.7\n#\n";
        let terms = Terms::of(lines(list));
        assert_eq!(terms.terms, ["203.0.113.7", "AKIA#1", "aws-cli/2 Python"]);
        assert_eq!((terms.refanged, terms.networks), (Vec::new(), Vec::new()));
    }

    #[test]
    fn defanged_forms_are_read_as_what_they_stand_for() {
        for (given, expected) in [
            ("hxxps://evil[.]example/a", "https://evil.example/a"),
            ("HXXP[:]//evil(.)example", "http://evil.example"),
            ("hxxp[://]evil{.}example", "http://evil.example"),
            ("203[.]0[.]113[.]7", "203.0.113.7"),
            ("2001[:]db8[:][:]1", "2001:db8::1"),
            ("eve[at]evil[DOT]example", "eve@evil.example"),
            ("fxp://x", "ftp://x"),
            ("hxxp", "hxxp"),
            ("arn:aws:s3:::b", "arn:aws:s3:::b"),
            ("é[.]example", "é.example"),
        ] {
            let terms = Terms::of([given]);
            assert_eq!(terms.terms, [expected]);
            let said = (given != expected).then(|| (given.to_owned(), expected.to_owned()));
            assert_eq!(terms.refanged, Vec::from_iter(said));
        }
    }

    #[test]
    fn networks_are_told_from_addresses_and_paths() {
        let terms = Terms::of(["10.0.0.0/8", "2001:db8::/32", "10.0.0.1", "a/8", "10.0.0.1/x"]);
        assert_eq!(terms.networks, ["10.0.0.0/8", "2001:db8::/32"]);
    }
}
