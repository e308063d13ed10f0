//! How much of a statement does an error quote? A line of it can be as long as a request, and an
//! error is kept, listed and sent again.

/// Characters before the place and behind it.
const AROUND: usize = 100;
/// Characters of any other line.
const LINE_MAX: usize = 2_000;

/// Returns an error's text with its long lines cut. A quoted line is one whose next has a caret under
/// the place, both behind a gutter of the same width.
pub(crate) fn excerpt(text: &str) -> String {
    if text.lines().all(|line| line.len() <= 2 * AROUND) {
        return text.to_owned();
    }
    let mut lines = text.lines().peekable();
    let mut out = Vec::new();
    while let Some(line) = lines.next() {
        match lines.peek().and_then(|below| Some((gutter(line, below)?, below.find('^')?))) {
            Some((gutter, caret)) => {
                let below = lines.next().unwrap_or_default();
                out.extend(around(line, below, gutter, caret));
            }
            None => out.push(shortened(line)),
        }
    }
    out.join("\n")
}

/// The bytes before a quoted line's first character, where `below` is the line of its caret.
fn gutter(line: &str, below: &str) -> Option<usize> {
    let number = line.find(" | ").filter(|end| line[..*end].bytes().all(|c| c.is_ascii_digit()))?;
    let place = below.get(..number)?.trim().is_empty() && below[number..].starts_with(" | ");
    let marked = below.get(number + 3..)?.trim_matches(' ');
    (place && !marked.is_empty() && marked.bytes().all(|c| c == b'^')).then_some(number + 3)
}

/// The line with what is around the caret, and the line of the caret.
fn around(line: &str, below: &str, gutter: usize, caret: usize) -> [String; 2] {
    let place = caret - gutter;
    let from = place.saturating_sub(AROUND);
    let quoted: Vec<char> = line[gutter..].chars().skip(from).take(2 * AROUND + 1).collect();
    let cut = line[gutter..].chars().nth(from + quoted.len()).is_some();
    let before = if from > 0 { "…" } else { "" };
    let behind = if cut { "…" } else { "" };
    let carets = below.len() - caret;
    let carets = carets.min(quoted.len().saturating_sub(place - from)).max(1);
    let indent = place - from + before.chars().count();
    let quoted: String = quoted.into_iter().collect();
    let (number, blank) = (&line[..gutter], &below[..gutter]);
    [
        format!("{number}{before}{quoted}{behind}"),
        format!("{blank}{}{}", " ".repeat(indent), "^".repeat(carets)),
    ]
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_its_caret_and_a_short_one_stays() {
        let short = "wrong\n1 | SELECT x\n  |        ^\nhint: y";
        assert_eq!(excerpt(short), short);
        let line = format!("{}é{}", "a".repeat(5_000), "b".repeat(5_000));
        for (place, shown, under) in [
            (5_000, format!("…{}é{}…", "a".repeat(100), "b".repeat(100)), 101),
            (0, format!("{}…", "a".repeat(201)), 0),
            (10_000, format!("…{}", "b".repeat(101)), 101),
        ] {
            let text = format!("wrong\n12 | {line}\n   | {}^", " ".repeat(place));
            let expected = format!("wrong\n12 | {shown}\n   | {}^", " ".repeat(under));
            assert_eq!(excerpt(&text), expected);
        }
        let many = format!("wrong\n1 | {line}\n  | {}", "^".repeat(10_001));
        assert!(excerpt(&many).len() < 700, "{}", excerpt(&many));
        let name = format!("there is no `{line}`");
        assert_eq!(excerpt(&name).chars().count(), LINE_MAX + 1);
    }
}
