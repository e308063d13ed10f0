//! Where a statement ends.

/// Returns the first statement of `text` without its semicolon, and what follows it; `None` while
/// no semicolon has come outside quotes and comments.
pub fn next_statement(text: &str) -> Option<(&str, &str)> {
    let mut rest = text;
    loop {
        let special = rest.find(['\'', '"', ';', '-', '/'])?;
        let at = &rest[special..];
        if let Some(after) = at.strip_prefix(';') {
            return Some((&text[..text.len() - at.len()], after));
        }
        let skipped = if at.starts_with("--") {
            at.find('\n')?
        } else if at.starts_with("/*") {
            at.find("*/")? + 2
        } else if at.starts_with(['\'', '"']) {
            // A doubled quote inside closes and opens again: the same end.
            at[1..].find(&at[..1])? + 2
        } else {
            1
        };
        rest = &at[skipped..];
    }
}

/// Returns what comes before the last line of `text`, and that line, where it is a command in the
/// midst of a statement; `None` where it stands in quotes or in a comment.
pub fn command_behind(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_end();
    let begin = text.rfind('\n')? + 1;
    let (begun, line) = text.split_at(begin);
    let line = line.trim_start();
    // Outside of both a semicolon would end the statement.
    let ends = || next_statement(&format!("{begun};")).is_some();
    (line.starts_with('\\') && ends()).then_some((begun, line))
}

#[cfg(test)]
mod tests {
    use super::{command_behind, next_statement};

    #[test]
    fn a_command_may_come_where_a_statement_has_begun() {
        for (text, expected) in [
            ("SELECT 1\n\\q", Some(("SELECT 1\n", "\\q"))),
            ("help\n\n  \\? \n", Some(("help\n\n", "\\?"))),
            ("SELECT 1 -- it's\n\\q", Some(("SELECT 1 -- it's\n", "\\q"))),
            ("SELECT 'a\n\\q", None),
            ("SELECT \"a\n\\q", None),
            ("SELECT 1 /* a\n\\q", None),
            ("SELECT 1 \\q", None),
            ("SELECT 1\n", None),
            ("\\q", None),
        ] {
            assert_eq!(command_behind(text), expected, "{text}");
        }
    }

    #[test]
    fn a_semicolon_ends_a_statement_unless_it_is_quoted() {
        for (text, expected) in [
            ("SELECT 1; SELECT 2;", Some(("SELECT 1", " SELECT 2;"))),
            ("SELECT ';' ;", Some(("SELECT ';' ", ""))),
            ("SELECT 'it''s;' ;", Some(("SELECT 'it''s;' ", ""))),
            ("SELECT \"a;b\";", Some(("SELECT \"a;b\"", ""))),
            ("SELECT 1 -- no; end\n;", Some(("SELECT 1 -- no; end\n", ""))),
            ("SELECT /* ; */ 1 - 2 / 3;", Some(("SELECT /* ; */ 1 - 2 / 3", ""))),
            ("SELECT 1", None),
            ("SELECT 'open;", None),
            ("SELECT 1 /* open;", None),
            ("SELECT 1 -- open;", None),
        ] {
            assert_eq!(next_statement(text), expected, "{text}");
        }
    }
}
