//! How much of a statement does an error quote? A line of it can be as long as a request, and an
//! error is read on a terminal, kept, listed and sent again.

/// Characters before the place and behind it.
const AROUND: usize = 100;
/// Characters of any other line.
const LINE_MAX: usize = 2_000;

/// Returns what is around a place in a line, and the line of carets that goes under it. `column`
/// counts from 1, `length` is what to underline, both in characters. Control characters are escaped.
pub(crate) fn around(line: &str, column: usize, length: usize) -> (String, String) {
    let place = column.saturating_sub(1);
    let from = place.saturating_sub(AROUND);
    let mut rest = line.chars().skip(from);
    let before: String = rest.by_ref().take(place - from).collect();
    let marked: String = rest.by_ref().take(AROUND + 1).collect();
    let (left, right) =
        (if from > 0 { "…" } else { "" }, if rest.next().is_some() { "…" } else { "" });
    let before = format!("{left}{}", printable(&before));
    let carets = length.clamp(1, marked.chars().count().max(1));
    // Not by a width of the format: a width ends at 65,535, and what is escaped may be longer.
    let under = format!("{}{}", " ".repeat(before.chars().count()), "^".repeat(carets));
    (format!("{before}{}{right}", printable(&marked)), under)
}

/// Returns a message with lines of more than 2,000 characters cut: a name in it may be as long as
/// a statement.
pub fn shortened(message: &str) -> String {
    if message.len() <= LINE_MAX {
        return message.to_string();
    }
    let lines = message.lines().map(|line| match line.char_indices().nth(LINE_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_string(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Tabs become one space so that the caret stays under its character; what a terminal would obey
/// is escaped, because statements are pasted from anywhere.
fn printable(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => out.push(' '),
            c if c.is_control() || is_bidi_control(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    #[test]
    fn a_long_line_is_cut_around_its_place_and_a_short_one_stays() {
        let check = |line: &str, column, length, quoted: &str, carets: Range<usize>| {
            let under = format!("{}{}", " ".repeat(carets.start), "^".repeat(carets.len()));
            assert_eq!(around(line, column, length), (quoted.to_string(), under));
        };
        check("SELECT\tx", 8, 1, "SELECT x", 7..8);
        check("SELECT x", 8, 90, "SELECT x", 7..8);
        check("SELECT", 7, 1, "SELECT", 6..7);
        check("a\u{202e}b", 3, 1, "a\\u{202e}b", 9..10);
        let line = format!("{}é{}", "a".repeat(5_000), "b".repeat(5_000));
        let (a, b) = ("a".repeat(100), "b".repeat(100));
        check(&line, 5_001, 1, &format!("…{a}é{b}…"), 101..102);
        check(&line, 1, 1, &format!("{a}a…"), 0..1);
        check(&line, 10_001, 1, &format!("…{b}b"), 101..102);
        check(&line, 1, 10_001, &format!("{a}a…"), 0..101);
    }

    #[test]
    fn a_message_is_cut_where_a_line_is_long() {
        for short in ["wrong\nhint: y", &"é".repeat(1_500)] {
            assert_eq!(shortened(short), *short);
        }
        let cut = shortened(&format!("wrong\nthere is no `{}`", "é".repeat(90_000)));
        assert_eq!(cut.lines().map(|line| line.chars().count()).collect::<Vec<_>>(), [5, 2_001]);
    }
}
