//! Java's patterns for Rust's engine.

use std::borrow::Cow;

use datafusion::common::{Result, exec_datafusion_err};
use regex::{Regex, RegexBuilder};

use crate::functions::support::TextColumn;

/// Bytes a compiled pattern may take.
const SIZE_MAX: usize = 4 << 20;

/// A column of patterns, compiled once when it is constant; else the last one is kept.
pub(crate) struct Patterns<'a> {
    column: &'a TextColumn,
    last: Option<(String, Regex)>,
}

impl<'a> Patterns<'a> {
    pub(crate) fn of(column: &'a TextColumn) -> Self {
        Self { column, last: None }
    }

    pub(crate) fn get(&mut self, row: usize) -> Result<Option<&Regex>> {
        let Some(pattern) = self.column.get(row)? else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(text, _)| text != pattern) {
            self.last = Some((pattern.to_owned(), compile(pattern)?));
        }
        Ok(self.last.as_ref().map(|(_, regex)| regex))
    }
}

/// Compiles a pattern of Java's.
pub(crate) fn compile(pattern: &str) -> Result<Regex> {
    if let Some(feature) = missing_feature(pattern) {
        return Err(exec_datafusion_err!(
            "the regular expression `{pattern}` uses {feature}, which is not supported"
        ));
    }
    let builder = |pattern: &str| {
        RegexBuilder::new(pattern).size_limit(SIZE_MAX).dfa_size_limit(SIZE_MAX).build()
    };
    builder(&java_to_rust(pattern)).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        exec_datafusion_err!("the regular expression `{pattern}` is invalid: {reason}")
    })
}

fn missing_feature(pattern: &str) -> Option<&'static str> {
    let bytes = pattern.as_bytes();
    let mut in_class = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                match bytes.get(at + 1) {
                    Some(b'1'..=b'9') if !in_class => return Some("a back-reference"),
                    Some(b'k') if !in_class => return Some("a back-reference"),
                    Some(b'G') => return Some("`\\G`"),
                    _ => {}
                }
                at += 1;
            }
            b'[' => in_class = true,
            b']' => in_class = false,
            b'(' if !in_class => match bytes.get(at + 1..).unwrap_or_default() {
                [b'?', b'=' | b'!', ..] => return Some("look-ahead"),
                [b'?', b'<', b'=' | b'!', ..] => return Some("look-behind"),
                [b'?', b'>', ..] => return Some("an atomic group"),
                _ => {}
            },
            b'+' if !in_class && at > 0 && matches!(bytes[at - 1], b'+' | b'*' | b'?' | b'}') => {
                let escaped = at > 1 && bytes[at - 2] == b'\\';
                if !escaped {
                    return Some("a possessive quantifier");
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Rewrites the few spellings that differ: `\h`, `\Q…\E`, `\Z`, `\e`, `(?d)`-less flags; ASCII
/// classes, because Java's `\d`, `\w`, `\s` and `\b` are ASCII where Rust's are Unicode.
fn java_to_rust(pattern: &str) -> Cow<'_, str> {
    if !pattern.contains('\\') {
        return Cow::Borrowed(pattern);
    }
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix("\\Q") {
            let (literal, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(literal));
            rest = after;
            continue;
        }
        if c != '\\' {
            in_class = (in_class || c == '[') && c != ']';
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let Some(code) = rest[1..].chars().next() else {
            out.push('\\');
            break;
        };
        rest = &rest[1 + code.len_utf8()..];
        match (code, in_class) {
            ('d', false) => out.push_str("[0-9]"),
            ('d', true) => out.push_str("0-9"),
            ('D', false) => out.push_str("[^0-9]"),
            ('w', false) => out.push_str("[0-9A-Za-z_]"),
            ('w', true) => out.push_str("0-9A-Za-z_"),
            ('W', false) => out.push_str("[^0-9A-Za-z_]"),
            ('s', false) => out.push_str("[ \\t\\n\\x0B\\f\\r]"),
            ('s', true) => out.push_str(" \\t\\n\\x0B\\f\\r"),
            ('S', false) => out.push_str("[^ \\t\\n\\x0B\\f\\r]"),
            ('h', false) => out.push_str(
                "[ \\t\\u{a0}\\u{1680}\\u{180e}\\u{2000}-\\u{200a}\
                                         \\u{202f}\\u{205f}\\u{3000}]",
            ),
            ('Z', _) => out.push_str("(?:\\n?\\z)"),
            ('e', _) => out.push_str("\\x1b"),
            // Java takes a backslash before any other sign as that sign.
            (c, _) if !c.is_alphanumeric() => out.push_str(&regex::escape(&c.to_string())),
            (c, _) => {
                out.push('\\');
                out.push(c);
            }
        }
    }
    Cow::Owned(out)
}

/// Rewrites Java's replacement (`$1`, `${name}`, `\$`) for Rust's engine.
pub(crate) fn replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('$') => out.push_str("$$"),
                Some(next) => out.push(next),
                None => {}
            },
            '$' if chars.peek().is_some_and(char::is_ascii_digit) => {
                out.push_str("${");
                while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                    out.push(digit);
                }
                out.push('}');
            }
            other => out.push(other),
        }
    }
    out
}
