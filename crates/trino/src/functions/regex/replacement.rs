//! What stands for a match: Java's `$1`, `${name}` and `\$`.

use datafusion::common::{Result, exec_err};
use regex::{Captures, Regex};

/// A replacement, read for one pattern.
#[derive(Debug)]
pub(crate) struct Replacement {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Group(usize),
}

impl Replacement {
    /// Reads a replacement. `$12` is group 12 when the pattern has one, else group 1 before a `2`.
    ///
    /// # Errors
    /// A group that the pattern does not have, a lone `$`, a backslash at the end.
    pub(crate) fn parse(text: &str, regex: &Regex) -> Result<Self> {
        let mut parts = vec![Part::Text(String::new())];
        let push = |parts: &mut Vec<Part>, c: char| match parts.last_mut() {
            Some(Part::Text(text)) => text.push(c),
            _ => parts.push(Part::Text(c.to_string())),
        };
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, chars.peek().copied()) {
                ('\\', None) => {
                    return exec_err!(
                        "Illegal replacement sequence: a backslash ends the replacement: {text}"
                    );
                }
                ('\\', Some(next)) => {
                    chars.next();
                    push(&mut parts, next);
                }
                ('$', Some('{')) => {
                    chars.next();
                    let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    let group = regex.capture_names().position(|known| known == Some(&name));
                    match group {
                        Some(group) => parts.push(Part::Group(group)),
                        None => {
                            return exec_err!(
                                "Illegal replacement sequence: unknown group {{ {name} }}: {text}"
                            );
                        }
                    }
                }
                ('$', Some(first)) if first.is_ascii_digit() => {
                    chars.next();
                    let mut group = first.to_digit(10).unwrap_or(0) as usize;
                    if group >= regex.captures_len() {
                        return exec_err!(
                            "Illegal replacement sequence: unknown group {group}: {text}"
                        );
                    }
                    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                        let longer = group * 10 + digit as usize;
                        if longer >= regex.captures_len() {
                            break;
                        }
                        group = longer;
                        chars.next();
                    }
                    parts.push(Part::Group(group));
                }
                ('$', _) => {
                    return exec_err!(
                        "Illegal replacement sequence: `$` stands before a group; write `\\$` for \
                         a dollar: {text}"
                    );
                }
                (c, _) => push(&mut parts, c),
            }
        }
        Ok(Self { parts })
    }

    /// Adds what stands for one match; a group that took no part is empty.
    pub(crate) fn write(&self, captures: &Captures, out: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(group) => {
                    out.push_str(captures.get(*group).map_or("", |found| found.as_str()));
                }
            }
        }
    }
}
