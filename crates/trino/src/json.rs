//! Reading JSON text in place: one early-exit walk, slices out, no tree.
//!
//! The walks trust the text to be JSON (it was decoded as JSON when it was stored) and answer
//! none where it is not. They use no recursion, so depth does not matter; nothing is unescaped
//! but the strings that are asked for.

use std::borrow::Cow;

use memchr::memchr2;

/// Returns the value of the first member `key` of an object.
pub(crate) fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    members(object)?.find(|(name, _)| same_key(name, key)).map(|(_, value)| value)
}

/// Returns the element at `index`, from 0, of an array; negative ones count from its end.
pub(crate) fn element(array: &str, index: i64) -> Option<&str> {
    let mut elements = elements(array)?;
    match usize::try_from(index) {
        Ok(index) => elements.nth(index),
        Err(_) => {
            let all: Vec<&str> = elements.collect();
            let back = usize::try_from(index.unsigned_abs()).ok()?;
            all.len().checked_sub(back).and_then(|at| all.get(at).copied())
        }
    }
}

/// Returns the members of an object, keys still escaped; none when it is not an object.
pub(crate) fn members(object: &str) -> Option<Members<'_>> {
    let mut scanner = Scanner { text: object, at: 0 };
    scanner.open(b'{')?;
    Some(Members { scanner })
}

/// Returns the elements of an array; none when it is not an array.
pub(crate) fn elements(array: &str) -> Option<Elements<'_>> {
    let mut scanner = Scanner { text: array, at: 0 };
    scanner.open(b'[')?;
    Some(Elements { scanner })
}

/// Returns whether the escaped key is `key`.
fn same_key(escaped: &str, key: &str) -> bool {
    escaped == key || (escaped.contains('\\') && unescape(escaped) == key)
}

/// Calls `visit` with every key, string (both unescaped) and number in JSON text, in order.
pub(crate) fn scalars<'a>(text: &'a str, mut visit: impl FnMut(Cow<'a, str>)) {
    let mut scanner = Scanner { text, at: 0 };
    while let Some(byte) = scanner.peek() {
        match byte {
            b'"' => match scanner.string() {
                Some(inside) => visit(unescape(inside)),
                None => return,
            },
            b'-' | b'0'..=b'9' => {
                let start = scanner.at;
                scanner.scalar();
                visit(Cow::Borrowed(text.get(start..scanner.at).unwrap_or_default()));
            }
            _ => scanner.at += 1,
        }
    }
}

/// Returns a value as a map of CloudTrail Lake shows it: strings unescaped, other scalars as
/// written, nested values as compact JSON text, null as none.
pub(crate) fn text(value: &str) -> Option<Cow<'_, str>> {
    let value = value.trim();
    match value.as_bytes().first()? {
        b'n' => None,
        b'"' => Some(unescape(value.get(1..value.len().checked_sub(1)?)?)),
        b'{' | b'[' => Some(compact(value)),
        _ => Some(Cow::Borrowed(value)),
    }
}

/// Returns JSON text without white space between tokens.
pub(crate) fn compact(value: &str) -> Cow<'_, str> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    if !value.as_bytes().iter().any(is_space) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut scanner = Scanner { text: value, at: 0 };
    loop {
        scanner.space();
        let start = scanner.at;
        match scanner.peek() {
            None => return Cow::Owned(out),
            Some(b'"') if scanner.string().is_some() => {}
            Some(_) => {
                while scanner.peek().is_some_and(|byte| byte != b'"' && !is_space(&byte)) {
                    scanner.at += 1;
                }
                // A quote that opens nothing: copy it, so that the loop ends.
                scanner.at = scanner.at.max(start + 1);
            }
        }
        out.push_str(value.get(start..scanner.at).unwrap_or_default());
    }
}

/// Decodes the inside of a JSON string. A lone surrogate, which JSON allows and UTF-8 does not,
/// becomes U+FFFD.
pub(crate) fn unescape(escaped: &str) -> Cow<'_, str> {
    if !escaped.contains('\\') {
        return Cow::Borrowed(escaped);
    }
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let mut chars = rest[at + 1..].chars();
        let escape = chars.next();
        rest = chars.as_str();
        match escape {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => rest = unicode_escape(rest, &mut out),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Decodes the digits after `\u`, and the low half of a pair; returns what follows.
fn unicode_escape<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let unit = |text: &str| text.get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let Some(first) = unit(rest) else {
        out.push(char::REPLACEMENT_CHARACTER);
        return rest;
    };
    let after = &rest[4..];
    let second = after.strip_prefix("\\u").and_then(unit);
    let is_low = |unit: &u16| (0xdc00..0xe000).contains(unit);
    match (first, second) {
        (0xd800..0xdc00, Some(low)) if is_low(&low) => {
            let code = 0x10000 + ((u32::from(first) - 0xd800) << 10) + (u32::from(low) - 0xdc00);
            out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            &after[6..]
        }
        _ => {
            let code = char::from_u32(u32::from(first));
            out.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            after
        }
    }
}

/// Writes `text` as a JSON string.
pub(crate) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Returns whether the whole text is one JSON value, at most 200 deep (jiter's limit, a bound on
/// its recursion).
pub(crate) fn is_valid(text: &str) -> bool {
    let mut reader = jiter::Jiter::new(text.as_bytes());
    reader.next_skip().is_ok() && reader.finish().is_ok()
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn open(&mut self, bracket: u8) -> Option<()> {
        self.space();
        (self.peek()? == bracket).then(|| self.at += 1)
    }

    /// Steps over a comma or the opening bracket's space; none at the closing bracket.
    fn next_item(&mut self, closing: u8) -> Option<()> {
        self.space();
        if self.peek()? == b',' {
            self.at += 1;
            self.space();
        }
        (self.peek()? != closing).then_some(())
    }

    /// Steps over a string; returns its inside, still escaped.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            at += memchr2(b'"', b'\\', self.text.as_bytes().get(at..)?)?;
            if self.text.as_bytes()[at] == b'"' {
                self.at = at + 1;
                return self.text.get(start..at);
            }
            at += 2;
        }
    }

    /// Steps over any value; returns its text.
    fn value(&mut self) -> Option<&'a str> {
        self.space();
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                _ if depth == 0 => self.scalar(),
                _ => self.at += 1,
            }
            if depth == 0 {
                return self.text.get(start..self.at).filter(|text| !text.is_empty());
            }
        }
    }

    fn scalar(&mut self) {
        while self.peek().is_some_and(|byte| {
            !matches!(byte, b',' | b'}' | b']' | b':' | b' ' | b'\n' | b'\r' | b'\t')
        }) {
            self.at += 1;
        }
    }
}

/// The members of an object: key (escaped) and text of the value.
pub(crate) struct Members<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.scanner.next_item(b'}')?;
        let key = (self.scanner.peek()? == b'"').then(|| self.scanner.string())??;
        self.scanner.space();
        (self.scanner.peek()? == b':').then(|| self.scanner.at += 1)?;
        Some((key, self.scanner.value()?))
    }
}

/// The elements of an array.
pub(crate) struct Elements<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        self.scanner.next_item(b']')?;
        self.scanner.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_stop_at_the_first_match_and_decode_only_what_is_asked_for() {
        let object =
            r#"{ "a" : [1, {"x": "y, ] }"}, null], "a": 2, "k\u0065y": "\ud83d\ude00\ud800" }"#;
        assert_eq!(member(object, "a"), Some(r#"[1, {"x": "y, ] }"}, null]"#));
        assert_eq!(text(member(object, "key").unwrap()).unwrap(), "😀\u{fffd}");
        let array = member(object, "a").unwrap();
        assert_eq!(element(array, 1).map(compact).unwrap(), r#"{"x":"y, ] }"}"#);
        assert_eq!(element(array, -1), Some("null"));
        assert_eq!(element(array, 3), None);
        assert_eq!(text("null"), None);
        assert_eq!(member(object, "b"), None);
    }

    #[test]
    fn scalars_are_keys_strings_and_numbers() {
        let mut found = Vec::new();
        let text = r#"{"a\/b": [1.50, -2e3,true,"x \" y"], "": {"k":null}, "é": "\u0041"}"#;
        scalars(text, |scalar| found.push(scalar.into_owned()));
        assert_eq!(found, ["a/b", "1.50", "-2e3", "x \" y", "", "k", "é", "A"]);
    }

    #[test]
    fn text_that_is_not_json_answers_none() {
        for broken in ["", "{", r#"{"a"#, r#"{"a":"#, r#"{"a" 1}"#, "[1", "nul", r#""abc"#, "]"] {
            assert_eq!(member(broken, "b"), None, "{broken}");
            assert_eq!(element(broken, 7), None, "{broken}");
            let _ = compact(broken);
            scalars(broken, |_| {});
        }
    }
}
